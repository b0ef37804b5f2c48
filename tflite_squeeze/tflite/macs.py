"""Multiply-accumulate operations per operator, as pure functions of shapes."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tflite_squeeze.tflite.fields import BUILTIN_OPERATORS

Shape = tuple[int, ...] | None  # None stands for an input that is left out

# Larq's operators that pack, unpack and compare bits.
_WITHOUT_MACS = frozenset({"LceQuantize", "LceDequantize", "LceBMaxPool2d"})
# They run other subgraphs, or what the schema does not say.
_OPAQUE = frozenset({"CALL", "CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"})


@dataclass(frozen=True, kw_only=True)
class Macs:
    """What one run of an operator multiplies and adds.

    Attributes:
        macs: multiply-accumulates on numbers.
        binary_macs: those on single bits (exclusive or, then count), of Larq's convolutions.
    """

    macs: int = 0
    binary_macs: int = 0


def operator_macs(
    name: str,
    inputs: Sequence[Shape],
    outputs: Sequence[Shape],
    *,
    transposed: bool = False,
) -> Macs | None:
    """The multiply-accumulates of one run of an operator.

    Operators that compare, move or look up have none, and neither have element-wise ones: an
    activation or an addition is counted nowhere. Sparse weights count as if they were dense.

    Args:
        name: the built-in name, or the code of a custom operator.
        inputs: shapes of the inputs in the operator's order; None where one is left out.
        outputs: shapes of the outputs.
        transposed: for BATCH_MATMUL, whether the left matrix is transposed first (`adj_x`).

    Returns:
        The count, or None where it is not known: a dimension that matters is open (-1), or the
        operator is a custom one.

    Example:
        >>> operator_macs("FULLY_CONNECTED", [(1, 784), (300, 784)], [(1, 300)]).macs
        235200
    """
    shapes = _Shapes(tuple(inputs), tuple(outputs))
    try:
        if name == "LceBconv2d":
            return Macs(binary_macs=_binary_convolution(shapes))
        if name == "BATCH_MATMUL":
            return Macs(macs=shapes.output * shapes.input(0)[-2 if transposed else -1])
        if name in _COUNTERS:
            return Macs(macs=_COUNTERS[name](shapes))
    except (_UnknownShape, IndexError):  # IndexError: fewer dimensions than the operator needs
        return None
    known = name in (BUILTIN_OPERATORS | _WITHOUT_MACS) - _OPAQUE and not name.startswith(
        "STABLEHLO_"
    )
    return Macs() if known else None


class _UnknownShape(Exception):  # noqa: N818  # not an error
    """A shape that matters is missing or open."""


@dataclass(frozen=True)
class _Shapes:
    """The shapes around an operator; asking for one that is not known raises."""

    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]

    def input(self, index: int) -> tuple[int, ...]:
        return _closed(self.inputs[index])

    @property
    def output(self) -> int:
        """The elements of the first output."""
        return math.prod(_closed(self.outputs[0]))

    @property
    def steps(self) -> int:
        """How often a recurrent operator runs its cell: batch times time."""
        return math.prod(self.input(0)[:-1])

    def elements(self, indexes: Iterable[int]) -> int:
        """The elements of those of these inputs that are there."""
        there = [self.inputs[index] for index in indexes if index < len(self.inputs)]
        return sum(math.prod(_closed(shape)) for shape in there if shape is not None)


def _closed(shape: Shape) -> tuple[int, ...]:
    if shape is None or any(size < 0 for size in shape):
        raise _UnknownShape
    return shape


def _convolution(shapes: _Shapes) -> int:
    # Weights are (out, height, width, in / groups): the last dimension knows of the groups.
    return shapes.output * math.prod(shapes.input(1)[1:])


def _depthwise(shapes: _Shapes) -> int:
    # Weights are (1, height, width, out).
    return shapes.output * shapes.input(1)[1] * shapes.input(1)[2]


def _transpose_convolution(shapes: _Shapes) -> int:
    # Every input value meets every weight of its channel: (out, height, width, in).
    return math.prod(shapes.input(2)) * math.prod(shapes.input(1)[:3])


def _fully_connected(shapes: _Shapes) -> int:
    units, depth = shapes.input(1)[0], shapes.input(1)[1]
    return math.prod(shapes.input(0)) // max(depth, 1) * units * depth


def _convolution_3d(shapes: _Shapes) -> int:
    # Weights are (depth, height, width, in, out).
    return shapes.output * math.prod(shapes.input(1)[:4])


def _transpose_convolution_3d(shapes: _Shapes) -> int:
    # Weights are (depth, height, width, out, in).
    return math.prod(shapes.input(2)) * math.prod(shapes.input(1)[:4])


def _lstm(shapes: _Shapes) -> int:
    # Either 5 inputs with all gates in one matrix, or a matrix for each gate: weights 1-4,
    # recurrent weights 5-8, peepholes 9-11, projection 16.
    gates = (2,) if len(shapes.inputs) == 5 else (*range(1, 12), 16)
    return shapes.steps * shapes.elements(gates)


def _bidirectional_lstm(shapes: _Shapes) -> int:
    forward, backward, auxiliary = (*range(1, 12), 16), (*range(18, 29), 33), range(40, 48)
    return shapes.steps * shapes.elements((*forward, *backward, *auxiliary))


def _rnn(shapes: _Shapes) -> int:
    return shapes.steps * shapes.elements((1, 2))


def _bidirectional_rnn(shapes: _Shapes) -> int:
    return shapes.steps * shapes.elements((1, 2, 5, 6, 10, 11))


def _svdf(shapes: _Shapes) -> int:
    # Feature weights (filters, in), then time weights (filters, memory).
    return shapes.input(0)[0] * shapes.elements((1, 2))


def _binary_convolution(shapes: _Shapes) -> int:
    # Weights are (out, height, width, in / 32); the output's channels may be packed too.
    image = math.prod(_closed(shapes.outputs[0])[:-1])
    return image * math.prod(shapes.input(1)) * 32


_COUNTERS: dict[str, Callable[[_Shapes], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_convolution,
    "FULLY_CONNECTED": _fully_connected,
    "CONV_3D": _convolution_3d,
    "CONV_3D_TRANSPOSE": _transpose_convolution_3d,
    "LSTM": _lstm,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _bidirectional_lstm,
    "RNN": _rnn,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _rnn,
    "BIDIRECTIONAL_SEQUENCE_RNN": _bidirectional_rnn,
    "SVDF": _svdf,
}
