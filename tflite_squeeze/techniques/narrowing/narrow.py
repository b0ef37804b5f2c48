"""The verb: remove whole filters from a model (filter pruning), so that its layers get smaller.

Reference: Li et al. 2017, arXiv:1608.08710.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.flavors import walk_layers
from tflite_squeeze.network.projections import zeros_held
from tflite_squeeze.network.weights import matches, select
from tflite_squeeze.techniques.narrowing.channels import Channels, Group, channels_of
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.cutting import cut
from tflite_squeeze.techniques.narrowing.following import Role
from tflite_squeeze.techniques.narrowing.record import NarrowedGroup, NarrowRecord, RefusedNarrowing
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.record import zeros_of
from tflite_squeeze.training.step_run import RunContext, StepRun

Array = NDArray[Any]


class Narrowed(NamedTuple):
    """A narrower model, and what was done to it."""

    model: Any
    record: NarrowRecord


def narrow(
    model: Any,
    config: Narrow,
    data: Any = None,
    finetune: FineTune | None = None,
    *,
    one_shot: bool = False,
    context: RunContext | None = None,
    verbose: int = 0,
) -> Narrowed:
    """Removes filters and units from layers (structured pruning), and trains what is left.

    Zeros that earlier pruning left stay zeros. What a filter of zeros still added, the shift of
    its normalisation, goes too; training makes up for it.

    Args:
        model: a functional or sequential Keras model of either version, a path to one, or a
            `LoadedModel`. The narrower model is a new one.
        config: how many filters, and of which layers.
        data: `Data` or anything that `load_data` takes. With a labelled training part the model is
            fine-tuned afterwards.
        finetune: how to train; numbers left open are chosen.
        one_shot: do not train, even if there is training data.
        context: passed by a run of several steps (a recipe).
        verbose: as in `model.fit`.

    Returns:
        A `Narrowed`, which unpacks as (model, record): a new, smaller Keras model, and a
        `NarrowRecord` of every group of layers, what was removed and what was not.

    Raises:
        UsageError: the model has no graph of layers, or none of them can get narrower.
        InputError: the data does not fit the model.

    Example:
        >>> model, record = narrow(model, Narrow(ratio=0.5), "fashion-mnist")
    """
    run = StepRun(model, data, finetune, one_shot=one_shot, rebuilds=True, context=context)
    given = run.model
    selection = select(given, only=config.only, protect=config.protect)
    asked = {id(target.layer) for target in selection.targets}
    channels = channels_of(given)
    stays, groups, refused = _decided(channels, config, asked)
    if not groups:
        reasons = "; ".join(f"{', '.join(one.layers)}: {one.reason}" for one in refused)
        raise UsageError(f"nothing to narrow in model {given.name!r} ({reasons})")
    narrower = cut(given, channels, stays)
    with zeros_held(_pruned(narrower) if run.trains else ()):
        run.train(narrower, verbose=verbose)
    return Narrowed(
        narrower,
        NarrowRecord(
            config=config,
            groups=groups,
            refused=refused,
            skipped=selection.skipped,
            parameters_before=int(given.count_params()),
            parameters_after=int(narrower.count_params()),
            **run.facts(narrower),
        ),
    )


def _pruned(narrower: Any) -> list[Any]:
    """The weights that earlier pruning left zeros in."""
    variables = [target.variable for target in select(narrower).targets]
    return [variable for variable in variables if zeros_of(variable)]


def _decided(
    channels: Channels, config: Narrow, asked: set[int]
) -> tuple[Array, tuple[NarrowedGroup, ...], tuple[RefusedNarrowing, ...]]:
    """Whether each unit stays, and the records of the groups."""
    stays = np.ones(len(channels.group_of), bool)
    narrowed, refused = [], []
    for group in channels.groups:
        names = tuple(layer.name for layer in group.makers)
        scores = channel_scores(channels, group)
        stay = _staying(scores, _ratio(group, config), config.multiple)
        reason = group.fixed
        if not reason and not all(_asked(layer, asked) for layer in group.makers):
            reason = "not among the layers that were asked for"
        if not reason and not config.coupled and len(names) > 1:
            reason = "its layers are coupled, and coupled is false"
        if not reason and len(stay) == group.size:
            reason = f"in multiples of {config.multiple}, all {group.size} channels stay"
        if reason:
            refused.append(RefusedNarrowing(layers=names, channels=group.size, reason=reason))
            continue
        dead = int(np.sum(scores == 0)) - int(np.sum(scores[stay] == 0))
        stays[np.delete(group.units, stay)] = False
        narrowed.append(NarrowedGroup(layers=names, before=group.size, after=len(stay), dead=dead))
    return stays, tuple(narrowed), tuple(refused)


def _asked(layer: Any, asked: set[int]) -> bool:
    """Whether a layer, or one inside it, was asked for."""
    return any(id(one) in asked for one in (layer, *walk_layers(layer)))


def _ratio(group: Group, config: Narrow) -> float:
    """The share of channels that a group is asked to lose."""
    ratio = config.ratio
    for pattern, own in config.layers.items():
        if any(matches(layer, pattern) for layer in group.makers):
            ratio = own
    return ratio


def _staying(scores: Array, ratio: float, multiple: int) -> Array:
    """The channels that stay, in their order: those of highest score, dead ones never by choice."""
    alive = int(np.sum(scores > 0))
    wanted = min(alive, math.ceil(round(len(scores) * (1 - ratio), 6)))
    count = min(len(scores), max(1, math.ceil(wanted / multiple)) * multiple)
    return np.sort(np.argsort(-scores, kind="stable")[:count])


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
    norms: dict[Role, list[Array]] = {role: [] for role in Role}
    layers = {id(one): one for one in (*group.makers, *group.passers, *group.takers)}
    for layer in layers.values():
        weights = layer.get_weights()
        for index, axis, units, role in channels.along(layer):
            if weights[index].ndim > 1 and np.isin(units, group.units).any():
                squares = _sums(np.square(weights[index], dtype=np.float64), axis)
                sums = np.bincount(units, squares, len(channels.group_of))[group.units]
                norms[role].append(_relative(np.sqrt(sums)))
    made: Array = np.sum(norms[Role.MAKES], axis=0) if norms[Role.MAKES] else np.ones(group.size)
    taken: Array = np.sum(norms[Role.TAKES], axis=0) if norms[Role.TAKES] else np.ones(group.size)
    passed = np.prod([made * taken, *norms[Role.PASSES]], axis=0)
    return np.asarray(passed)


def _sums(values: Array, axis: int) -> Array:
    """The sum of each slice along an axis."""
    return np.asarray(values.sum(tuple(at for at in range(values.ndim) if at != axis)))


def _relative(norms: Array) -> Array:
    return np.asarray(norms / max(float(np.mean(norms)), np.finfo(np.float64).tiny))
