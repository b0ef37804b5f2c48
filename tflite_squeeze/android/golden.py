"""Golden vectors: inputs, and the outputs that a device must compute from them."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.android.interface import AndroidInterface, AndroidTensor
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.runtime.inputs import made_up
from tflite_squeeze.runtime.run import run_cases
from tflite_squeeze.runtime.session import Endpoint, dequantized, quantized
from tflite_squeeze.tflite.fields import integers, items
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.tensor_values import step_before

Case = dict[str, NDArray[Any]]

MAGIC = b"TFSQGOLD"
VERSION = 1
_TYPES = {"float32": 1, "int8": 2, "uint8": 3, "int16": 4, "int32": 5, "int64": 6, "bool": 7}
_MOST_CASES = 4
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Inputs and expected outputs, as the application sees them.

    Attributes:
        inputs: per case, values by name; real values where the tensor is quantized.
        outputs: the same way, computed by LiteRT's interpreter from a fresh state.
        tolerances: per output, how far a device may be off.
        differences: per output, the largest difference between XNNPACK's kernels and the
            built-in ones on these cases, which the tolerances come from.
    """

    inputs: tuple[Case, ...]
    outputs: tuple[Case, ...]
    tolerances: dict[str, float]
    differences: dict[str, float]


def golden_vectors(
    tflite: bytes,
    interface: AndroidInterface,
    *,
    samples: Sequence[Case] = (),
    preprocessing: Preprocessing | None = None,
    seed: int = 0,
) -> Golden:
    """Runs a file on real or made-up inputs, with XNNPACK's kernels and with the built-in ones.

    A device has kernels of its own, so that outputs may differ a little: an output may be off by
    4 times the difference of the two kernels here, by 2 steps of its quantization, or by 1e-4 of
    its largest value, whichever is most.

    Args:
        tflite: the file's content.
        interface: how it is called.
        samples: whole inputs by name, in real values where the file takes quantized integers;
            without any, inputs are generated.
        preprocessing: of raw values; with it, generated inputs cover the range of real ones.
        seed: of the made-up inputs.

    Returns:
        The samples, or up to 4 made-up cases, fewer where they would take more than 1 MiB.

    Raises:
        InputError: a sample does not have the shape of its input.
        UnsupportedError: an output changes its shape from case to case.
        RuntimeFailure: LiteRT refused the file, crashed on it, or took too long.
    """
    inputs = list(samples) or _made_up(interface, preprocessing, seed)
    _check_shapes(inputs, interface)
    feeds = [_tensors(case, interface.inputs) for case in inputs]
    signature = interface.signature
    found = run_cases(tflite, feeds, signature=signature)
    plain = run_cases(tflite, feeds, signature=signature, delegate=False)
    outputs = [_values(case, interface.outputs) for case in found]
    others = [_values(case, interface.outputs) for case in plain]
    differences, tolerances = {}, {}
    for output in interface.outputs:
        name = output.name
        ours = _stacked(outputs, name)
        differences[name] = _largest(ours, _stacked(others, name))
        step = _step(tflite, output)
        reals = np.issubdtype(ours.dtype, np.floating)
        finite = np.abs(ours[np.isfinite(ours)]) if reals else np.zeros(0)
        share = 1e-4 * float(finite.max()) if finite.size else 0.0
        tolerances[name] = max(4 * differences[name], 2 * step, share)
    return Golden(
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        tolerances=tolerances,
        differences=differences,
    )


def most_cases(interface: AndroidInterface) -> int:
    """How many golden vectors a file gets."""
    values = sum(one.elements for one in (*interface.inputs, *interface.outputs))
    return max(1, min(_MOST_CASES, _MOST_BYTES // (4 * max(1, values))))


def _made_up(
    interface: AndroidInterface, preprocessing: Preprocessing | None, seed: int
) -> list[Case]:
    count = most_cases(interface)
    return [_case(interface, preprocessing, seed + at) for at in range(count)]


def _check_shapes(cases: Sequence[Case], interface: AndroidInterface) -> None:
    for case in cases:
        shapes = {name: array.shape for name, array in case.items()}
        wanted = {one.name: one.shape for one in interface.inputs}
        if shapes != wanted:
            raise InputError(f"the file takes {wanted}; got {shapes}: give samples of that shape")


def _case(interface: AndroidInterface, preprocessing: Preprocessing | None, seed: int) -> Case:
    """One made-up value for every input: what `made_up` gives, moved to where real values lie."""
    types = {
        one.name: ("float32" if one.quantized else one.dtype, one.shape) for one in interface.inputs
    }
    case = made_up(types, seed)
    for one in interface.inputs:
        if one.quantized:
            low, high = ((end - one.zero_point) * one.scale for end in one.limits)
            spread = low + (case[one.name].astype(np.float64) + 1) / 2 * (high - low)
            case[one.name] = spread.astype(np.float32)
        elif one.array == "FloatArray" and preprocessing and preprocessing.applies_to(one.name):
            case[one.name] = _preprocessed(case[one.name], preprocessing)
    return case


def _preprocessed(values: NDArray[Any], preprocessing: Preprocessing) -> NDArray[Any]:
    """Values in [-1, 1) as raw ones in [0, 1 / scale), scaled and shifted as real ones are."""
    if preprocessing.scale == 1:
        return values
    axis = 1 if preprocessing.layout == "channels_first" else -1
    last = np.moveaxis((values.astype(np.float64) + 1) / 2, axis, -1)
    mean = 0.0 if preprocessing.mean is None else np.asarray(preprocessing.mean)
    std = 1.0 if preprocessing.std is None else np.asarray(preprocessing.std)
    return np.moveaxis((last - mean) / std, -1, axis).astype(np.float32)


def _endpoint(tensor: AndroidTensor) -> Endpoint:
    return Endpoint(
        name=tensor.name,
        index=0,
        shape=tensor.shape,
        dtype=tensor.dtype,
        scale=tensor.scale,
        zero_point=tensor.zero_point,
    )


def _tensors(case: Case, inputs: Sequence[AndroidTensor]) -> Case:
    """Values as the tensors hold them."""
    return {
        one.name: quantized(case[one.name], _endpoint(one)) if one.quantized else case[one.name]
        for one in inputs
    }


def _values(case: Case, outputs: Sequence[AndroidTensor]) -> Case:
    """Tensors as the application sees them."""
    return {one.name: dequantized(case[one.name], _endpoint(one)) for one in outputs}


def _stacked(cases: Sequence[Case], name: str) -> NDArray[Any]:
    shapes = {case[name].shape for case in cases}
    if len(shapes) > 1:
        raise UnsupportedError(
            f"output {name!r} changes its shape from run to run ({sorted(shapes)[:3]}), and the "
            f"Kotlin class returns a fixed one: give the model an output of one shape"
        )
    return np.stack([case[name] for case in cases])


def _largest(ours: NDArray[Any], others: NDArray[Any]) -> float:
    """The largest difference of values that are numbers in both."""
    if ours.dtype == bool:
        return float(np.any(ours != others))
    difference = np.abs(ours.astype(np.float64) - others.astype(np.float64))
    known = difference[np.isfinite(difference)]
    return float(known.max()) if known.size else 0.0


def _step(tflite: bytes, output: AndroidTensor) -> float:
    """One step of an output's quantization: its own, or of what DEQUANTIZE made it from."""
    if output.quantized:
        return output.scale
    model = read_model(tflite)
    signatures = items(model.signatureDefs)
    subgraph = signatures[0].subgraphIndex if signatures else 0
    index = integers(model.subgraphs[subgraph].outputs)[output.position]
    return step_before(model, subgraph, index)


def packed(golden: Golden, interface: AndroidInterface, model: bytes) -> bytes:
    """Writes golden vectors as a file that the instrumented test reads.

    Everything is little-endian and without gaps: the magic `TFSQGOLD`, the version and the
    number of cases (uint32 each), the SHA-256 of the model (32 bytes), the numbers of inputs and
    of outputs (uint32 each); for every input, then for every output, its type (uint32: 1 float32,
    2 int8, 3 uint8, 4 int16, 5 int32, 6 int64, 7 bool), its number of values (uint32) and its
    tolerance (float32, 0 for inputs); for every case the values of all inputs, then of all
    outputs.

    Args:
        golden: the vectors.
        interface: the order of inputs and outputs.
        model: the .tflite file that they belong to.

    Returns:
        The file's content.
    """
    head = [
        MAGIC,
        struct.pack("<II", VERSION, len(golden.inputs)),
        hashlib.sha256(model).digest(),
        struct.pack("<II", len(interface.inputs), len(interface.outputs)),
    ]
    ends = [(golden.inputs[0][one.name], 0.0) for one in interface.inputs]
    ends += [
        (golden.outputs[0][one.name], golden.tolerances[one.name]) for one in interface.outputs
    ]
    for values, tolerance in ends:
        head.append(struct.pack("<IIf", _TYPES[values.dtype.name], values.size, tolerance))
    body = [
        case[one.name].astype(case[one.name].dtype.newbyteorder("<")).tobytes()
        for inputs, outputs in zip(golden.inputs, golden.outputs, strict=True)
        for case, ends in ((inputs, interface.inputs), (outputs, interface.outputs))
        for one in ends
    ]
    return b"".join(head + body)
