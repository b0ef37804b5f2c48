"""The verb: remove whole filters from a model (filter pruning), so that its layers get smaller.

Reference: Li et al. 2017, arXiv:1608.08710.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.projections import zeros_held
from tflite_squeeze.network.rewriting import changed, rewritten
from tflite_squeeze.network.weights import matches, select
from tflite_squeeze.techniques.narrowing.channels import Group, channel_groups
from tflite_squeeze.techniques.narrowing.config import Narrow
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
        finetune: how to train; 3 epochs by default.
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
    kept, groups, refused = _decided(channel_groups(given), config, asked)
    if not groups:
        reasons = "; ".join(f"{', '.join(one.layers)}: {one.reason}" for one in refused)
        raise UsageError(f"nothing to narrow in model {given.name!r} ({reasons})")
    narrower = _rebuilt(given, kept)
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
    groups: Sequence[Group], config: Narrow, asked: set[int]
) -> tuple[list[tuple[Group, Array]], tuple[NarrowedGroup, ...], tuple[RefusedNarrowing, ...]]:
    """(group, channels that stay) of each group that gets narrower, and the records."""
    kept, narrowed, refused = [], [], []
    for group in groups:
        names = tuple(layer.name for layer in group.makers)
        scores = channel_scores(group)
        stay = _staying(scores, _ratio(group, config), config.multiple)
        reason = group.fixed
        if not reason and not all(id(layer) in asked for layer in group.makers):
            reason = "not among the layers that were asked for"
        if not reason and not config.coupled and len(names) > 1:
            reason = "its layers are coupled, and coupled is false"
        if not reason and len(stay) == group.size:
            reason = f"in multiples of {config.multiple}, all {group.size} channels stay"
        if reason:
            refused.append(RefusedNarrowing(layers=names, channels=group.size, reason=reason))
            continue
        dead = int(np.sum(scores == 0)) - int(np.sum(scores[stay] == 0))
        kept.append((group, stay))
        narrowed.append(NarrowedGroup(layers=names, before=group.size, after=len(stay), dead=dead))
    return kept, tuple(narrowed), tuple(refused)


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


def channel_scores(group: Group) -> Array:
    """What each channel of a group weighs: the norms of what makes it and of what takes it.

    score = Σ ‖makers' weights‖ · Π ‖depthwise weights‖ · Σ ‖takers' weights‖, each norm over its
    mean. A channel that nothing makes, or nothing takes, scores 0.

    Args:
        group: the channels and their layers.

    Returns:
        (channels,), 0 or more.
    """
    made = sum(_relative(_norms(layer.get_weights()[0], -1)) for layer in group.makers)
    taken: Any = sum(
        _relative(_folded(_norms(layer.get_weights()[0], -2), group.size)) for layer in group.takers
    )
    scores = np.asarray(made) * (taken if group.takers else 1.0)
    for layer in group.passers:
        if type(layer).__name__.startswith("Depthwise"):
            scores = scores * _relative(_norms(layer.get_weights()[0], -2))
    return scores


def _norms(kernel: Array, axis: int) -> Array:
    """The Euclidean norm of each slice along an axis."""
    others = tuple(at for at in range(kernel.ndim) if at != axis % kernel.ndim)
    return np.asarray(np.sqrt(np.sum(np.square(kernel, dtype=np.float64), axis=others)))


def _folded(norms: Array, size: int) -> Array:
    """Behind a Flatten each channel occurs once per place."""
    return np.asarray(np.sqrt(np.sum(np.square(norms.reshape(-1, size)), axis=0)))


def _relative(norms: Array) -> Array:
    return np.asarray(norms / max(float(np.mean(norms)), np.finfo(np.float64).tiny))


def _rebuilt(model: Any, kept: Sequence[tuple[Group, Array]]) -> Any:
    """An equal model without the channels that go."""
    layers: dict[int, Any] = {}
    weights: dict[int, list[Array]] = {}
    widths: dict[int, dict[str, int]] = {}
    for group, stay in kept:
        for layer in (*group.makers, *group.takers, *group.passers):
            layers[id(layer)] = layer
            weights.setdefault(id(layer), layer.get_weights())
        for layer in group.makers:
            widths[id(layer)] = {"units" if hasattr(layer, "units") else "filters": len(stay)}
            weights[id(layer)] = [_cut(one, -1, group, stay) for one in weights[id(layer)]]
        for layer in group.takers:
            kernel, *rest = weights[id(layer)]
            weights[id(layer)] = [_cut(kernel, -2, group, stay), *rest]
        for layer in group.passers:
            depthwise = type(layer).__name__.startswith("Depthwise")
            weights[id(layer)] = [
                _cut(one, -2 if depthwise and one.ndim > 1 else -1, group, stay)
                for one in weights[id(layer)]
            ]
    return rewritten(
        model,
        {key: [changed(layers[key], weights[key], **widths.get(key, {}))] for key in layers},
    )


def _cut(values: Array, axis: int, group: Group, stay: Array) -> Array:
    """What stays of an axis that has the group's channels, once or once per place."""
    places = values.shape[axis] // group.size
    index = (np.arange(places)[:, None] * group.size + stay[None, :]).reshape(-1)
    return np.asarray(np.take(values, index, axis=axis))
