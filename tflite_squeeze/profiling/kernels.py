"""The time of each operator of a file, where a delegate reports that of its own kernels.

XNNPACK's profiler names kernels, not operators of the graph. Kernels run in the order of the
operators that they were made of, and the kinds of both are known, so that the longest sequence of
pairs in order tells which kernel is which operator's. What is left are helpers of a neighbour: the
end of an activation after it, the conversion of an input before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tflite_squeeze.profiling.record import OperatorTime, OperatorTimes
from tflite_squeeze.tflite.graph import OperatorRecord

Place = tuple[int, int]

# How kernels' names begin → the operators that they are made of.
_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "Abs": ("ABS",),
    "Add": ("ADD",),
    "Average Pooling": ("AVERAGE_POOL_2D",),
    "Bankers Rounding": ("ROUND",),
    "Batch Matrix Multiply": ("BATCH_MATMUL",),
    "Ceiling": ("CEIL",),
    "Clamp": ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"),
    "Concatenate": ("CONCATENATION",),
    "Constant Pad": ("PAD", "PADV2"),
    "Convert": ("QUANTIZE", "DEQUANTIZE"),
    "Convolution": ("CONV_2D", "DEPTHWISE_CONV_2D"),
    "Copy": ("RESHAPE", "EXPAND_DIMS", "SQUEEZE", "CONCATENATION", "SPLIT"),
    "Deconvolution": ("TRANSPOSE_CONV",),
    "Depth To Space": ("DEPTH_TO_SPACE",),
    "Divide": ("DIV",),
    "Dynamic Fully Connected": ("FULLY_CONNECTED", "BATCH_MATMUL"),
    "ELU": ("ELU",),
    "Exp": ("EXP",),
    "Floor": ("FLOOR",),
    # Convolutions of 1x1 run as matrix multiplications.
    "Fully Connected": ("FULLY_CONNECTED", "CONV_2D"),
    "GELU": ("GELU",),
    "Global Average Pooling": ("MEAN", "AVERAGE_POOL_2D"),
    "HardSwish": ("HARD_SWISH",),
    "Leaky ReLU": ("LEAKY_RELU",),
    "Max Pooling": ("MAX_POOL_2D",),
    "Maximum": ("MAXIMUM",),
    "Mean": ("MEAN",),
    "Minimum": ("MINIMUM",),
    "Multiply": ("MUL",),
    "Negate": ("NEG",),
    "PReLU": ("PRELU",),
    "Reciprocal Square Root": ("RSQRT",),
    "Reduce": ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"),
    "Resize Bilinear": ("RESIZE_BILINEAR",),
    "Sigmoid": ("LOGISTIC",),
    "Slice": ("SLICE", "STRIDED_SLICE"),
    "Softmax": ("SOFTMAX",),
    "Space To Depth": ("SPACE_TO_DEPTH",),
    "Square Root": ("SQRT",),
    "Square": ("SQUARE",),
    "Squared Difference": ("SQUARED_DIFFERENCE",),
    "Static Reshape": ("RESHAPE", "EXPAND_DIMS", "SQUEEZE"),
    "Subtract": ("SUB",),
    "Tanh": ("TANH",),
    "Transpose": ("TRANSPOSE",),
}
_BEFORE_ITS_OPERATOR = "Convert"


@dataclass(frozen=True, kw_only=True)
class TimesByOperator:
    """Microseconds per run of the operators of a file.

    Attributes:
        us: by (subgraph, index of the operator).
        helpers: kernels of no operator of their own, whose time a neighbour has.
        lost: kernels whose time no operator has.
    """

    us: Mapping[Place, float]
    helpers: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def times_by_operator(times: OperatorTimes, operators: Sequence[OperatorRecord]) -> TimesByOperator:
    """Gives the time of each kernel to an operator of the file.

    Args:
        times: what was measured.
        operators: the file's, in order of execution.

    Returns:
        The times; operators that run as a part of another one have none.

    Example:
        >>> times_by_operator(record.operators, file_operators(read_model(tflite))).us[0, 1]
        5.584
    """
    us: dict[Place, float] = {}
    helpers: list[str] = []
    lost: list[str] = []
    for item in times.operators:
        if not item.delegated:
            place = (item.subgraph, item.index)
            us[place] = us.get(place, 0.0) + item.us_per_run
    for subgraph in dict.fromkeys(item.subgraph for item in times.operators if item.delegated):
        kernels = [item for item in times.operators if item.delegated and item.subgraph == subgraph]
        left = [one for one in operators
                if one.subgraph == subgraph and (subgraph, one.index) not in us]  # fmt: skip
        owners = _owners([item.name for item in kernels], [one.name for one in left])
        for at, item in enumerate(kernels):
            if owners[at] is None:
                helpers.append(item.name)
            owner = owners[at] if owners[at] is not None else _neighbour(item, at, owners)
            if owner is None:
                lost.append(item.name)
                continue
            place = (subgraph, left[owner].index)
            us[place] = us.get(place, 0.0) + item.us_per_run
    kept = tuple(name for name in helpers if name not in lost)
    return TimesByOperator(us=us, helpers=kept, lost=tuple(lost))


def _neighbour(item: OperatorTime, at: int, owners: Sequence[int | None]) -> int | None:
    """The operator that a helper belongs to: of the kernel before it, or behind a conversion."""
    before = [owner for owner in reversed(owners[:at]) if owner is not None]
    after = [owner for owner in owners[at + 1 :] if owner is not None]
    sides = (after, before) if item.name.startswith(_BEFORE_ITS_OPERATOR) else (before, after)
    return next((side[0] for side in sides if side), None)


def _owners(kernels: Sequence[str], operators: Sequence[str]) -> list[int | None]:
    """The operator of each kernel by the longest sequence of pairs in order.

    Args:
        kernels: names in order of execution.
        operators: names in order of execution.

    Returns:
        Positions in `operators`; None for kernels without one.
    """
    longest = [[0] * (len(operators) + 1) for _ in range(len(kernels) + 1)]
    for row in reversed(range(len(kernels))):
        for column in reversed(range(len(operators))):
            paired = longest[row + 1][column + 1] + 1
            longest[row][column] = max(
                longest[row + 1][column],
                longest[row][column + 1],
                paired if _fits(kernels[row], operators[column]) else 0,
            )
    owners: list[int | None] = [None] * len(kernels)
    row = column = 0
    while row < len(kernels) and column < len(operators):
        here = longest[row][column]
        if _fits(kernels[row], operators[column]) and here == longest[row + 1][column + 1] + 1:
            owners[row] = column
            row, column = row + 1, column + 1
        elif here == longest[row + 1][column]:
            row += 1
        else:
            column += 1
    return owners


def _fits(kernel: str, operator: str) -> bool:
    """Whether a kernel may be made of an operator, by the first words of its name."""
    if kernel.endswith("DWConv"):
        return operator == "DEPTHWISE_CONV_2D"
    return operator in _MADE_OF.get(kernel.partition(" (")[0], ())
