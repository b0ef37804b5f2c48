"""Fills the ranges that a plan leaves open, from what a network's tensors are on samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.calibration.histogram import Histogram
from tflite_squeeze.emission.calibration.quantized_run import batches_of
from tflite_squeeze.emission.calibration.ranges import METHODS, Method
from tflite_squeeze.network.graph import Value, graph_of
from tflite_squeeze.network.quantization.plan import ActivationQuantization, QuantizationPlan
from tflite_squeeze.network.quantization.twin import plan_for
from tflite_squeeze.network.running import Running, samples_that_fit

Array = NDArray[Any]

_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a network's tensors were on samples.

    Attributes:
        histograms: of the activations of a plan, by their names there.
        greatest: the greatest magnitude of each channel of every node's output, by the name of
            the node, (channels,).
        count: how many samples there were.
    """

    histograms: dict[str, Histogram]
    greatest: dict[str, Array]
    count: int


def observe(model: Any, samples: Mapping[str, Array], plan: QuantizationPlan) -> Observed:
    """Runs a network once and looks at its tensors.

    Args:
        model: what `folded` returned, of either version of Keras.
        samples: by the name of the input, (N, ...), preprocessed; no labels are needed.
        plan: names the activations.

    Returns:
        Histograms, whose size does not depend on the number of samples.

    Raises:
        InputError: a tensor is NaN or infinite.
    """
    graph = graph_of(model)
    histograms = {name: Histogram(name) for name in plan.activations}
    greatest: dict[str, Array] = {}
    count = 0
    for batch in batches_of(samples, samples_that_fit(graph, _BATCH)):
        running = Running(graph, model, batch)
        count += len(next(iter(batch.values())))
        for node in graph.nodes.values():
            running.run(node)
            value = Value(node.name)
            if node.layer in histograms:
                histograms[node.layer].add(running.array(value))
            if len(node.tensors) == 1 and len(node.shapes[0] or ()) > 1:
                seen = np.abs(_rows(running.array(value))).max(axis=0)
                greatest[node.name] = np.maximum(seen, greatest.get(node.name, 0.0))
            running.forget(node)
    return Observed(histograms=histograms, greatest=greatest, count=count)


def _rows(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1])


def filled(plan: QuantizationPlan, observed: Observed, method: Method) -> QuantizationPlan:
    """A plan with a range for each activation that has none.

    Args:
        plan: given ranges, and activations in float, stay as they are.
        observed: what `observe` returned for it.
        method: how ranges are chosen; see `ranges`.
    """
    activations = {
        name: _with_range(point, observed.histograms[name], method)
        for name, point in plan.activations.items()
    }
    return plan.model_copy(update={"activations": activations})


def _with_range(
    point: ActivationQuantization, values: Histogram, method: Method
) -> ActivationQuantization:
    if point.bits is None or point.low is not None:
        return point
    low, high = METHODS[method](values, point.bits)
    return ActivationQuantization(bits=point.bits, low=low, high=high)


def calibrated(
    model: Any,
    samples: Mapping[str, Array],
    method: Method = "mse",
    plan: QuantizationPlan | None = None,
) -> QuantizationPlan:
    """A plan whose ranges are all known.

    Args:
        model: what `folded` returned, of either version of Keras.
        samples: by the name of the input, (N, ...), preprocessed; no labels are needed.
        method: "minmax", "percentile", "entropy", or "mse" for the least squared error, activation
            by activation.
        plan: ranges that it gives stay; by default, 8 bits for all.

    Returns:
        The plan. Outputs of softmax, sigmoid and tanh have the ranges that the runtime fixes.

    Raises:
        InputError: an activation is NaN or infinite on the samples.

    Example:
        >>> plan = calibrated(folded(model), {"image": images}, "mse")
    """
    plan = plan_for(model) if plan is None else plan
    return filled(plan, observe(model, samples, plan), method)
