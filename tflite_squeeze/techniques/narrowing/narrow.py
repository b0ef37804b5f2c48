"""The verb: remove whole filters from a model (filter pruning), so that its layers get smaller.

Reference: Li et al. 2017, arXiv:1608.08710.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.conversion.model_times import TimedBeside
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.flavors import walk_layers
from tflite_squeeze.network.graph import Value
from tflite_squeeze.network.made_up import made_up_by_name
from tflite_squeeze.network.projections import zeros_held
from tflite_squeeze.network.running import answers_of, samples_that_fit
from tflite_squeeze.network.weights import matches, matches_any, select
from tflite_squeeze.techniques.narrowing.allocation import Costs, Search, stays_of
from tflite_squeeze.techniques.narrowing.channels import Channels, Group, channels_of
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.cutting import cut, staying
from tflite_squeeze.techniques.narrowing.record import (
    NarrowedGroup,
    NarrowRecord,
    RefusedNarrowing,
    RepairRecord,
    SearchRecord,
    TrialRecord,
)
from tflite_squeeze.techniques.narrowing.repair import Repaired, repair
from tflite_squeeze.techniques.narrowing.scores import (
    Ranking,
    Score,
    channel_scores,
    rank,
    with_constants,
    without_constants,
)
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.training.divergence import Divergence
from tflite_squeeze.training.plan import Needs
from tflite_squeeze.training.quality import validation_quality
from tflite_squeeze.training.record import zeros_of
from tflite_squeeze.training.step_run import RunContext, StepRun, Told

Array = NDArray[Any]

# The best of what was tried, see docs/measured/narrow.md.
_DISTILL = Distill(temperature=2.0)
# Samples to repair on where widths are compared: of ResNet-8, 32 led to the widths that 512 led to.
_FEW = 64
_NEEDS = Needs(rate=2.0, steps=1_000, augment=("mixup",))


class Narrowed(NamedTuple):
    """A narrower model, and what was done to it."""

    model: Any
    record: NarrowRecord


@checked_arguments
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

    With data the layers behind a cut are solved anew by least squares, and what is left is trained
    towards the original's answers, with labels or without. Zeros that earlier pruning left stay
    zeros.

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
    run = StepRun(
        model, data, _taught(data, finetune), one_shot=one_shot, rebuilds=True, needs=_NEEDS,
        context=context,
    )  # fmt: skip
    given = run.model
    selection = select(given, only=config.only, protect=config.protect)
    asked = {id(target.layer) for target in selection.targets}
    channels = channels_of(given)
    groups, refused = allowed(channels, config, asked)
    samples = samples_for(run.samples, channels, config)
    norms = [channel_scores(channels, group) for group in groups]
    if samples is None or not config.repair:  # nothing makes up for constants that go
        norms = without_constants(given, channels, groups, norms, made_up_by_name(given))
    elif config.dead_only:
        norms = with_constants(given, channels, groups, norms, samples.own)
    score, inputs = score_of(config, samples), samples.own if samples else None
    rankings = rank(given, channels, groups, score, inputs, norms)
    if config.budget is None:
        widths = [_width(group, own, config) for group, own in zip(groups, norms, strict=True)]
        stays, search = stays_of(channels, groups, rankings, widths), None
        narrower, repaired = _cut(given, channels, stays, samples, config)
    else:
        made = _searched(given, channels, groups, rankings, samples, config, run)
        narrower, repaired, stays, search = made
    narrowed, unchanged = _described(groups, norms, stays, config)
    refused = (*unchanged, *refused)
    if not narrowed:
        reasons = "; ".join(f"{', '.join(one.layers)}: {one.reason}" for one in refused)
        raise UsageError(f"nothing to narrow in model {given.name!r} ({reasons})")
    repair_record = repaired and RepairRecord(
        samples=repaired.samples,
        layers=repaired.layers,
        left=repaired.left,
        quality=validation_quality(narrower, run.samples),
    )
    with zeros_held(_pruned(narrower) if run.trains else ()):
        run.train(narrower, verbose=verbose)
    return Narrowed(
        narrower,
        NarrowRecord(
            config=config,
            scores=tuple(dict.fromkeys(ranking.score for ranking in rankings)),
            repair=repair_record,
            search=search,
            groups=narrowed,
            refused=refused,
            skipped=selection.skipped,
            parameters_before=int(given.count_params()),
            parameters_after=int(narrower.count_params()),
            **run.facts(narrower),
        ),
    )


def _taught(data: Any, finetune: FineTune | None) -> FineTune | None:
    """How a narrower model is trained: by the original, where nothing else is asked for."""
    if data is None or (finetune is not None and finetune.teacher is None):
        return finetune
    asked = finetune or FineTune(teacher="original")
    return asked if asked.distill else asked.model_copy(update={"distill": _DISTILL})


def _pruned(narrower: Any) -> list[Any]:
    """The weights that earlier pruning left zeros in."""
    variables = [target.variable for target in select(narrower).targets]
    return [variable for variable in variables if zeros_of(variable)]


@dataclass(frozen=True)
class Samples:
    """Inputs by name: to rank and repair on, and held back to judge by."""

    own: dict[str, Array]
    held: dict[str, Array]


def samples_for(data: Data | None, channels: Channels, config: Narrow) -> Samples | None:
    """Examples without labels, a third of which is held back where a search has to judge."""
    if data is None:
        if config.budget is not None:
            raise UsageError(
                f"budget={config.budget!r} searches on samples: pass data (labels are not needed), "
                f"or give a ratio"
            )
        return None
    count = samples_that_fit(channels.graph, config.samples)
    wanted = count if config.budget is None else count + count // 2
    inputs = data.sample("calibration", wanted).inputs
    found = len(next(iter(inputs.values())))
    own = found if config.budget is None else -(-2 * found // 3)
    order = np.random.default_rng(0).permutation(found)
    picked = np.sort(order[:own]), np.sort(order[own:])
    return Samples(*({name: values[at] for name, values in inputs.items()} for at in picked))


def score_of(config: Narrow, samples: Samples | None) -> Score:
    """What ranks channels, where the config does not say: least squares need samples."""
    if config.dead_only:  # what is dead has a norm of 0
        return "norm"
    return config.score or ("norm" if samples is None else "least-squares")


def _cut(
    given: Any, channels: Channels, stays: Array, samples: Samples | None, config: Narrow
) -> tuple[Any, Repaired | None]:
    """The model without the units that go, repaired where that is asked for and possible."""
    narrower = cut(given, channels, stays)
    if samples is None or not config.repair or stays.all():
        return narrower, None

    def staying_of(value: Value) -> Array | None:
        if value not in channels.units or stays[channels.units[value]].all():
            return None
        return staying(channels, value, stays)

    return narrower, repair(narrower, given, samples.own, staying_of)


def _searched(
    given: Any,
    channels: Channels,
    groups: Sequence[Group],
    rankings: Sequence[Ranking],
    samples: Samples | None,
    config: Narrow,
    run: StepRun,
) -> tuple[Any, Repaired | None, Array, SearchRecord]:
    """The best model under the budget, and how it was found."""
    assert samples is not None and config.keep is not None  # noqa: PT018 - the config says so
    repairs: dict[int, Repaired | None] = {}
    search = search_of(given, channels, groups, rankings, samples, config, run.told, repairs)
    best, trials = search.best(config.keep)
    record = SearchRecord(
        cost=best.cost,
        divergence=best.divergence,
        held_back=len(next(iter(samples.held.values()))),
        trials=tuple(
            TrialRecord(widths=one.widths, cost=one.cost, divergence=one.divergence)
            for one in trials
        ),
    )
    stays = search.stays(dict(enumerate(best.widths)))
    return best.model, repairs[id(best.model)], stays, record


def search_of(
    given: Any,
    channels: Channels,
    groups: Sequence[Group],
    rankings: Sequence[Ranking],
    samples: Samples,
    config: Narrow,
    told: Told | None,
    repairs: dict[int, Repaired | None],
) -> Search:
    """What searches for widths under budgets; `repairs` gets how each of its models was repaired.

    Args:
        given: the model.
        channels: of the model.
        groups: that may get narrower.
        rankings: of their channels.
        samples: to repair on and to judge by.
        config: of the technique, with a budget.
        told: of the progress.
        repairs: by the `id` of a model.
    """

    def tried(stays: Array) -> tuple[Any, list[Array]]:
        model, repaired = _cut(given, channels, stays, samples, config)
        repairs[id(model)] = repaired
        return model, answers_of(model, samples.held)

    def compared(stays: Array) -> list[Array]:
        return answers_of(_cut(given, channels, stays, few, config)[0], samples.held)

    few = Samples({name: values[:_FEW] for name, values in samples.own.items()}, samples.held)
    beside = TimedBeside(given, Quantization(config.measure))
    counted: Literal["macs", "bytes"] = "bytes" if config.budget == "bytes" else "macs"
    return Search(
        channels=channels,
        groups=groups,
        rankings=rankings,
        multiple=config.multiple,
        tried=tried,
        compared=compared,
        cut=lambda stays: cut(given, channels, stays),
        apart=Divergence(given, answers_of(given, samples.held)),
        costs=Costs(channels, counted),
        times=beside.shares if config.budget == "latency" else None,
        told=told,
    )


def allowed(
    channels: Channels, config: Narrow, asked: set[int]
) -> tuple[list[Group], tuple[RefusedNarrowing, ...]]:
    """The groups that may get narrower, and why others may not."""
    groups, refused = [], []
    for group in channels.groups:
        names = tuple(layer.name for layer in group.makers)
        reason = group.fixed
        if not reason and not all(_asked(layer, config, asked) for layer in group.makers):
            reason = "not among the layers that were asked for"
        if not reason and not config.coupled and len(names) > 1:
            reason = "its layers are coupled, and coupled is false"
        if not reason and group.inexact and not config.budget and not _ratio(group, config):
            reason = f"{group.inexact}, so that not even zeros go without a change"
        if reason:
            refused.append(_refused(group, reason))
        else:
            groups.append(group)
    return groups, tuple(refused)


def _described(
    groups: Sequence[Group], norms: Sequence[Array], stays: Array, config: Narrow
) -> tuple[tuple[NarrowedGroup, ...], tuple[RefusedNarrowing, ...]]:
    """The records of groups that get narrower, and of those that do not."""
    narrowed, unchanged = [], []
    for group, own in zip(groups, norms, strict=True):
        names = tuple(layer.name for layer in group.makers)
        left = stays[group.units]
        if left.all():
            reason = f"in multiples of {config.multiple}, all {group.size} channels stay"
            if config.budget is not None:
                reason = "all its channels are worth more than what they cost"
            unchanged.append(_refused(group, reason))
            continue
        dead = int(np.sum(own[~left] == 0))
        before, after = (group.positions * count for count in (group.size, int(left.sum())))
        narrowed.append(
            NarrowedGroup(layers=names, what=group.what, before=before, after=after, dead=dead)
        )
    return tuple(narrowed), tuple(unchanged)


def _refused(group: Group, reason: str) -> RefusedNarrowing:
    names = tuple(layer.name for layer in group.makers)
    count = group.positions * group.size
    return RefusedNarrowing(layers=names, what=group.what, channels=count, reason=reason)


def _asked(layer: Any, config: Narrow, asked: set[int]) -> bool:
    """Whether a layer, by its own name or that of one inside it, was asked for."""
    if matches_any(layer, config.protect):
        return False
    inside = walk_layers(layer)
    named = bool(inside) and matches_any(layer, config.only)
    return named or any(id(one) in asked for one in (layer, *inside))


def _ratio(group: Group, config: Narrow) -> float:
    """The share of channels that a group is asked to lose."""
    ratio = config.ratio
    for pattern, own in config.layers.items():
        if any(matches(layer, pattern) for layer in group.makers):
            ratio = own
    return ratio


def _width(group: Group, norms: Array, config: Narrow) -> int:
    """How many channels of a group stay under a ratio; dead ones never by choice."""
    alive = int(np.sum(norms > 0))
    wanted = min(alive, math.ceil(round(group.size * (1 - _ratio(group, config)), 6)))
    step = group.step(config.multiple)
    return min(group.size, max(1, math.ceil(wanted / step)) * step)
