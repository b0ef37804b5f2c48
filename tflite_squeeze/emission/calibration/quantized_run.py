"""A folded network run as its quantized file computes: kernels and activations on their grids.

Nothing is built anew, so that many plans can be tried.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import INPUT, Node, Value, graph_of
from tflite_squeeze.network.quantization.fake import (
    fake_activation,
    fake_weights,
    largest_magnitudes,
)
from tflite_squeeze.network.quantization.folding import OUTPUT_AXES, is_depthwise
from tflite_squeeze.network.quantization.plan import QuantizationPlan, WeightQuantization
from tflite_squeeze.network.quantization.twin import kernel_name
from tflite_squeeze.network.running import Running

Array = NDArray[Any]

BATCH = 64


@dataclass
class QuantizedRun(Running):
    """A network whose activations are rounded where a plan has a range for them.

    Kernels are those that the model has: see `kernels_on_grid`.

    Attributes:
        plan: the ranges, by the name of the layer that puts the activation out.
    """

    plan: QuantizationPlan = field(default_factory=QuantizationPlan)

    def __post_init__(self) -> None:
        super().__post_init__()
        for node in self.graph.nodes.values():
            if node.kind == INPUT:
                self._round(node)

    def run(self, node: Node) -> Array | None:
        """As in `Running`; what other nodes get is rounded."""
        before = super().run(node)
        self._round(node)
        return before

    def _round(self, node: Node) -> None:
        point = self.plan.activations.get(node.layer)
        if point is None or point.scale is None or point.bits is None:
            return
        value = Value(node.name)
        self.values[value] = fake_activation(self.values[value], point.low, point.high, point.bits)


def quantized_kernels(
    model: Any, plan: QuantizationPlan
) -> dict[str, tuple[Node, WeightQuantization]]:
    """The nodes whose kernels a plan quantizes, by the name of the layer, each layer once."""
    found: dict[str, tuple[Node, WeightQuantization]] = {}
    for node in graph_of(model).nodes.values():
        weight = plan.weights.get(kernel_name(node.layer))
        if node.kind in OUTPUT_AXES and weight is not None and weight.bits is not None:
            found.setdefault(node.layer, (node, weight))
    return found


@contextmanager
def kernels_on_grid(model: Any, plan: QuantizationPlan) -> Iterator[None]:
    """Within it, a model's kernels are those that its quantized file has.

    Args:
        model: what `folded` returned.
        plan: bits, axes and scales of its kernels.
    """
    kept = []
    try:
        for node, weight in quantized_kernels(model, plan).values():
            kernel, *rest = node.source.get_weights()
            kept.append((node.source, [kernel, *rest]))
            node.source.set_weights([kernel_on_grid(node, kernel, weight), *rest])
        yield
    finally:
        for layer, weights in kept:
            layer.set_weights(weights)


def kernel_on_grid(node: Node, kernel: Array, weight: WeightQuantization) -> Array:
    """A kernel rounded to the nearest of its grid.

    Args:
        node: of its layer.
        kernel: float32.
        weight: what it is quantized to.
    """
    depthwise = is_depthwise(node.kind)
    if weight.scale is None:
        largest = np.asarray(largest_magnitudes(kernel, weight, depthwise=depthwise))
    else:
        largest = np.asarray(weight.scale, np.float32) * weight.levels
        largest = largest if weight.axis is not None else largest[0]
    return np.asarray(fake_weights(kernel, weight, largest, depthwise=depthwise))


def quantized_answers(
    model: Any, plan: QuantizationPlan, inputs: Mapping[str, Array]
) -> list[Array]:
    """What the quantized file of a network answers, computed in float.

    Args:
        model: what `folded` returned.
        plan: its grids and ranges; what has none stays in float.
        inputs: samples by the name of the input, (N, ...).

    Returns:
        The outputs, one after the other, (N, ...).

    Example:
        >>> answers = quantized_answers(network, plan, {"image": samples})
    """
    graph = graph_of(model)
    parts: list[Sequence[Array]] = []
    with kernels_on_grid(model, plan):
        for batch in batches_of(inputs):
            running = QuantizedRun(graph, model, batch, plan=plan)
            for node in graph.nodes.values():
                running.run(node)
                running.forget(node)
            parts.append(running.outputs())
    return [np.concatenate(one) for one in zip(*parts, strict=True)]


def batches_of(inputs: Mapping[str, Array], size: int = BATCH) -> Iterator[dict[str, Array]]:
    """Samples by the name of the input, some at a time."""
    count = len(next(iter(inputs.values())))
    for start in range(0, count, size):
        yield {name: values[start : start + size] for name, values in inputs.items()}
