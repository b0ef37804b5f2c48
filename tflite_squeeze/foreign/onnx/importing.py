"""From an ONNX file to a checked Keras model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_squeeze.foreign.onnx.attention import with_attention
from tflite_squeeze.foreign.onnx.building import build
from tflite_squeeze.foreign.onnx.checking import Agreement, Reference, check
from tflite_squeeze.foreign.onnx.fusion import fused
from tflite_squeeze.foreign.onnx.graph import plain_graph
from tflite_squeeze.foreign.onnx.reading import read_onnx
from tflite_squeeze.foreign.onnx.registry import check_known
from tflite_squeeze.foreign.onnx.tracing import trace

TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An input or an output of the file, and of the Keras model.

    Attributes:
        onnx_name: in the file.
        onnx_shape: there, at batch 1.
        name: in the Keras model.
        shape: there, without the batch.
        axes: the ONNX axis that each of these axes is.
    """

    onnx_name: str
    onnx_shape: tuple[int, ...]
    name: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def moved(self) -> bool:
        """Whether the axes are in another order than in the file, as channels that come last."""
        return list(self.axes) != sorted(self.axes)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An ONNX model as a Keras model.

    Attributes:
        model: the Keras model.
        agreement: how far it is from the file.
        nodes: how many operators the file has.
        opset: of the file.
        inputs: the inputs, in order.
        outputs: the outputs, in order.
        way: how the file came about, where it was not given.
        origin: where its shapes are as the record says.
    """

    model: Any
    agreement: Agreement
    nodes: int
    opset: int
    inputs: tuple[Endpoint, ...]
    outputs: tuple[Endpoint, ...]
    way: str = ""
    origin: str = "the ONNX file"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a report says of the import."""
        batches = " and ".join(map(str, self.agreement.batches))
        exported = f", {self.way}" if self.way else ""
        told = [
            f"rebuilt from {self.nodes} ONNX operators{exported}; the largest difference to "
            f"{self.agreement.evaluator} at batches {batches} is {self.agreement.largest:.1e} of "
            f"the largest output"
        ]
        told += [
            f"{end.name!r} is {list(end.shape)} here and {list(end.onnx_shape)} in {self.origin}: "
            f"its channels are last"
            for end in (*self.inputs, *self.outputs)
            if end.moved
        ]
        return tuple(told)


def import_onnx(
    path: Path,
    *,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    tolerance: float = TOLERANCE,
    reference: Reference | None = None,
    name: str | None = None,
) -> Imported:
    """Rebuilds an ONNX model of Keras 3 layers, channels last, and compares the two.

    Args:
        path: the file; weights beside it are found.
        input_shapes: full shapes of inputs that the file leaves open beside the batch.
        tolerance: the largest difference, relative to the largest value of an output.
        reference: what the model is compared with; the file where None.
        name: of the Keras model; the file's where None.

    Raises:
        InputError: the file is damaged.
        UnsupportedError: it has operators that no layer computes.
        CheckFailed: the models differ by more than the tolerance.

    Example:
        >>> import_onnx(Path("model.onnx")).model.name
        'model'
    """
    model = read_onnx(path)
    graph = plain_graph(model, input_shapes or {})
    check_known(graph)
    traced = trace(graph)
    built = build(with_attention(fused(graph, traced), traced), traced, name or path.stem)
    agreement = check(graph, built, tolerance, reference)
    starts = [
        (each.name, each.shape, built.inputs[each.name], tensor.name)
        for each, tensor in zip(graph.inputs, built.model.inputs, strict=True)
    ]
    ends = [
        (name, value.shape, value.axes, called)
        for name, value, called in zip(
            graph.outputs, built.outputs, built.model.output_names, strict=True
        )
    ]
    return Imported(
        model=built.model,
        agreement=agreement,
        nodes=len(graph.nodes),
        opset=graph.opset,
        inputs=tuple(_endpoint(*each) for each in starts),
        outputs=tuple(_endpoint(*each) for each in ends),
    )


def _endpoint(
    onnx_name: str, onnx_shape: tuple[int, ...], axes: tuple[int, ...], name: str
) -> Endpoint:
    shape = tuple(onnx_shape[axis] for axis in axes)
    return Endpoint(onnx_name=onnx_name, onnx_shape=onnx_shape, name=name, shape=shape, axes=axes)
