"""The Keras model's own answers, against which a file is judged."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.converter import emit
from tflite_squeeze.emission.endpoints import Endpoint
from tflite_squeeze.errors import InputError, SqueezeError
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.runtime.fidelity import largest_difference, sqnr_db
from tflite_squeeze.runtime.run import Tensor, run_file
from tflite_squeeze.verification.parts import compare_parts, worst_part
from tflite_squeeze.verification.record import TensorFidelity

_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What a signature is run on.

    Attributes:
        inputs: (N, ...) by the signature's input names.
        labels: (N,) class ids, or by output name; None when there are none.
        real: whether they are real samples, not random numbers.
        about: for real ones, where they come from and how they were preprocessed.
    """

    inputs: dict[str, NDArray[Any]]
    labels: Any = None
    real: bool = True
    about: dict[str, Any] = field(default_factory=dict)


def random_samples(
    endpoint: Endpoint, shapes: Mapping[str, tuple[int, ...]], count: int
) -> Samples:
    """Seeded random inputs, for use without real ones.

    Args:
        endpoint: the signature.
        shapes: shape of one example by input name.
        count: examples.

    Returns:
        Normally distributed values; for integers 0 and 1, which are valid indices of any embedding.
    """
    generator = np.random.default_rng(0)
    inputs = {}
    for name, spec in endpoint.inputs.items():
        dtype, shape = spec.dtype.as_numpy_dtype, (count, *shapes[name])
        if spec.dtype.is_floating:
            inputs[name] = generator.standard_normal(shape).astype(dtype)
        elif spec.dtype.is_integer or spec.dtype.is_bool:
            inputs[name] = generator.integers(0, 2, shape).astype(dtype)
        else:
            raise InputError(
                f"input {name!r} takes {spec.dtype.name}, for which random samples "
                f"are meaningless: pass --data, or --no-verify"
            )
    return Samples(inputs=inputs, real=False)


def reference_outputs(
    endpoint: Endpoint, specs: Mapping[str, tf.TensorSpec], inputs: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Runs the original model, in inference mode.

    Args:
        endpoint: the signature.
        specs: the shapes that the file takes; a batch that the model itself fixes is kept.
        inputs: (N, ...) by input name.

    Returns:
        (N, ...) by output name.
    """
    fixed = {spec.shape[0] for spec in endpoint.inputs.values() if spec.shape.rank}
    fixed.discard(None)
    batch = min(fixed) if fixed else _BATCH
    signature = {
        name: tf.TensorSpec([batch if fixed else None, *spec.shape[1:]], spec.dtype, name=name)
        for name, spec in specs.items()
    }
    run = tf.function(endpoint.call, input_signature=[signature], autograph=False)
    count = len(next(iter(inputs.values())))
    parts: dict[str, list[NDArray[Any]]] = {}
    with caught_chatter():
        for start in range(0, count, batch):
            chunk = {name: array[start : start + batch] for name, array in inputs.items()}
            size = len(next(iter(chunk.values())))
            if fixed and size < batch:
                chunk = {name: _filled(array, batch) for name, array in chunk.items()}
            tensors = {name: tf.cast(array, specs[name].dtype) for name, array in chunk.items()}
            for name, value in run(tensors).items():
                parts.setdefault(name, []).append(_per_example(name, value.numpy(), size, batch))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _filled(array: NDArray[Any], batch: int) -> NDArray[Any]:
    return np.concatenate([array, np.repeat(array[-1:], batch - len(array), axis=0)])


def _per_example(name: str, value: NDArray[Any], size: int, batch: int) -> NDArray[Any]:
    if not value.ndim or value.shape[0] not in (size, batch):
        raise InputError(
            f"output {name!r} has shape {value.shape} for {size} examples, so examples cannot be "
            f"separated: pass --no-verify, or give the output a batch axis"
        )
    return value[:size]


def compare_tensors(
    reference: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
) -> tuple[TensorFidelity, ...]:
    """The tensors that both files compute, by name, in the file's order of execution.

    Args:
        reference: tensors of the float file.
        tensors: tensors of the file in question.
    """
    known = {item.name: item for item in reference}
    return tuple(
        _compared(known[item.name].values, item)
        for item in tensors
        if item.name in known
        and item.values.shape == known[item.name].values.shape
        and np.issubdtype(item.values.dtype, np.floating)
    )


def _compared(reference: NDArray[Any], item: Tensor) -> TensorFidelity:
    part, part_db = worst_part(compare_parts(reference, item.values, 0.0))
    return TensorFidelity(
        tensor=item.name,
        operator=item.op_name,
        sqnr_db=sqnr_db(reference, item.values),
        max_abs_difference=largest_difference(reference, item.values),
        part=part,
        part_db=part_db,
    )


def first_collapse(
    tensors: tuple[TensorFidelity, ...], least_db: float, least_part_db: float = -math.inf
) -> str | None:
    """The first tensor whose SQNR collapses.

    Args:
        tensors: in order of execution.
        least_db: the minimum for an output.
        least_part_db: the minimum for each part of an output.

    Returns:
        The first tensor below `least_db`; when all are above, the first with a part below
        `least_part_db`; when there is none either, the one at which the SQNR falls most from the
        tensor before; None when there is nothing to compare.
    """
    if not tensors:
        return None
    for item in tensors:
        if not item.sqnr_db >= least_db:
            return item.tensor
    for item in tensors:
        if not item.part_db >= least_part_db:
            return item.tensor
    finite = [min(item.sqnr_db, 200.0) for item in tensors]
    falls = [200.0 - finite[0]] + [a - b for a, b in itertools.pairwise(finite)]
    return tensors[int(np.argmax(falls))].tensor


def divergence(
    source: LoadedModel,
    tflite: bytes,
    inputs: Mapping[str, NDArray[Any]],
    file_inputs: Mapping[str, str],
    signatures: tuple[str, str | None],
    config: Convert,
) -> tuple[tuple[TensorFidelity, ...], tuple[str, ...]]:
    """Runs the file and what it is compared with on a few examples, all tensors kept.

    Args:
        source: the model.
        tflite: the file in question.
        inputs: examples by the model's input names.
        file_inputs: the file's input name by the model's.
        signatures: the model's signature and the file's.
        config: batch and shapes of the file.

    Returns:
        The comparison, and notes when there is none.
    """
    few = {name: array[:8] for name, array in inputs.items()}
    try:
        reference = run_file(
            _beside(source, config), few, signature=signatures[0] or None, keep_tensors=True
        )
        there = {file_inputs[name]: array for name, array in few.items()}
        found = run_file(tflite, there, signature=signatures[1], keep_tensors=True)
    except SqueezeError as error:
        return (), (f"no comparison inside the file: {error}",)
    tensors = compare_tensors(reference.tensors, found.tensors)
    if not tensors:
        return (), ("no comparison inside the file: no tensor name occurs in both files",)
    return tensors, ()


def _beside(source: LoadedModel, config: Convert) -> bytes:
    """The file that another is compared with inside: a float conversion, or the source itself."""
    if source.kind is ModelKind.TFLITE:
        return bytes(source.model)
    plain = Convert(batch=config.batch, input_shapes=config.input_shapes)
    return emit(source, plain).tflite
