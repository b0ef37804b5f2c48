"""Kernels rounded and biases corrected layer by layer, each behind those that are done.

The quantized network runs beside its float original on the same samples. What rounding and clipping
shift on average is put into the bias, y being what a layer answers before its activation:

    b += E[y] - E[ŷ]

Reference: Nagel et al. 2019, arXiv:1906.04721, section 4.2 and appendix D, for the bias; for
kernels see `rounding`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.calibration.quantized_run import (
    QuantizedRun,
    kernel_on_grid,
    quantized_kernels,
)
from tflite_squeeze.emission.calibration.rounding import compensated
from tflite_squeeze.emission.calibration.weight_scales import as_columns, largest, least_error
from tflite_squeeze.network.graph import Node, graph_of
from tflite_squeeze.network.least_squares import rows
from tflite_squeeze.network.quantization.folding import is_depthwise
from tflite_squeeze.network.quantization.kept import values_shared
from tflite_squeeze.network.quantization.plan import QuantizationPlan, WeightQuantization
from tflite_squeeze.network.quantization.twin import kernel_name
from tflite_squeeze.network.rewriting import copy_of
from tflite_squeeze.network.running import DEPTHWISE, SOLVED, Running, samples_that_fit

Array = NDArray[Any]

# Kernels that a file holds with scales other than those of their greatest weights.
FREE_SCALES = ("Dense", "Conv1D", "Conv2D", *DEPTHWISE)
_PLACES = 64  # of an image, at random
_BATCH = 64
_WIDEST = 8192  # rows: a larger matrix of moments would take more than half a gigabyte


@dataclass(frozen=True, kw_only=True)
class Adjusted:
    """A network whose kernels are on their grids.

    Attributes:
        model: a copy of the given one.
        plan: with the scales of its kernels.
        rounded: names of the layers whose kernels were rounded with compensation.
        corrected: names of the layers whose biases were corrected.
        left: "layer: reason" for layers whose kernels are rounded to the nearest.
    """

    model: Any
    plan: QuantizationPlan
    rounded: tuple[str, ...]
    corrected: tuple[str, ...]
    left: tuple[str, ...]


def adjusted(
    model: Any,
    plan: QuantizationPlan,
    samples: Mapping[str, Array],
    *,
    rounding: bool = True,
    bias: bool = True,
    alone: bool = False,
    seed: int = 0,
) -> Adjusted:
    """Puts the kernels of a network on their grids, and corrects its biases.

    Args:
        model: what `folded` returned, in float.
        plan: all ranges known; scales of kernels may be open.
        samples: by the name of the input, (N, ...); no labels are needed. As many are used as
            fit into memory at once.
        rounding: whether kernels are rounded with compensation, or to the nearest.
        bias: whether biases are corrected.
        alone: whether each kernel makes up for its own rounding as if all else was in float, to
            be tried by itself; else for that of the layers before it, too.
        seed: of the places that are looked at.

    Returns:
        A copy that computes in its plan what the file will.
    """
    graph = graph_of(model)
    count = samples_that_fit(graph)
    some = {name: values[:count] for name, values in samples.items()}
    made = copy_of(model)
    work = _Adjusting(Running(graph, model, some), made, plan, some, seed)
    return work.run(rounding=rounding, bias=bias, alone=alone)


@dataclass
class _Adjusting:
    """The two networks, and what was done so far."""

    original: Running
    made: Any
    plan: QuantizationPlan
    samples: Mapping[str, Array]
    seed: int
    rounded: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        graph = graph_of(self.made)
        self.running = QuantizedRun(graph, self.made, self.samples, plan=self.plan)
        self.kernels = quantized_kernels(self.made, self.plan)
        self.scales: dict[str, WeightQuantization] = {}
        self.random = np.random.default_rng(self.seed)
        self.once = {nodes[0].name for nodes in graph.calls().values() if len(nodes) == 1}

    def run(self, *, rounding: bool, bias: bool, alone: bool) -> Adjusted:
        put_aside: dict[str, tuple[Any, list[Array]]] = {}
        for name, node in self.running.graph.nodes.items():
            before = self.original.graph.nodes[name]
            if node.layer in self.kernels and node.layer == node.name:
                self._put_on_grid(node, rounding=rounding)
                if bias:
                    self._correct(node, self.original.before_activation(before))
                if alone:
                    put_aside[node.layer] = node.source, node.source.get_weights()
                    node.source.set_weights(before.source.get_weights())
            for side, one in ((self.original, before), (self.running, node)):
                side.run(one)
                side.forget(one)
        for layer, weights in put_aside.values():
            layer.set_weights(weights)
        return Adjusted(
            model=self.made,
            plan=self.plan.model_copy(update={"weights": {**self.plan.weights, **self.scales}}),
            rounded=tuple(self.rounded),
            corrected=tuple(self.corrected),
            left=tuple(self.left),
        )

    def _put_on_grid(self, node: Node, *, rounding: bool) -> None:
        weight = self.kernels[node.layer][1]
        kernel, *rest = node.source.get_weights()
        scale = scales_of(node, kernel, weight)
        weight = weight.model_copy(update={"scale": tuple(float(one) for one in scale)})
        self.scales[kernel_name(node.layer)] = weight
        reason = self._why_nearest(node, kernel) if rounding else ""
        if reason:
            self.left.append(f"{node.layer}: {reason}")
        if rounding and not reason:
            kernel = self._compensated(node, kernel, scale, weight.levels).astype(kernel.dtype)
            self.rounded.append(node.layer)
        node.source.set_weights([kernel_on_grid(node, kernel, weight), *rest])

    def _why_nearest(self, node: Node, kernel: Array) -> str:
        if node.kind not in FREE_SCALES or not node.plain_call:
            return f"the inputs of its kernel are not known row by row ({node.kind})"
        if node.name not in self.once:
            return "it is called several times"
        if getattr(node.source, "groups", 1) not in (1, None):
            return "its convolution has groups"
        if node.kind in SOLVED and kernel.size // kernel.shape[-1] > _WIDEST:
            return f"its kernel has more than {_WIDEST} inputs"
        if values := values_shared(kernel):
            return f"its weights share {values} values, which stay shared"
        return ""

    def _compensated(self, node: Node, kernel: Array, scale: Array, levels: int) -> Array:
        given = self.running.array(node.inputs[0])
        if node.kind in SOLVED:
            matrix = kernel.reshape(-1, kernel.shape[-1])
            found = compensated(matrix, self._moments(node, given), scale, levels)
            return found.reshape(kernel.shape)
        taps = kernel.reshape(-1, *kernel.shape[-2:]).transpose(1, 0, 2)
        steps = np.broadcast_to(scale, kernel.shape[-2] * kernel.shape[-1])
        found = compensated(
            taps, self._moments(node, given), steps.reshape(kernel.shape[-2:]), levels
        )
        return found.transpose(1, 0, 2).reshape(kernel.shape)

    def _moments(self, node: Node, given: Array) -> Array:
        """E[x xᵀ] of what the kernel sees; of a depthwise one for each channel."""
        total: Any = 0.0
        for start in range(0, len(given), _BATCH):
            part = given[start : start + _BATCH]
            seen = rows(node.source, part, _PLACES, self.random).astype(np.float64)
            if seen.ndim == 3:
                seen = seen.transpose(2, 0, 1)
            total = total + seen.swapaxes(-1, -2) @ seen / (len(given) * _PLACES)
        return np.asarray(total)

    def _correct(self, node: Node, wanted: Array) -> None:
        if node.name not in self.once or not getattr(node.source, "use_bias", False):
            return
        shift = mean_shift(wanted, self.running.before_activation(node))
        kernel, bias = node.source.get_weights()
        node.source.set_weights([kernel, bias + shift])
        self.corrected.append(node.layer)


def mean_shift(wanted: Array, found: Array) -> Array:
    """What is missing in each channel on average.

    Args:
        wanted: (N, ..., channels).
        found: of the same shape.

    Returns:
        (channels,).

    Example:
        >>> mean_shift(np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[1.0, 0.0], [1.0, 2.0]]))
        array([1., 1.])
    """
    axes = tuple(range(wanted.ndim - 1))
    return np.asarray(np.mean(np.subtract(wanted, found, dtype=np.float64), axis=axes))


def scales_of(node: Node, kernel: Array, weight: WeightQuantization) -> Array:
    """The scales of a kernel: those of its plan, else from its greatest magnitudes, (channels,)."""
    if weight.scale is not None:
        return np.asarray(weight.scale)
    depthwise = is_depthwise(node.kind)
    return largest(as_columns(kernel, weight.axis, depthwise=depthwise), weight.levels)


def with_clipped_kernels(model: Any, plan: QuantizationPlan) -> QuantizationPlan:
    """A plan whose open scales are those of the least error of the weights.

    Args:
        model: what `folded` returned.
        plan: which kernels, and to how many bits.
    """
    weights = dict(plan.weights)
    for name, (node, weight) in quantized_kernels(model, plan).items():
        if weight.scale is None and node.kind in FREE_SCALES:
            depthwise = is_depthwise(node.kind)
            columns = as_columns(node.source.get_weights()[0], weight.axis, depthwise=depthwise)
            scale = tuple(float(one) for one in least_error(columns, weight.levels))
            weights[kernel_name(name)] = weight.model_copy(update={"scale": scale})
    return plan.model_copy(update={"weights": weights})
