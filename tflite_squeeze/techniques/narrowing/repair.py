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

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.forward import answers, computes, first_values, without_activation
from tflite_squeeze.network.graph import Graph, Node, Value, graph_of
from tflite_squeeze.network.least_squares import NormalEquations, paired_rows, ridge_depthwise

Array = NDArray[Any]

# Prototypes on two networks: more samples win little, less ridge makes small samples fit noise.
RIDGE = 1e-2
SAMPLES = 512
_PLACES = 64  # of an image, at random
_FLOOR = 1e-4  # of the old variance, below which a channel counts as constant
_RIGID = 1e9  # a ridge at which weights stay what they are
_LEAST_SCALE = 1e-3  # of a normalisation, below which nothing can be made up for through it
_BYTES = 1.5e9  # of activations at a time
_BATCH = 128
_SOLVED = ("Dense", "Conv1D", "Conv2D", "Conv3D")
_DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
_SUMS = ("Add",)


def samples_that_fit(graph: Graph, most: int = SAMPLES) -> int:
    """How many samples two networks can be run on side by side.

    Args:
        graph: of the wider one.
        most: the answer, where memory allows it.
    """
    last = {value.node: place for place, node in enumerate(graph.nodes.values())
            for value in node.inputs}  # fmt: skip
    alive: dict[str, int] = {}
    peak = 1
    for place, node in enumerate(graph.nodes.values()):
        alive[node.name] = sum(
            4 * int(np.prod([size or 1 for size in (shape or ())[1:]])) for shape in node.shapes
        )
        peak = max(peak, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, -1) > place}
    # both networks, and what a layer puts out before its activation
    return int(min(most, max(16, _BYTES // (3 * peak))))


@dataclass
class Running:
    """A network that is run node by node.

    Attributes:
        graph: of the network.
        model: the Keras model.
        inputs: by the name of the input, (N, ...).
        values: what was computed and is still needed.
    """

    graph: Graph
    model: Any
    inputs: Mapping[str, Array]
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Counted, since nodes may be run in the order of another graph.
        self._readers = Counter(
            value for node in self.graph.nodes.values() for value in set(node.inputs)
        )
        self._kept = set(self.graph.outputs)
        self.values |= first_values(self.graph, self.model, dict(self.inputs))

    def run(self, node: Node) -> Array | None:
        """Computes a node's outputs on all samples at once: some have no axis of examples.

        Returns:
            What it puts out before its activation, (N, ...); None where it has no other.
        """
        if not computes(node):
            return None
        activation = _activation(node)
        if activation is None:
            self.values |= answers(node, self.values)
            return None
        with without_activation(node.source):
            ((name, before),) = answers(node, self.values).items()
        self.values[name] = activation(before)
        return np.asarray(before)

    def forget(self, node: Node) -> None:
        """Lets go of what no node needs any more, once a node has run."""
        for value in set(node.inputs):
            self._readers[value] -= 1
            if not self._readers[value] and value not in self._kept:
                self.values.pop(value, None)

    def array(self, value: Value) -> Array:
        """A tensor's values, (N, ...)."""
        return np.asarray(self.values[value])

    def outputs(self) -> list[Array]:
        """The network's outputs."""
        return [self.array(value) for value in self.graph.outputs]


def answers_of(model: Any, inputs: Mapping[str, Array]) -> list[Array]:
    """Runs a model eagerly: to trace each of many candidates would take longer than to run them.

    Args:
        model: of either version of Keras, with a graph.
        inputs: by name.

    Returns:
        Its outputs, one after the other, (N, ...).
    """
    running = Running(graph_of(model), model, inputs)
    for node in running.graph.nodes.values():
        running.run(node)
        running.forget(node)
    return running.outputs()


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
            if touched and node.kind in (*_SOLVED, *_DEPTHWISE):
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
        if node.kind in _DEPTHWISE:
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
        sums = NormalEquations(*start.shape)
        for at in range(0, len(given), _BATCH):
            part = slice(at, at + _BATCH)
            x, y = paired_rows(layer, given[part], wanted[part], _PLACES, self._random)
            sums.add(x, y)
            if not free:  # with their mirror images, the means are 0, and so is the intercept
                sums.add(-x, -y)
        pruned = start == 0
        # Zeros that pruning left stay; then only the shift is solved.
        solved, shift = sums.solved(start, _RIGID if pruned.any() else self._alpha)
        solved[pruned] = 0
        return solved.reshape(kernel.shape), shift

    def _depthwise(
        self, layer: Any, given: Array, wanted: Array, kernel: Array
    ) -> tuple[Array, Array]:
        x, y = paired_rows(layer, given, wanted, _PLACES, self._random)
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
        if added is None or _activation(node) is not None:
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


def _activation(node: Node) -> Any:
    """The activation of a layer that can be solved, or None where it has none."""
    if node.kind not in (*_SOLVED, *_DEPTHWISE):
        return None
    activation = node.source.activation
    return None if getattr(activation, "__name__", "") == "linear" else activation


def _scale(norm: Any) -> Array:
    """What a batch normalisation multiplies each channel with."""
    gamma = 1.0 if getattr(norm, "gamma", None) is None else np.asarray(norm.gamma)
    return np.asarray(gamma / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon))
