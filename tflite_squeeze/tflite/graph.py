"""The operators of a .tflite file, one record each."""

from typing import Any

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tflite.fields import (
    dtype_name,
    integers,
    operator_name,
    shape_of,
    text,
)
from tflite_squeeze.tflite.size import macs_of
from tflite_squeeze.tflite.weights import Weight, weights_of


class WeightRecord(Frozen):
    """A weight tensor of an operator or a layer.

    Attributes:
        name: its name in the file or the layer.
        shape: its shape.
        dtype: the type that it is stored in.
        stored_bytes: the bytes of its numbers.
        zeros: how many of its numbers represent exactly 0.
        distinct: how many different numbers it holds; 0 for packed bits.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    stored_bytes: int
    zeros: int
    distinct: int


class OperatorRecord(Frozen):
    """An operator of a file.

    Attributes:
        subgraph: the index of its subgraph; index: its own there, in order of execution.
        name: its built-in name, or the code of a custom one.
        version: the version of its kernel that the file requires.
        inputs: shapes of the inputs that are computed, -1 where a dimension is open.
        outputs: shapes of the outputs.
        dtype: the type of its first output.
        parameters: how many numbers its weights represent; weights that several operators share
            count for the first.
        weights_bytes: the bytes of its weights.
        macs: multiply-accumulates of one run; None where they are not known.
        binary_macs: those on single bits.
        weights: its weights, the largest first.
    """

    subgraph: int
    index: int
    name: str
    version: int
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    dtype: str
    parameters: int
    weights_bytes: int
    macs: int | None
    binary_macs: int
    weights: tuple[WeightRecord, ...]

    @property
    def place(self) -> str:
        """Where it is, as advice names it: CONV_2D 0:3."""
        return f"{self.name} {self.subgraph}:{self.index}"


def file_operators(model: Any) -> tuple[OperatorRecord, ...]:
    """The operators of every subgraph of a file, in order of execution.

    Args:
        model: what `read_model` returned.

    Raises:
        InputError: the data of a weight do not fill its shape.
    """
    unclaimed = {weight.buffer: weight for weight in weights_of(model)}
    return tuple(
        _record(model, subgraph, index, unclaimed)
        for subgraph, graph in enumerate(model.subgraphs)
        for index in range(len(graph.operators))
    )


def _record(model: Any, subgraph: int, index: int, unclaimed: dict[int, Weight]) -> OperatorRecord:
    """One operator, which takes the weights that it is the first to use."""
    graph = model.subgraphs[subgraph]
    operator = graph.operators[index]
    inputs = [graph.tensors[at] for at in integers(operator.inputs) if at >= 0]
    outputs = [graph.tensors[at] for at in integers(operator.outputs)]
    taken = [(tensor, unclaimed.pop(tensor.buffer, None)) for tensor in inputs]
    weights = sorted(
        ((tensor, weight) for tensor, weight in taken if weight is not None),
        key=lambda pair: -pair[1].elements,
    )
    macs = macs_of(model, subgraph, operator)
    return OperatorRecord(
        subgraph=subgraph,
        index=index,
        name=operator_name(model, operator),
        version=model.operatorCodes[operator.opcodeIndex].version,
        inputs=tuple(shape_of(one) for one in inputs if not _has_data(model, one)),
        outputs=tuple(shape_of(tensor) for tensor in outputs),
        dtype=dtype_name(outputs[0]) if outputs else "",
        parameters=sum(weight.elements for _, weight in weights),
        weights_bytes=sum(weight.stored_bytes for _, weight in weights),
        macs=None if macs is None else macs.macs,
        binary_macs=0 if macs is None else macs.binary_macs,
        weights=tuple(
            WeightRecord(
                name=text(tensor.name),
                shape=integers(tensor.shape),
                dtype=weight.dtype,
                stored_bytes=weight.stored_bytes,
                zeros=weight.zeros,
                distinct=len(weight.counts),
            )
            for tensor, weight in weights
        ),
    )


def _has_data(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0
