"""What is known of a graph's channels while it is followed: which positions go together.

Every tensor has a number for each position on its last axis, its id. A layer that treats each
channel alone hands the ids on, an addition joins those of its inputs, a concatenation puts them
one behind the other. What is joined goes or stays as one; what is fixed stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import Graph, Node, Shape, Value

Array = NDArray[Any]


HEADS = "heads"  # of attention, in place of channels


class Role(StrEnum):
    """What a layer does with the channels along an axis of one of its weights."""

    MAKES = "makes"  # each slice computes one channel
    PASSES = "passes"  # each slice scales, shifts or filters one channel
    TAKES = "takes"  # it is summed over


@dataclass(frozen=True)
class WeightAxis:
    """An axis of a weight, and the ids along it."""

    weight: int
    axis: int
    ids: Array
    role: Role


# Whether each of some ids stays; and what follows from that: a setting, a factor, a call.
Stays = Callable[[Array], Array]
Setting = Callable[[Stays], Any]


@dataclass
class Edit:
    """What a cut changes in a layer or an operation beside its weights.

    Attributes:
        settings: new values of its configuration, by the path of keys to each.
        scales: factors of single weights, by their number.
        call: what makes other (args, kwargs) of those that it is called with.
    """

    settings: dict[tuple[str, ...], Setting] = field(default_factory=dict)
    scales: dict[int, Setting] = field(default_factory=dict)
    call: Setting | None = None


class WidthError(ValueError):
    """A weight has another width than its layer's kind says."""


class Following:
    """What is known so far.

    Attributes:
        values: the ids of each tensor's last axis.
        sources: each layer and operation that has something to be cut, by its id.
        axes: the axes of its weights.
        edits: what else changes in it.
        sites: (layer, ids, what they are) that are made in one place, and compete.
        joins: pairs of arrays of ids that go together, position by position.
        fixes: arrays of ids that have to stay, and why.
        rough: arrays of ids that cannot go without a change even where they are zero, and why.
        count: how many ids there are.
    """

    def __init__(self, graph: Graph) -> None:
        self.shapes: dict[Value, Shape] = {
            Value(node.name, index): shape
            for node in graph.nodes.values()
            for index, shape in enumerate(node.shapes)
        }
        self.values: dict[Value, Array] = {}
        self.sources: dict[int, Any] = {}
        self.axes: dict[int, list[WeightAxis]] = {}
        self.edits: dict[int, Edit] = {}
        self.sites: list[tuple[Any, Array, str]] = []
        self.joins: list[tuple[Array, Array]] = []
        self.fixes: list[tuple[Array, str]] = []
        self.rough: list[tuple[Array, str]] = []
        self.count = 0
        self._ports: dict[tuple[int, str], Array] = {}

    def new(self, size: int | None) -> Array:
        """Ids that belong to nothing else yet."""
        ids = np.arange(self.count, self.count + (size or 0))
        self.count += size or 0
        return ids

    def width(self, value: Value) -> int:
        """How many positions a tensor's last axis has; 0 where that is not known."""
        shape = self.shapes[value]
        return (shape[-1] if shape else 0) or 0

    def join(self, first: Array, second: Array) -> Array:
        """Says that ids go together, and returns them."""
        if first is not second:
            self.joins.append((first, second))
        return first

    def fix(self, ids: Array, reason: str) -> None:
        """Says that ids have to stay."""
        self.fixes.append((ids, reason))

    def shape(self, value: Value) -> tuple[int | None, ...]:
        """A tensor's shape; () where even its rank is not known."""
        return self.shapes[value] or ()

    def port(self, layer: Any, name: str, size: int) -> tuple[Array, bool]:
        """Ids of the layer's own, the same in each call; and whether this is the first call."""
        key = id(layer), name
        first = key not in self._ports
        if first:
            self._ports[key] = self.new(size)
            self.sources[id(layer)] = layer
        return self._ports[key], first

    def received(self, node: Node, value: Value | None = None, name: str = "in") -> Array:
        """The ids of a layer's input, the first or another, the same in each of its calls."""
        ids = self.values[node.inputs[0] if value is None else value]
        own, _ = self.port(node.source, f"{name} of {len(ids)}", len(ids))
        return self.join(own, ids)

    def made(self, layer: Any, size: int, what: str = "channels") -> Array:
        """The ids of what a layer makes, the same in each of its calls: one site.

        Args:
            layer: the maker.
            size: how many.
            what: which of its widths.
        """
        own, first = self.port(layer, what, size)
        if first:
            self.sites.append((layer, own, what))
        return own

    def cuts(self, layer: Any, weight: int, axis: int, ids: Array, role: Role) -> None:
        """Says which ids an axis of a weight has; once for each, whatever the number of calls."""
        self.sources[id(layer)] = layer
        known = self.axes.setdefault(id(layer), [])
        shape = layer.weights[weight].shape
        axis = axis % len(shape)
        if shape[axis] != len(ids):
            raise WidthError(f"{layer.name}: weight {weight} has {shape}, not {len(ids)} at {axis}")
        if not any((one.weight, one.axis) == (weight, axis) for one in known):
            known.append(WeightAxis(weight, axis, ids, role))

    def edit(self, source: Any) -> Edit:
        """What else a cut changes in a layer or an operation."""
        self.sources[id(source)] = source
        return self.edits.setdefault(id(source), Edit())

    def sets(self, source: Any, path: tuple[str, ...] | str, setting: Setting) -> None:
        """Says what a setting becomes."""
        path = (path,) if isinstance(path, str) else path
        self.edit(source).settings[path] = setting

    def counts(self, source: Any, path: tuple[str, ...] | str, ids: Array) -> None:
        """Says that a setting is the number of some ids."""
        self.sets(source, path, lambda stays: count(stays, ids))


Rule = Callable[[Following, Node], str]


def registering(rules: dict[str, Rule]) -> Callable[..., Callable[[Rule], Rule]]:
    """A decorator that says for which kinds of layers or operations a rule is.

    A rule notes in a `Following` which ids a call puts out, which axes of its weights have which,
    and what changes beside them. It returns why it cannot, or "".
    """

    def rule(*kinds: str) -> Callable[[Rule], Rule]:
        def registered(function: Rule) -> Rule:
            rules.update(dict.fromkeys(kinds, function))
            return function

        return registered

    return rule


def count(stays: Stays, ids: Array) -> int:
    """How many of some ids stay."""
    return int(np.count_nonzero(stays(ids)))


def resized(shape: Sequence[Any], ids: Array) -> Setting:
    """A shape whose last axis has the ids that stay."""
    return lambda stays: (*shape[:-1], count(stays, ids))


def components(size: int, first: Array, second: Array) -> Array:
    """The smallest member of the component of each node of a graph.

    Args:
        size: how many nodes there are.
        first: (edges,) one end of each edge.
        second: (edges,) the other end.

    Returns:
        (size,)

    Example:
        >>> components(5, np.array([0, 4]), np.array([2, 2])).tolist()
        [0, 1, 0, 3, 0]
    """
    label = np.arange(size)
    while np.any(label[first] != label[second]):
        one, other = label[first], label[second]
        low = np.minimum(one, other)
        np.minimum.at(label, one, low)
        np.minimum.at(label, other, low)
        while np.any(label != label[label]):
            label = label[label]
    return label
