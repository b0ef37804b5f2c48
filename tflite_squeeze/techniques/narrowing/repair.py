"""What a cut costs is won back without training: each layer is solved anew, by least squares.

The narrower network and the original one are run side by side on the same samples, node by node.
Where a layer's inputs are not what they were, its weights become those that come closest to what
the original layer put out before its activation,

    min over W, b of  ‖X W + b - Y‖² + λ · mean diagonal of XᵀX · ‖W - W₀‖²,

with X the inputs in the narrower network, which has been solved up to there, Y the original's
pre-activations in the channels that stay, and W₀ the weights that the cut left. Where the layer
ends in an addition, Y makes up for what the other branches lost. Batch normalisation gets the mean
and variance that are measured, and gamma and beta such that it computes what it did.

Reference: He et al. 2017, arXiv:1707.06168, section 3.2, for a layer alone; here each is solved
behind those that were solved before it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.forward import computes
from tflite_squeeze.network.graph import Node, Value, graph_of
from tflite_squeeze.network.least_squares import (
    NormalEquations,
    paired_rows,
    places_of,
    ridge,
    ridge_depthwise,
)
from tflite_squeeze.network.running import DEPTHWISE, SOLVED, Running, activation_of

Array = NDArray[Any]

# Prototypes on two networks: more samples win little, less ridge makes small samples fit noise.
RIDGE = 1e-2
_PLACES = 64  # of an image, at random
_FEW_PLACES = 16  # where a channel has weights for its own taps alone
_FLOOR = 1e-4  # of the old variance, below which a channel counts as constant
_RIGID = 1e9  # a ridge at which weights stay what they are
_LEAST_SCALE = 1e-3  # of a normalisation, below which nothing can be made up for through it
_BATCH = 128
_SUMS = ("Add",)


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """What a repair did.

    Attributes:
        layers: names of those whose weights were solved.
        normalizations: names of those whose statistics were measured.
        samples: how many were used.
        left: names of layers whose inputs changed and that could not be solved.
    """

    layers: tuple[str, ...]
    normalizations: tuple[str, ...]
    samples: int
    left: tuple[str, ...]


def repair(
    narrower: Any,
    original: Any,
    inputs: Mapping[str, Array],
    staying: Callable[[Value], Array | None],
    *,
    alpha: float = RIDGE,
    seed: int = 0,
) -> Repaired:
    """Solves what a cut has changed, in place.

    Args:
        narrower: the network that was cut; nodes have the names that they have in the original.
        original: the network as it was.
        inputs: samples by the name of the input, (N, ...); no labels are needed.
        staying: the channels of a tensor of the original that stay in the narrower one, or None
            where all do.
        alpha: the weight of the weights that the cut left, in shares of the inputs' power.
        seed: of the places that are looked at.

    Returns:
        Which layers were solved.
    """
    return _Repair(narrower, original, inputs, staying, alpha, seed).run()


class _Repair:
    """One repair, node by node."""

    def __init__(
        self,
        narrower: Any,
        original: Any,
        inputs: Mapping[str, Array],
        staying: Callable[[Value], Array | None],
        alpha: float,
        seed: int,
    ) -> None:
        self._old = Running(graph_of(original), original, inputs)
        self._new = Running(graph_of(narrower), narrower, inputs)
        self._samples = len(next(iter(inputs.values())))
        self._staying, self._alpha = staying, alpha
        self._random = np.random.default_rng(seed)
        calls = self._new.graph.calls()
        self._once = {nodes[0].name for nodes in calls.values() if len(nodes) == 1}
        self._changed: set[str] = set()  # nodes whose outputs are not what they were
        self._solved: list[str] = []
        self._measured: list[str] = []
        self._left: list[str] = []

    def run(self) -> Repaired:
        for name, node in self._new.graph.nodes.items():
            if not computes(node):
                continue
            before = self._old.run(self._old.graph.nodes[name])  # None: without an activation
            touched = any(value.node in self._changed for value in node.inputs)
            if touched and node.kind in (*SOLVED, *DEPTHWISE):
                self._solve(node, self._stays(Value(name), before))
            elif touched and node.kind == "BatchNormalization" and name in self._once:
                self._measure(node)
            elif touched and not node.operation and node.source.trainable_weights:
                self._left.append(node.layer)
            self._new.run(node)
            if touched or self._staying(Value(name)) is not None:
                self._changed.add(name)
            self._forget(name)
        return Repaired(
            layers=tuple(self._solved),
            normalizations=tuple(self._measured),
            samples=self._samples,
            left=tuple(dict.fromkeys(self._left)),
        )

    def _forget(self, name: str) -> None:
        self._old.forget(self._old.graph.nodes[name])
        self._new.forget(self._new.graph.nodes[name])

    def _stays(self, value: Value, before: Array | None = None) -> Array:
        """What the original puts out in the channels that stay."""
        values = self._old.array(value) if before is None else before
        stay = self._staying(value)
        return values if stay is None else np.take(values, stay, axis=-1)

    def _solve(self, node: Node, wanted: Array) -> None:
        """Gives a layer the weights that come closest to what the original put out."""
        layer = node.source
        if node.name not in self._once or getattr(layer, "groups", 1) not in (1, None):
            self._left.append(node.layer)
            return
        norm = self._only_reader(node, "BatchNormalization")
        wanted = wanted + self._owed(node, norm)
        given = self._new.array(node.inputs[0])
        kernel, *bias = layer.get_weights()
        if node.kind in DEPTHWISE:
            kernel, shift = self._depthwise(layer, given, wanted, kernel)
        else:
            free = bool(bias) or norm is not None
            kernel, shift = self._dense(layer, given, wanted, kernel, free=free)
        layer.set_weights([kernel, shift] if bias else [kernel])
        if norm is not None and not bias:
            mean = norm.source.moving_mean
            mean.assign(np.asarray(mean) - shift)
        self._solved.append(node.layer)

    def _dense(
        self, layer: Any, given: Array, wanted: Array, kernel: Array, *, free: bool
    ) -> tuple[Array, Array]:
        start = kernel.reshape(-1, kernel.shape[-1])
        pruned = start == 0
        # Zeros that pruning left stay; then only the shift is solved.
        alpha = _RIGID if pruned.any() else self._alpha
        parts = (slice(at, at + _BATCH) for at in range(0, len(given), _BATCH))
        rows = (
            paired_rows(layer, given[part], wanted[part], _PLACES, self._random) for part in parts
        )
        if min(places_of(layer, given), _PLACES) * len(given) < len(start):
            x, y = (np.concatenate(one) for one in zip(*rows, strict=True))
            solved, shift = ridge(x, y, start, alpha, intercept=free)
        else:
            sums = NormalEquations(*start.shape)
            for x, y in rows:
                sums.add(x, y)
            solved, shift = sums.solved(start, alpha, intercept=free)
        solved[pruned] = 0
        return solved.reshape(kernel.shape), shift

    def _depthwise(
        self, layer: Any, given: Array, wanted: Array, kernel: Array
    ) -> tuple[Array, Array]:
        x, y = paired_rows(layer, given, wanted, _FEW_PLACES, self._random)
        taps = kernel.reshape(-1, *kernel.shape[-2:])
        pruned = taps == 0
        solved, shift = ridge_depthwise(x, y, taps, _RIGID if pruned.any() else self._alpha)
        solved[pruned] = 0
        return solved.reshape(kernel.shape), shift

    def _only_reader(self, node: Node, *kinds: str) -> Node | None:
        """The one node that takes a node's output, if it is of a kind and called once."""
        readers = self._new.graph.consumers(node.name)
        if len(readers) != 1 or readers[0].kind not in kinds:
            return None
        if Value(node.name) in self._new.graph.outputs:
            return None
        return readers[0] if readers[0].name in self._once else None

    def _owed(self, node: Node, norm: Node | None) -> Array | float:
        """What the other branches of an addition behind a layer lack, at the layer's output.

        Of several branches the last one that is computed makes up for the rest.
        """
        last = norm or node
        added = self._only_reader(last, *_SUMS)
        if added is None or activation_of(node) is not None:
            return 0.0
        others = [value for value in added.inputs if value.node != last.name]
        if len(others) + 1 != len(added.inputs) or any(
            value not in self._new.values for value in others
        ):
            return 0.0
        lacking = sum(self._stays(value) - self._new.array(value) for value in others)
        if norm is None:
            return np.asarray(lacking)
        scale = _scale(norm.source)
        sound = np.abs(scale) > _LEAST_SCALE
        return np.asarray(lacking * np.where(sound, 1 / np.where(sound, scale, 1), 0))

    def _measure(self, node: Node) -> None:
        """Gives a normalisation the statistics of its inputs, and keeps what it computes."""
        layer, given = node.source, self._new.array(node.inputs[0])
        if getattr(layer, "gamma", None) is None or getattr(layer, "beta", None) is None:
            return
        axes = tuple(range(given.ndim - 1))
        old_mean, old_variance = (np.asarray(x) for x in (layer.moving_mean, layer.moving_variance))
        mean = given.mean(axes, dtype=np.float64)
        variance = np.maximum(given.var(axes, dtype=np.float64), _FLOOR * old_variance)
        gamma, beta = np.asarray(layer.gamma), np.asarray(layer.beta)
        deviation = np.sqrt(old_variance + layer.epsilon)
        layer.gamma.assign(gamma * np.sqrt(variance + layer.epsilon) / deviation)
        layer.beta.assign(beta + gamma * (mean - old_mean) / deviation)
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)
        self._measured.append(node.layer)


def _scale(norm: Any) -> Array:
    """What a batch normalisation multiplies each channel with."""
    gamma = 1.0 if getattr(norm, "gamma", None) is None else np.asarray(norm.gamma)
    return np.asarray(gamma / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon))
