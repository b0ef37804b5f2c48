"""Which channels of a model go together, and which layers have them, found from its graph.

Every tensor carries the number of a unit for each position of its last axis: what goes or stays as
one. A unit is made by a layer, passes through layers that treat each channel alone, and ends in
layers that sum over it. Units that are made in one place make one group and compete for their
places. What a kind of layer or operation does is said by a rule; what has none is fixed, and all
around it.

Reference: Fang et al. 2023, arXiv:2301.12900, whose dependency graph does the same between layers.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import INPUT, Graph, Node, Value, graph_of
from tflite_squeeze.network.layer_state import is_of_keras
from tflite_squeeze.techniques.narrowing import (
    layer_rules,
    normalization_rules,
    operation_rules,
    sequence_rules,
    shape_rules,
)
from tflite_squeeze.techniques.narrowing.following import (
    HEADS,
    Edit,
    Following,
    Role,
    WidthError,
    components,
    resized,
)

Array = NDArray[Any]

_RULES = {
    kind: rule
    for module in (layer_rules, normalization_rules, sequence_rules, shape_rules)
    for kind, rule in module.RULES.items()
}
_OPERATION_RULES = operation_rules.RULES


@dataclass
class Group:
    """Channels of which single ones can go, ranked together.

    Attributes:
        size: how many units can go one by one.
        units: (size,) the global numbers of the units.
        makers: layers whose outputs they are.
        passers: layers with a number per channel on the way: normalisation, depthwise kernels.
        takers: layers that sum over them.
        what: what they are: channels, or the heads or the widths of heads of attention.
        fixed: why their number cannot change; "" where it can.
        inexact: why removing units changes the outputs even where they are zero; "" where not.
        positions: how many outputs of a maker one unit is: one in each group of a convolution.
    """

    size: int
    units: Array
    makers: list[Any] = field(default_factory=list)
    passers: list[Any] = field(default_factory=list)
    takers: list[Any] = field(default_factory=list)
    what: str = "channels"
    fixed: str = ""
    inexact: str = ""
    positions: int = 1

    def step(self, multiple: int) -> int:
        """How many units go at a time, so that widths are multiples; of heads, any number.

        Example:
            >>> Group(size=4, units=np.arange(4), positions=2).step(8)
            4
        """
        return 1 if self.what == HEADS else multiple // math.gcd(multiple, self.positions)


@dataclass
class Channels:
    """The channels of a model.

    Attributes:
        graph: the model's graph, nested models laid open.
        groups: every group that a layer makes, in the order in which they are made.
        units: (channels,) the unit of each position of each tensor's last axis.
        group_of: (all units,) index of the group; -1 for units that no layer makes.
        layers: each layer and operation that a cut may change, by its id.
        axes: by id of the layer, (number of the weight, axis, units along it).
        roles: what the layer does along each of these axes, in the same order.
        edits: by id of the layer or operation, what else changes.
        numbers: the unit of each id that the edits speak of.
        parts: the units of each tensor that is narrower than its group, of which one has to stay.
    """

    graph: Graph
    groups: list[Group]
    units: dict[Value, Array]
    group_of: Array
    layers: dict[int, Any]
    axes: dict[int, list[tuple[int, int, Array]]]
    roles: dict[int, list[Role]]
    edits: dict[int, Edit]
    numbers: Array
    parts: list[Array]

    def along(self, layer: Any) -> Iterator[tuple[int, int, Array, Role]]:
        """(number of the weight, axis, units along it, role) of each axis of a layer."""
        for axis, role in zip(
            self.axes.get(id(layer), []), self.roles.get(id(layer), []), strict=True
        ):
            yield *axis, role


def channels_of(model: Any) -> Channels:
    """Finds which channels of a model go together.

    Args:
        model: a functional or sequential Keras model of either version; nested models count as
            what is inside them.

    Returns:
        The channels, with every group that has a maker.

    Raises:
        UsageError: the model has no graph of layers (subclassed).

    Example:
        >>> [group.size for group in channels_of(model).groups if not group.fixed]
        [16]
    """
    graph = graph_of(model)
    follow = Following(graph)
    for node in graph.nodes.values():
        _follow(follow, node)
    for layer, value in graph.entries:
        _enter(follow, layer, value)
    for value in graph.outputs:
        follow.fix(follow.values[value], "its channels are the model's outputs")
    return _resolved(graph, follow)


def _follow(follow: Following, node: Node) -> None:
    """Notes what a node does with the channels of its inputs, or fixes them."""
    what = f"{'operation' if node.operation else 'layer'} {node.source.name}"
    objection = _objection(follow, node)
    outputs = [Value(node.name, index) for index in range(len(node.shapes))]
    if not objection and any(len(follow.values[one]) != follow.width(one) for one in outputs):
        objection = f"({node.kind}) has a number of channels that is not known"
    if not objection:
        return
    reason = f"{what} {objection}"
    for axis in follow.axes.get(id(node.source), ()):
        follow.fix(axis.ids, reason)
    for value in node.inputs:
        follow.fix(follow.values[value], reason)
    for value in outputs:
        follow.values[value] = follow.new(follow.width(value))
        follow.fix(follow.values[value], reason)
    weights = [] if node.operation else node.source.weights
    if any(len(getattr(weight, "shape", ())) > 1 for weight in weights):
        # It is a maker still, for the record.
        follow.sites.append((node.source, follow.values[outputs[0]], "channels"))


def _objection(follow: Following, node: Node) -> str:
    """Why nothing around a node may change its width, or ""."""
    rule = (_OPERATION_RULES if node.operation else _RULES).get(node.kind)
    if node.kind == INPUT:
        return "is an input of the model"
    if rule is None:
        return f"({node.kind}) mixes or fixes channels"
    if not node.operation and not is_of_keras(type(node.source)):
        return f"({node.kind}) is of a class of its own"
    try:
        objection = rule(follow, node)
    except WidthError:
        objection = "has weights of other shapes"
    return f"({node.kind}) {objection}" if objection else ""


def _enter(follow: Following, layer: Any, value: Value) -> None:
    """The input of a nested model gets as narrow as what the model is called on."""
    ids = follow.values[value]
    own, _ = follow.port(layer, "in", len(ids))
    follow.join(own, ids)
    for key in ("batch_shape", "batch_input_shape"):
        shape = layer.get_config().get(key)
        if shape:
            follow.sets(layer, key, resized(shape, own))


def _resolved(graph: Graph, follow: Following) -> Channels:
    """The units and groups of all that was found."""
    _, numbers = np.unique(components(follow.count, *_columns(follow.joins)), return_inverse=True)
    groups, group_of = _groups(follow, numbers)
    axes = {
        key: [(one.weight, one.axis, numbers[one.ids]) for one in found]
        for key, found in follow.axes.items()
    }
    channels = Channels(
        graph=graph,
        groups=groups,
        units={
            value: numbers[ids] for value, ids in follow.values.items() if value.node in graph.nodes
        },
        group_of=group_of,
        layers=follow.sources,
        axes=axes,
        roles={key: [one.role for one in found] for key, found in follow.axes.items()},
        edits=follow.edits,
        numbers=numbers,
        parts=_parts([numbers[ids] for ids in follow.values.values()], groups, group_of),
    )
    _name_layers(channels, follow)
    return channels


def _columns(pairs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Pairs of arrays as two long ones."""
    first, second = (
        np.concatenate([pair[at] for pair in pairs] or [np.zeros(0, int)]) for at in (0, 1)
    )
    return first, second


def _groups(follow: Following, numbers: Array) -> tuple[list[Group], Array]:
    """The groups, and which of them each unit is in; -1 for none."""
    count = int(numbers.max(initial=-1)) + 1
    sites = [(numbers[ids], what) for _, ids, what in follow.sites]
    competing = components(count, *_columns([(site[:-1], site[1:]) for site, _ in sites]))
    fixed, inexact = _reasons(follow.fixes, numbers), _reasons(follow.rough, numbers)
    members: dict[tuple[int, bool], list[int]] = {}
    named: dict[int, str] = {}
    each = np.full(count, len(numbers))
    for site, what in sites:
        found_here = np.bincount(site, minlength=count)
        each = np.where(found_here, np.minimum(each, found_here), each)
        for unit in site.tolist():
            key = int(competing[unit]), unit in fixed
            members.setdefault(key, []).append(unit)
            named.setdefault(key[0], what)
    groups: list[Group] = []
    group_of = np.full(count, -1)
    for (root, is_fixed), found in members.items():
        units = np.unique(found)
        group_of[units] = len(groups)
        rough = [inexact[unit] for unit in units.tolist() if unit in inexact]
        groups.append(
            Group(
                size=len(units),
                units=units,
                what=named[root],
                fixed=fixed[found[0]] if is_fixed else "",
                inexact=rough[0] if rough else "",
                positions=int(each[units].min()),
            )
        )
    return groups, group_of


def _parts(tensors: Sequence[Array], groups: Sequence[Group], group_of: Array) -> list[Array]:
    """The units of tensors that could lose all of them while every group keeps one."""
    found = {}
    for units in map(np.unique, tensors):
        inside = group_of[units]
        if not len(units) or -1 in inside or any(groups[at].fixed for at in set(inside.tolist())):
            continue
        counts = np.bincount(inside, minlength=len(groups))
        if not any(counts[at] == groups[at].size for at in np.unique(inside)):
            found[units.tobytes()] = units
    return list(found.values())


def _reasons(said: list[tuple[Array, str]], numbers: Array) -> dict[int, str]:
    """The first reason that was given for each unit."""
    found: dict[int, str] = {}
    for ids, reason in said:
        for unit in np.unique(numbers[ids]):
            found.setdefault(int(unit), reason)
    return found


def _name_layers(channels: Channels, follow: Following) -> None:
    """Notes in each group the layers that have its units."""
    for layer, ids, _ in follow.sites:
        _note(channels, layer, channels.numbers[ids], "makers")
    lists = {Role.MAKES: "makers", Role.PASSES: "passers", Role.TAKES: "takers"}
    for key, layer in channels.layers.items():
        for _, _, units, role in channels.along(layer) if key in channels.axes else ():
            _note(channels, layer, units, lists[role])


def _note(channels: Channels, layer: Any, units: Array, name: str) -> None:
    for at in np.unique(channels.group_of[units]):
        if at >= 0:
            layers = getattr(channels.groups[at], name)
            if not any(layer is one for one in layers):
                layers.append(layer)
