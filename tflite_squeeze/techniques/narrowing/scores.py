"""In which order the channels of each group go: by their weights alone, or by what samples show.

Every score gives an order, worst first, and what is lost by the time that a channel goes, so that
one pass ranks all widths of a group.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.network.forward import answers, computes, first_values
from tflite_squeeze.network.graph import Node, Value
from tflite_squeeze.network.least_squares import rows
from tflite_squeeze.network.running import Running
from tflite_squeeze.techniques.narrowing.channels import Channels, Group
from tflite_squeeze.techniques.narrowing.following import Role
from tflite_squeeze.training.teaching.output_kinds import kind_by_values

Array = NDArray[Any]
Score = Literal["norm", "activation", "fisher", "least-squares"]

_DAMPING = 1e-3  # of the mean diagonal of H
_WIDEST = 5000  # inputs of a layer; the inverse of a wider matrix takes minutes
_PLACES = 64
_STILL = 1e-5  # of the largest spread of a channel, up to which one is a constant
_BATCH = 128
_READ = ("Dense", "Conv1D", "Conv2D", "Conv3D")


@dataclass(frozen=True)
class Ranking:
    """The channels of a group, from the first that goes to the last.

    Attributes:
        order: (size,) places in `Group.units`.
        losses: (size,) what is lost when all up to this one are gone, in a unit of the score's.
        score: by which it was ranked; another than asked for where that is not defined.
    """

    order: Array
    losses: Array
    score: Score

    def stays(self, width: int) -> Array:
        """The places of those that stay at a width, in order."""
        return np.sort(self.order[len(self.order) - width :])


def rank(
    model: Any,
    channels: Channels,
    groups: Sequence[Group],
    score: Score,
    inputs: Mapping[str, Array] | None,
    norms: Sequence[Array],
) -> list[Ranking]:
    """Ranks the channels of groups.

    Args:
        model: the Keras model.
        channels: of the model.
        groups: those of them that are ranked.
        score: "norm": ‖weights that make it‖ · ‖weights that take it‖; "activation": ‖weights that
            take it‖ · root mean square of what they take; "fisher": the squared gradient, by the
            channel, of the model's divergence from what it answers, where the gradient itself
            vanishes; "least-squares": what the layers that take it lose if they make up for it as
            well as they can, greedily.
        inputs: samples by the name of the input; None for none, where only "norm" is defined.
        norms: `channel_scores` of each group, for "norm" and where nothing else is defined.

    Returns:
        A ranking for each.

    Reference: Hassibi and Stork 1993, "Second order derivatives for network pruning: Optimal Brain
    Surgeon", for "least-squares", here on groups; He et al. 2017, arXiv:1707.06168; Frantar and
    Alistarh 2023, arXiv:2301.00774; Molchanov et al. 2019, arXiv:1906.10771, for "fisher".
    """
    if score == "norm" or inputs is None:
        return [_by(own, "norm") for own in norms]
    if score == "fisher":
        found = _fisher(model, channels, groups, inputs)
        return [_by(values, score) for values in found]
    takers = _moments(model, channels, groups, inputs)
    rankings = []
    for at, group in enumerate(groups):
        parts = [taker for taker in takers if taker.group == at]
        if not parts:
            rankings.append(_by(norms[at], "norm"))
        elif score == "activation" or any(taker.second is None for taker in parts):
            rankings.append(_by(sum(taker.weighed(group.size) for taker in parts), "activation"))
        else:
            rankings.append(_greedy(group.size, [taker.system() for taker in parts]))
    return rankings


def _by(scores: Any, score: Score) -> Ranking:
    scores = np.asarray(scores, np.float64)
    order = np.argsort(scores, kind="stable")
    return Ranking(order, np.cumsum(scores[order]), score)


def channel_scores(channels: Channels, group: Group) -> Array:
    """What each unit of a group weighs: the norms of what makes it and of what takes it.

    score = Σ ‖makers' weights‖ · Π ‖depthwise weights‖ · Σ ‖takers' weights‖, each norm over its
    mean. A unit that nothing makes, or nothing takes, scores 0.

    Args:
        channels: of the model.
        group: the units and their layers.

    Returns:
        (units,), 0 or more.
    """
    norms = _norms(channels, group)
    made: Array = np.sum(norms[Role.MAKES], axis=0) if norms[Role.MAKES] else np.ones(group.size)
    taken: Array = np.sum(norms[Role.TAKES], axis=0) if norms[Role.TAKES] else np.ones(group.size)
    return np.asarray(np.prod([made * taken, *norms[Role.PASSES]], axis=0))


def without_constants(
    model: Any,
    channels: Channels,
    groups: Sequence[Group],
    scores: Sequence[Array],
    inputs: Mapping[str, Array],
) -> list[Array]:
    """Scores by which only units that are 0 where they are taken count as dead.

    A unit without weights is a constant: its bias, a shift of a normalisation, or what an
    activation makes of 0. Other constants than 0 cannot go without a change of the outputs.

    Args:
        model: the Keras model.
        channels: of the model.
        groups: some of its groups.
        scores: of their units, as of `channel_scores`.
        inputs: a few examples by the name of the input; they need not be real.

    Returns:
        The scores, those of constants other than 0 a little above 0.
    """
    if all(np.all(own > 0) for own in scores):
        return list(scores)
    used = _in_use(model, channels, groups, inputs, lambda values: np.any(values != 0, axis=0))
    found = []
    for group, own, carries in zip(groups, scores, used, strict=True):
        taken = _norms(channels, group)[Role.TAKES]
        constant = (own == 0) & carries & (np.sum(taken, axis=0) > 0)
        found.append(np.where(constant, np.finfo(float).tiny, own))
    return found


def with_constants(
    model: Any,
    channels: Channels,
    groups: Sequence[Group],
    scores: Sequence[Array],
    inputs: Mapping[str, Array],
) -> list[Array]:
    """Scores by which every unit that is the same for all examples counts as dead.

    A filter whose normalisation has a factor of 0, or whose activation never lets anything
    through, has weights all the same. What takes it makes up for the constant with its bias.

    Args:
        model: the Keras model.
        channels: of the model.
        groups: some of its groups.
        scores: of their units, as of `channel_scores`.
        inputs: samples by the name of the input.

    Returns:
        The scores, those of constants 0.
    """
    used = _in_use(model, channels, groups, inputs, _varies)
    return [
        np.where(varies, own, 0.0) if _seen(channels, group) else own
        for group, own, varies in zip(groups, scores, used, strict=True)
    ]


def _seen(channels: Channels, group: Group) -> bool:
    """Whether all that takes a group's units takes them from a tensor between layers.

    What a recurrent layer remembers, or an attention computes inside, is in no such tensor.
    """
    read: dict[int, list[Value]] = {}
    for node in channels.graph.nodes.values():
        read.setdefault(id(node.source), []).extend(node.inputs)
    return all(
        any(np.isin(channels.units[value], group.units).any() for value in read[id(taker)])
        for taker in group.takers
    )


def _varies(values: Array) -> Array:
    """(channels,): whether a channel of (examples and places, channels) is no constant."""
    spread = np.ptp(values, axis=0)
    return np.asarray(spread > _STILL * np.max(spread, initial=0.0))


def _in_use(
    model: Any,
    channels: Channels,
    groups: Sequence[Group],
    inputs: Mapping[str, Array],
    judge: Callable[[Array], Array],
) -> list[Array]:
    """(units,) of each group: which are in use wherever they are taken.

    Args:
        model: the Keras model.
        channels: of the model.
        groups: some of its groups.
        inputs: examples by the name of the input.
        judge: (examples and places, channels) → (channels,), whether a channel is in use.
    """
    reading: dict[Value, list[int]] = {}
    for at, group in enumerate(groups):
        for value in _read_by_takers(channels, group):
            reading.setdefault(value, []).append(at)
    makers: dict[str, list[Value]] = {}
    for value in reading:
        makers.setdefault(value.node, []).append(value)
    found = [np.zeros(group.size, bool) for group in groups]
    running = Running(channels.graph, model, inputs)
    for node in channels.graph.nodes.values():
        running.run(node)
        for value in makers.get(node.name, ()):
            array = running.array(value)
            used = judge(array.reshape(-1, array.shape[-1])).astype(float)
            for at in reading[value]:
                found[at] |= used @ _membership(groups[at], channels.units[value]) > 0
        running.forget(node)
    return found


def _norms(channels: Channels, group: Group) -> dict[Role, list[Array]]:
    """The norms of the weights that make, pass and take each unit, each over its mean."""
    norms: dict[Role, list[Array]] = {role: [] for role in Role}
    layers = {id(one): one for one in (*group.makers, *group.passers, *group.takers)}
    for layer in layers.values():
        weights = layer.get_weights()
        for index, axis, units, role in channels.along(layer):
            if weights[index].ndim > 1 and np.isin(units, group.units).any():
                squares = _sums(np.square(weights[index], dtype=np.float64), axis)
                sums = np.bincount(units, squares, len(channels.group_of))[group.units]
                norms[role].append(_relative(np.sqrt(sums)))
    return norms


def _sums(values: Array, axis: int) -> Array:
    """The sum of each slice along an axis."""
    return np.asarray(values.sum(tuple(at for at in range(values.ndim) if at != axis)))


def _relative(norms: Array) -> Array:
    return np.asarray(norms / max(float(np.mean(norms)), np.finfo(np.float64).tiny))


@dataclass
class _Taker:
    """A layer that sums over channels of a group, and the second moments of its inputs."""

    group: int
    columns: list[Array]  # of the kernel's rows, for each channel
    kernel: Array  # (columns, outputs)
    second: Array | None  # (columns, columns), centred
    power: Array  # (columns,) mean squares

    def weighed(self, size: int) -> Array:
        """‖weights‖ times the root mean square of the inputs, over its mean."""
        weights = np.sum(np.square(self.kernel), axis=1) * self.power
        sums = np.array([weights[columns].sum() for columns in self.columns])
        return _relative(np.sqrt(sums))

    def system(self) -> "_System":
        """The quadratic form that a removal minimises, over the energy of the outputs."""
        assert self.second is not None
        energy = max(0.0, float(np.sum(self.kernel * (self.second @ self.kernel))))
        damped = self.second.copy()
        damped[np.diag_indices_from(damped)] += _DAMPING * np.trace(damped) / len(damped) + 1e-9
        return _System(np.linalg.inv(damped), self.kernel / np.sqrt(energy + 1e-12), self.columns)


# Of more than twice as many channels, several go at once: an update for 512 channels of 3x3 kernels
# moves 170 MB, for one that goes as for many.
_ROUNDS = 32


@dataclass
class _System:
    """H⁻¹ and W of a taker while channels go."""

    inverse: Array
    kernel: Array
    columns: list[Array]

    def losses(self, left: Sequence[int]) -> Array:
        """tr(W_cᵀ [(H⁻¹)_cc]⁻¹ W_c) of each channel that is left."""
        found = np.zeros(len(left))
        counts = np.array([len(self.columns[one]) for one in left])
        for count in np.unique(counts[counts > 0]):
            at = np.flatnonzero(counts == count)
            index = np.stack([self.columns[left[one]] for one in at])
            blocks = self.inverse[index[:, :, None], index[:, None, :]]
            weights = self.kernel[index]
            found[at] = np.einsum("cij,cij->c", weights, np.linalg.solve(blocks, weights))
        return found

    def remove(self, channels: Sequence[int]) -> float:
        """Takes channels out together; the others make up for it. Returns what that loses."""
        index = np.concatenate([self.columns[one] for one in channels])
        if not len(index):
            return 0.0
        block = self.inverse[np.ix_(index, index)]
        gain = np.linalg.solve(block, np.hstack([self.inverse[index], self.kernel[index]]))
        across, weights = gain[:, : len(self.inverse)], gain[:, len(self.inverse) :]
        lost = float(np.sum(self.kernel[index] * weights))
        stays = np.ones(len(self.inverse), bool)
        stays[index] = False
        across = across[:, stays]
        self.kernel = self.kernel[stays] - across.T @ self.kernel[index]
        # What is gone is cut off, which takes a third of the time of updating all to the end.
        self.inverse = self.inverse[np.ix_(stays, stays)] - across.T @ self.inverse[index][:, stays]
        places = np.cumsum(stays) - 1
        self.columns = [places[columns[stays[columns]]] for columns in self.columns]
        return lost


def _greedy(size: int, systems: Sequence[_System]) -> Ranking:
    """Backward elimination: each time the channels go that cost least, of many several."""
    left, order, losses, total = list(range(size)), [], [], 0.0
    while left:
        costs = np.sum([system.losses(left) for system in systems], axis=0)
        going = np.argsort(costs, kind="stable")[: max(1, len(left) // _ROUNDS)]
        channels = [left[at] for at in going]
        joint = sum(system.remove(channels) for system in systems)
        alone = np.cumsum(costs[going])
        losses += list(total + joint * alone / max(alone[-1], np.finfo(np.float64).tiny))
        total += joint
        order += channels
        left = [one for one in left if one not in set(channels)]
    return Ranking(np.array(order), np.array(losses), "least-squares")


def places_of(group: Group, units: Array) -> Array:
    """The place in a group of each of some units, -1 for those of others."""
    known = {int(unit): place for place, unit in enumerate(group.units)}
    return np.array([known.get(int(unit), -1) for unit in units], int)


def _fisher(
    model: Any, channels: Channels, groups: Sequence[Group], inputs: Mapping[str, Array]
) -> list[Array]:
    """Mean squares of what the likelihood of sampled answers loses without each channel."""
    read = [_read_by_takers(channels, group) for group in groups]
    sums = [np.zeros(group.size) for group in groups]
    rng, count = np.random.default_rng(0), len(next(iter(inputs.values())))
    for start in range(0, count, _BATCH):
        with tf.GradientTape(persistent=True) as tape:
            part = {name: values[start : start + _BATCH] for name, values in inputs.items()}
            values = first_values(channels.graph, model, part)
            for tensor in values.values():
                if tensor.dtype.is_floating:
                    tape.watch(tensor)
            for node in channels.graph.nodes.values():
                if computes(node):
                    values |= answers(node, values)
            outputs = [values[value] for value in channels.graph.outputs]
            likelihood = tf.add_n([_likelihood(output, rng) for output in outputs])
        for total, tensors, group in zip(sums, read, groups, strict=True):
            lost = sum(
                _by_channel(values[value], tape.gradient(likelihood, values[value]))
                @ _membership(group, channels.units[value])
                for value in tensors
            )
            total += np.square(lost).sum(axis=0)
        del tape
    return sums


def _read_by_takers(channels: Channels, group: Group) -> list[Value]:
    """The tensors with a group's channels that layers sum over."""
    taking = {id(layer) for layer in group.takers}
    return [
        value
        for value in dict.fromkeys(
            value
            for node in channels.graph.nodes.values()
            if id(node.source) in taking
            for value in node.inputs
        )
        if np.isin(channels.units[value], group.units).any()
    ]


def _likelihood(output: Any, rng: Any) -> Any:
    """The log-likelihood of answers drawn from a model's own, whose gradient has mean 0."""
    found = np.asarray(output, np.float64)
    if kind_by_values(found) == "softmax":
        drawn = np.argmax(np.log(found + 1e-30) + rng.gumbel(size=found.shape), axis=-1)
        picked = tf.one_hot(drawn, found.shape[-1], dtype=output.dtype)
        return tf.reduce_sum(picked * tf.math.log(output + 1e-7))
    noise = tf.convert_to_tensor(rng.normal(size=found.shape) / (found.std() + 1e-12))
    return tf.reduce_sum(tf.cast(noise, output.dtype) * output)


def _by_channel(values: Any, gradient: Any) -> Array:
    """(N, channels): what is lost, to first order, where a channel of an example is 0."""
    if gradient is None:
        return np.zeros((len(values), values.shape[-1]))
    lost = np.asarray(values * gradient, np.float64)
    return np.asarray(lost.reshape(len(lost), -1, lost.shape[-1]).sum(axis=1))


def _membership(group: Group, units: Array) -> Array:
    """(channels, size): which channel of a tensor is which of a group."""
    return np.asarray(places_of(group, units)[:, None] == np.arange(group.size), np.float64)


def _moments(
    model: Any, channels: Channels, groups: Sequence[Group], inputs: Mapping[str, Array]
) -> list[_Taker]:
    """Runs the samples through the network, and sums up what takers of groups see."""
    taking = {id(layer) for group in groups for layer in group.takers}
    running = Running(channels.graph, model, inputs)
    found: list[_Taker] = []
    rng = np.random.default_rng(0)
    for node in channels.graph.nodes.values():
        running.run(node)
        if id(node.source) in taking and node.kind in _READ and node.inputs:
            found += _taken(channels, groups, node, running.array(node.inputs[0]), rng)
        running.forget(node)
    return found


def _taken(
    channels: Channels, groups: Sequence[Group], node: Node, given: Array, rng: Any
) -> Iterator[_Taker]:
    layer = node.source
    units = channels.units[node.inputs[0]]
    kernel = np.asarray(layer.get_weights()[0], np.float64)
    grouped = getattr(layer, "groups", 1) not in (1, None)
    kernel = kernel.reshape(-1, kernel.shape[-1])
    for at, group in enumerate(groups):
        places = places_of(group, units)
        if not any(layer is taker for taker in group.takers) or not np.any(places >= 0):
            continue
        if grouped:
            continue
        taps = len(kernel) // len(units)
        of_columns = np.tile(places, taps)
        columns = [np.flatnonzero(of_columns == place) for place in range(group.size)]
        second, power = _second(layer, given, len(kernel), rng)
        yield _Taker(at, columns, kernel, second, power)


def _second(layer: Any, given: Array, width: int, rng: Any) -> tuple[Array | None, Array]:
    """The centred second moments of a layer's rows, None where too wide, and their mean squares."""
    first, power, count = np.zeros(width), np.zeros(width), 0
    second = np.zeros((width, width)) if width <= _WIDEST else None
    for start in range(0, len(given), _BATCH):
        x = rows(layer, given[start : start + _BATCH], _PLACES, rng).astype(np.float32)
        count += len(x)
        first += x.sum(axis=0, dtype=np.float64)
        power += np.square(x).sum(axis=0, dtype=np.float64)
        if second is not None:
            second += x.T @ x
    if second is not None:
        second = second / count - np.outer(first / count, first / count)
    return second, np.asarray(power / count)
