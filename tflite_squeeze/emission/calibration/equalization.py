"""Channels made alike between two layers, so that one scale suits them all.

Where what lies between two kernels is positive-homogeneous, f(s x) = s f(x) for s > 0, a channel
may be divided by any s behind the first kernel and multiplied by it in front of the second:

    W₂ f(W₁ x + b₁) = (W₂ S) f(S⁻¹ W₁ x + S⁻¹ b₁)

Reference: Nagel et al. 2019, arXiv:1906.04721, section 4.1, for s from the ranges of both kernels;
Xiao et al. 2022, arXiv:2211.10438 (SmoothQuant), equation 4, for s from the range of the
activation and that of the second kernel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import Graph, Node, Value, graph_of
from tflite_squeeze.network.rewriting import copy_of
from tflite_squeeze.network.running import DEPTHWISE, SOLVED

Array = NDArray[Any]

# Layers and operations that only move, average or select values of a channel.
_PASSING = frozenset(
    f"{kind}{rank}D"
    for kind in ("MaxPooling", "AveragePooling", "GlobalAveragePooling", "GlobalMaxPooling",
                 "ZeroPadding", "Cropping", "SpatialDropout")
    for rank in (1, 2, 3)
) | {"Dropout", "Flatten", "Identity", "LeakyReLU", "PReLU", "Relu", "LeakyRelu"}  # fmt: skip
_HOMOGENEOUS = ("linear", "relu", "leaky_relu")
_ROUNDS, _ENOUGH = 20, 1e-3
_LEAST_SHARE = 1e-2  # of the median activation: channels that hardly speak are not blown up


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two layers between which channels may be scaled.

    Attributes:
        first: whose output channels are divided.
        second: whose input channels are multiplied.
    """

    first: Node
    second: Node

    @property
    def channels(self) -> int:
        """How many channels there are between them."""
        shape = self.first.source.get_weights()[0].shape
        return int(shape[-1] * shape[-2] if _depthwise(self.first) else shape[-1])


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Where channels may be scaled, and why not elsewhere.

    Attributes:
        found: the pairs, in the order of the data.
        refused: "layer: reason" for those that end in what does not scale.
    """

    found: tuple[Pair, ...]
    refused: tuple[str, ...]


def pairs_of(model: Any) -> Pairs:
    """The pairs of a model.

    Args:
        model: of either version of Keras, BatchNormalization folded into its layers.
    """
    graph = graph_of(model)
    once = {nodes[0].name for nodes in graph.calls().values() if len(nodes) == 1}
    found, refused = [], []
    for node in graph.nodes.values():
        if not _has_kernel(node) or node.name not in once:
            continue
        end = _behind(graph, node)
        if isinstance(end, str):
            refused.append(f"{node.layer}: {end}")
        elif end is not None and end.name in once:
            pair = Pair(first=node, second=end)
            if _fits(pair):
                found.append(pair)
    return Pairs(found=tuple(found), refused=tuple(refused))


def equalized(model: Any, greatest: Mapping[str, Array] | None = None) -> Any:
    """A model that computes the same with channels that are more alike.

    Args:
        model: of either version of Keras, BatchNormalization folded into its layers.
        greatest: the greatest magnitude of each channel by the name of the first layer's node, on
            samples, (channels,); without it the ranges of both kernels are made equal, which suits
            kernels with one scale.

    Returns:
        A copy; equal to the model up to rounding of floats.
    """
    made = copy_of(model)
    pairs = pairs_of(made).found
    if greatest is not None:
        for pair in pairs:
            _scale(pair, _by_activation(pair, greatest[pair.first.name]))
        return made
    for _ in range(_ROUNDS):  # a kernel between two others belongs to two pairs
        moved = 0.0
        for pair in pairs:
            factor = _by_kernels(pair)
            _scale(pair, factor)
            moved = max(moved, float(np.abs(np.log(factor)).max()))
        if moved < _ENOUGH:
            break
    return made


def channel_factors(first: Array, second: Array) -> Array:
    """The s that make two ranges equal: first / s = second · s.

    Args:
        first: range of each channel before, (channels,).
        second: range of the weights that it meets, (channels,).

    Returns:
        √(first / second); 1 where either is 0.

    Reference: Nagel et al. 2019, arXiv:1906.04721, equation 11.

    Example:
        >>> channel_factors(np.array([8.0, 1.0, 0.0]), np.array([2.0, 4.0, 1.0]))
        array([2. , 0.5, 1. ])
    """
    usable = (first > 0) & (second > 0)
    return np.asarray(np.sqrt(np.where(usable, first, 1.0) / np.where(usable, second, 1.0)))


def _by_kernels(pair: Pair) -> Array:
    first = np.abs(_out_columns(pair.first)).max(axis=0)
    return channel_factors(first, _in_range(pair))


def _by_activation(pair: Pair, greatest: Array) -> Array:
    """A depthwise kernel has a scale for each channel: only the activation's range counts."""
    spoken = greatest[greatest > 0]
    if not spoken.size:
        return np.ones(len(greatest))
    middle = float(np.median(spoken))
    first = np.maximum(np.asarray(greatest, np.float64), _LEAST_SHARE * middle)
    if _depthwise(pair.second):
        return np.asarray(first / middle)
    return channel_factors(first, _in_range(pair))


def _in_range(pair: Pair) -> Array:
    """The greatest weight that each channel meets in the second kernel."""
    kernel = np.abs(pair.second.source.get_weights()[0])
    rows = np.moveaxis(kernel, -2, 0).reshape(kernel.shape[-2], -1).max(axis=1)
    return np.asarray(rows.reshape(-1, pair.channels).max(axis=0), np.float64)  # of a Flatten too


def _out_columns(node: Node) -> Array:
    kernel = np.asarray(node.source.get_weights()[0], np.float64)
    last = kernel.shape[-2:] if _depthwise(node) else kernel.shape[-1:]
    return kernel.reshape(-1, int(np.prod(last)))


def _scale(pair: Pair, factor: Array) -> None:
    first, *bias = pair.first.source.get_weights()
    shape = first.shape[-2:] if _depthwise(pair.first) else first.shape[-1:]
    thinner = first / factor.reshape(shape)
    pair.first.source.set_weights([thinner, *[one / factor for one in bias]])
    second, *rest = pair.second.source.get_weights()
    repeated = np.tile(factor, second.shape[-2] // len(factor))
    pair.second.source.set_weights([second * repeated[:, np.newaxis], *rest])


def _behind(graph: Graph, node: Node) -> Node | str | None:
    """The next layer with a kernel; why the way to it does not scale; None where it ends."""
    reason = _not_homogeneous(node)
    while True:
        readers = graph.consumers(node.name)
        if len(readers) != 1 or Value(node.name) in graph.outputs:
            return None
        (after,) = readers
        if _has_kernel(after):
            return reason or after
        if not after.plain_call and after.kind not in _PASSING:
            return None
        reason = reason or _not_homogeneous(after)
        if after.kind not in (*_PASSING, "ReLU", "Activation"):
            return None
        node = after


def _not_homogeneous(node: Node) -> str | None:
    """Why a layer's activation does not scale with its input."""
    source = node.source
    if node.kind == "ReLU":
        limited = source.max_value is not None or source.threshold
        return "a ReLU with a limit does not scale with its input" if limited else None
    name = getattr(getattr(source, "activation", None), "__name__", "linear")
    return None if name in _HOMOGENEOUS else f"{name} does not scale with its input"


def _fits(pair: Pair) -> bool:
    """Whether each input of the second layer belongs to one channel."""
    kernel = pair.second.source.get_weights()[0]
    received = int(kernel.shape[-2])
    whole = received % pair.channels == 0 and (
        received == pair.channels or pair.second.kind == "Dense"
    )
    return whole and getattr(pair.first.source, "data_format", None) != "channels_first"


def _has_kernel(node: Node) -> bool:
    return (
        node.kind in (*SOLVED, *DEPTHWISE)
        and node.plain_call
        and getattr(node.source, "groups", 1) in (1, None)
    )


def _depthwise(node: Node) -> bool:
    return node.kind in DEPTHWISE
