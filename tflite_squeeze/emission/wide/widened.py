"""Activations of 16 bits in a file that the converter made with 8.

TensorFlow's converter gives 16 bits to all activations of a file or to none, and reads no trained
ranges of 16 bits. So it is told steps that no range of 8 bits has, `COARSER` than those of 16, and
makes a file of 8 bits. Here the tensors with these steps get the integers of 16 bits, constants and
biases anew from their real values, and QUANTIZE operators stand between 8 bits and 16.
"""

import copy
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.emission.wide.constants import FloatConstants
from tflite_squeeze.emission.wide.operators import (
    BIASES,
    FIXED_STEP,
    FIXED_STEPS,
    QUANTIZE,
    VERSIONS,
    WEIGHTS,
)
from tflite_squeeze.errors import UnsupportedError, UsageError
from tflite_squeeze.network.quantization.fake import COARSER
from tflite_squeeze.tflite.edits import (
    new_buffer,
    new_operator,
    new_tensor,
    operator_code,
    place_of,
)
from tflite_squeeze.tflite.fields import dtype_name, integers, scales_of, text, zero_points_of
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.structure import MOVED_INPUTS
from tflite_squeeze.tflite.tensor_values import tensor_values

Array = NDArray[Any]

_MOST = 32767
# Integers of 8 bits are at most 255 from their zero point, and 255 x 128 is an integer of 16.
_FINER = 128
# The converter computes a scale from the two ends of a range, in float32.
_APART = 1e-6
# They take both types.
_BETWEEN = frozenset({"QUANTIZE", "DEQUANTIZE"})


def with_wide_activations(
    tflite: bytes, steps: Collection[float], in_float: bytes, named: Collection[str] = ()
) -> bytes:
    """Gives activations their 16 bits.

    Args:
        tflite: an int8 file, in which those activations have a zero point of 0 and steps that are
            `COARSER` than those of 16 bits.
        steps: those of 16 bits.
        in_float: the file in float, for constants and biases that are finer than in 8 bits.
        named: tensors that get 16 bits even where a function has put them out in the steps that it
            fixes for 8.

    Returns:
        The file. An operator computes in 16 bits if something that it reads or puts out has 16;
        what it reads and puts out in 8 is converted before and behind it.

    Raises:
        UnsupportedError: an operator has no kernel for 16 bits.
        InputError: the file is damaged.

    Example:
        >>> wide = with_wide_activations(tflite, [6 / 32767], in_float)
    """
    if not steps and not named:
        return tflite
    known = {*steps, FIXED_STEP} if named else {*steps}
    model, wanted = read_model(tflite), np.asarray(sorted(known), np.float64)
    constants = FloatConstants(in_float)
    for subgraph in range(len(model.subgraphs)):
        _put_out_at_once(Links(model, subgraph))
        _with_fixed_steps(Links(model, subgraph), named)
        _Widening(model, Links(model, subgraph), wanted, constants).run()
    return pack_model(model)


def refuse_wide_ends(tflite: bytes, io_dtype: str) -> None:
    """Refuses inputs and outputs of 16 bits where they are to be bytes.

    Args:
        tflite: what `with_wide_activations` returned.
        io_dtype: the type of inputs and outputs that was asked for.

    Raises:
        UsageError: one of them has 16 bits.
    """
    if io_dtype == "float32":
        return
    for graph in read_model(tflite).subgraphs[:1]:
        for tensor in (*integers(graph.inputs), *integers(graph.outputs)):
            if dtype_name(graph.tensors[tensor]) == "int16":
                raise UsageError(
                    f"--io-dtype {io_dtype}, and {text(graph.tensors[tensor].name)!r} has "
                    f"activations of 16 bits: leave --io-dtype out, or give inputs and outputs 8"
                )


def _wide_step(tensor: Any, steps: Array) -> float | None:
    """The step of 16 bits that a tensor of 8 stands for, if any."""
    scales = scales_of(tensor)
    if dtype_name(tensor) != "int8" or len(scales) != 1 or zero_points_of(tensor)[0]:
        return None
    apart = np.abs(steps * COARSER / scales[0] - 1)
    nearest = int(np.argmin(apart))
    return float(steps[nearest]) if apart[nearest] < _APART else None


def _put_out_at_once(links: Links) -> None:
    """Takes out what stands between a function with fixed steps and these in 16 bits.

    The converter lets it put out 8 bits, in the fixed steps of 8, and a QUANTIZE behind it 16.
    """
    operators, fixed = list(links.graph.operators), np.asarray([FIXED_STEP])
    producer, readers = links.producer, links.readers  # before operators are taken out
    for operator, name in zip(operators, links.names, strict=True):
        if name != "QUANTIZE":
            continue
        before, after = int(operator.inputs[0]), int(operator.outputs[0])
        source = producer.get(before)
        if source is None or links.names[source] not in FIXED_STEPS:
            continue
        single = len(readers[before]) == 1 and before not in links.ends
        if single and _wide_step(links.graph.tensors[after], fixed) is not None:
            operators[source].outputs = np.asarray([after], np.int32)
            links.graph.operators.remove(operator)


def _with_fixed_steps(links: Links, named: Collection[str]) -> None:
    """Gives what functions with fixed steps put out, by name, those of 16 bits."""
    for tensor, operator in links.producer.items():
        about = links.graph.tensors[tensor]
        if links.names[operator] not in FIXED_STEPS:
            continue
        # An output's own name is that of what a DEQUANTIZE makes of it.
        behind = [at for at in links.readers.get(tensor, []) if links.names[at] == "DEQUANTIZE"]
        alike = (tensor, *(links.outputs(at)[0] for at in behind))
        if {text(links.graph.tensors[one].name) for one in alike} & set(named):
            about.quantization = schema.QuantizationParametersT(
                scale=np.asarray([FIXED_STEP * COARSER], np.float32),
                zeroPoint=np.zeros(1, np.int64),
            )


@dataclass
class _Widening:
    """A subgraph on its way to 16 bits.

    Attributes:
        model: the schema's object model.
        links: the subgraph as it was.
        steps: those of 16 bits.
        constants: in float.
        wide: tensors that stand for these.
        converted: by a tensor of 8 bits, the one of 16 with the same numbers.
    """

    model: Any
    links: Links
    steps: Array
    constants: FloatConstants
    wide: frozenset[int] = frozenset()
    converted: dict[int, int] = field(default_factory=dict)

    def run(self) -> None:
        """Widens what has these steps, and the operators around."""
        graph, names = self.links.graph, self.links.names
        operators = list(graph.operators)
        # Which also finds out what computes what, before operators are added.
        self.wide = frozenset(at for at in range(len(graph.tensors)) if self._is_wide(at))
        around = [at for at in range(len(operators)) if self._computes_wide(at)]
        for at in around:
            if names[at] not in VERSIONS:
                raise self._refusal(names[at], operators[at])
        for tensor in self.wide:
            about = graph.tensors[tensor]
            _set(about, _wide_step(about, self.steps) or 0.0)
        for at in around:
            self._widen(operators[at], names[at])

    def _is_wide(self, tensor: int) -> bool:
        about = self.links.graph.tensors[tensor]
        return _wide_step(about, self.steps) is not None and not self.links.is_constant(tensor)

    def _computes_wide(self, operator: int) -> bool:
        ends = {*self.links.inputs(operator), *self.links.outputs(operator)}
        return self.links.names[operator] not in _BETWEEN and not self.wide.isdisjoint(ends)

    def _refusal(self, name: str, operator: Any) -> UnsupportedError:
        output = text(self.links.graph.tensors[int(operator.outputs[0])].name)
        return UnsupportedError(
            f"the runtime has no {name} for activations of 16 bits, which "
            f"would compute {output.partition(';')[0]!r}: give what it reads and puts out 8 bits, "
            f"or leave it in float"
        )

    def _widen(self, operator: Any, name: str) -> None:
        """Gives an operator 16 bits on all sides."""
        finer = COARSER
        given = list(integers(operator.inputs))
        for slot, tensor in enumerate(given):
            if tensor < 0 or slot in WEIGHTS.get(name, ()):
                continue
            if slot == BIASES.get(name):
                given[slot] = self._bias(tensor, finer)
            elif self.links.is_constant(tensor):
                given[slot] = self._constant(tensor, name)
            elif self._is_narrow(tensor):
                given[slot] = self._converted(operator, tensor)
                finer = _FINER
        puts_out = [self._output(operator, name, one) for one in integers(operator.outputs)]
        operator.inputs = np.asarray(given, np.int32)
        operator.outputs = np.asarray(puts_out, np.int32)
        code = self.model.operatorCodes[operator.opcodeIndex]
        operator.opcodeIndex = operator_code(self.model, name, max(VERSIONS[name], code.version))
        if hasattr(operator.builtinOptions, "potScaleInt16"):
            operator.builtinOptions.potScaleInt16 = False

    def _is_narrow(self, tensor: int) -> bool:
        return dtype_name(self.links.graph.tensors[tensor]) == "int8"

    def _converted(self, operator: Any, tensor: int) -> int:
        """A tensor of 8 bits in 16, without loss."""
        if tensor not in self.converted:
            scale = float(scales_of(self.links.graph.tensors[tensor])[0])
            self.converted[tensor] = self._alike(tensor, scale / _FINER)
            graph, ends = self.links.graph, (tensor, self.converted[tensor])
            graph.operators.insert(place_of(graph, operator), self._quantize(*ends))
        return self.converted[tensor]

    def _output(self, operator: Any, name: str, tensor: int) -> int:
        """What an operator puts out in 16 bits for a tensor of 8."""
        if not self._is_narrow(tensor):
            return tensor
        graph, about = self.links.graph, self.links.graph.tensors[tensor]
        scale, point = float(scales_of(about)[0]), int(zero_points_of(about)[0])
        step = max(127 - point, 128 + point) * scale / _MOST
        if name in FIXED_STEPS:
            step = FIXED_STEP
        elif name in MOVED_INPUTS:
            step = scale / _FINER  # that of what it takes
        new = self._alike(tensor, step)
        graph.operators.insert(place_of(graph, operator) + 1, self._quantize(new, tensor))
        return new

    def _alike(self, tensor: int, step: float) -> int:
        """A tensor of 16 bits of another's shape."""
        graph, about = self.links.graph, self.links.graph.tensors[tensor]
        new = new_tensor(graph, tensor, integers(about.shape))
        graph.tensors[new].shapeSignature = about.shapeSignature
        _set(graph.tensors[new], step)
        return new

    def _quantize(self, before: int, after: int) -> Any:
        options = schema.QuantizeOptionsT()
        return new_operator(self.model, "QUANTIZE", [before], [after], options, version=QUANTIZE)

    def _constant(self, tensor: int, name: str) -> int:
        """A constant in 16 bits."""
        about = self.links.graph.tensors[tensor]
        if dtype_name(about) != "int8":
            return tensor
        scale, point = float(scales_of(about)[0]), int(zero_points_of(about)[0])
        stored = np.asarray(tensor_values(self.model, self.links.subgraph, tensor), np.int64)
        real = self.constants.nearest((stored - point) * scale, scale)
        step = _wide_step(about, self.steps) or scale / _FINER  # of what is moved with it
        if name not in MOVED_INPUTS:
            step = float(np.abs(real).max()) / _MOST or step
        new = self._alike(tensor, step)
        codes = np.clip(np.rint(real / np.float64(np.float32(step))), -_MOST, _MOST)
        self.links.graph.tensors[new].buffer = new_buffer(self.model, codes.astype(np.int16))
        self.links.graph.tensors[new].name = about.name
        return new

    def _bias(self, tensor: int, finer: int) -> int:
        """A bias as int64, in steps that are finer as those of the input became."""
        graph = self.links.graph
        values = tensor_values(self.model, self.links.subgraph, tensor)
        if values is None or dtype_name(graph.tensors[tensor]) != "int32":
            return tensor
        about = copy.copy(graph.tensors[tensor])
        steps = scales_of(about).astype(np.float64)
        real = self.constants.nearest(np.asarray(values) * steps, steps)
        about.type = schema.TensorType.INT64
        about.quantization = copy.copy(about.quantization)
        about.quantization.scale = (steps / finer).astype(np.float32)
        about.buffer = new_buffer(self.model, np.rint(real / (steps / finer)).astype(np.int64))
        graph.tensors.append(about)
        return len(graph.tensors) - 1


def _set(tensor: Any, step: float) -> None:
    """Makes a tensor one of 16 bits."""
    tensor.type = schema.TensorType.INT16
    tensor.quantization = schema.QuantizationParametersT(
        scale=np.asarray([step], np.float32), zeroPoint=np.zeros(1, np.int64)
    )
