"""The verb: split layers into low-rank factors, with or without data and training."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.layer_macs import layer_macs, model_layers
from tflite_squeeze.network.observing import call_shapes
from tflite_squeeze.network.skipped import why_skipped
from tflite_squeeze.techniques.low_rank.allocation import Allocation
from tflite_squeeze.techniques.low_rank.attempt import Attempt, Job, attempt
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factor_schemes import Choice
from tflite_squeeze.techniques.low_rank.factorable import (
    Found,
    Shapes,
    Splittable,
    Weighed,
    find,
    weighed,
)
from tflite_squeeze.techniques.low_rank.input_moments import WIDEST, input_moments
from tflite_squeeze.techniques.low_rank.latency_judge import latency_clock, latency_judge
from tflite_squeeze.techniques.low_rank.rank_choice import choices
from tflite_squeeze.techniques.low_rank.record import FactorizeRecord, LayerTime, Spending
from tflite_squeeze.techniques.low_rank.repair import Shown
from tflite_squeeze.techniques.low_rank.sensitivity import Sensitivity
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.progress import Working
from tflite_squeeze.training.step_run import RunContext, StepRun

Inputs = dict[str, NDArray[Any]]

_BATCH = 64
# One in so many samples is held back, and so many allocations are repaired before one is taken.
_EVERY, _ATTEMPTS = 4, 3
# How often a latency budget is planned again, and how much lower each time.
_ROUNDS, _CAUTION = 3, 0.97
# Multiply-accumulates that measuring all layers may take, and running a model for its repair:
# half a minute on one core. What few samples say of a layer still ranks it.
_WORK, _REPAIR_WORK = 2 * 10**11, 3 * 10**10
_FEWEST, _FEW, _FEWEST_REPAIRED = 8, 32, 64


class Factorized(NamedTuple):
    """A model of factorized layers, and what was done to it."""

    model: Any
    record: FactorizeRecord


@checked_arguments
def factorize(
    model: Any,
    config: Factorize,
    data: Any = None,
    finetune: FineTune | None = None,
    *,
    one_shot: bool = False,
    context: RunContext | None = None,
    verbose: int = 0,
) -> Factorized:
    """Replaces kernels by products of smaller ones, and keeps those that pay.

    Args:
        model: a Keras model of either version, Sequential or functional, nested or not; a path to
            one, or a `LoadedModel`. The factorized model is a new one.
        config: which ranks, of which layers. With `measure`, every candidate is converted and
            timed beside the layer that it would replace, and kept only if it is really faster.
        data: `Data` or anything that `load_data` takes. With it the factors keep what the layers
            answer on it; with a labelled training part the model is fine-tuned afterwards.
        finetune: how to train; numbers left open are chosen. With labels, unless the model as
            it was teaches (`FineTune(teacher="original")`).
        one_shot: do not train, even if there is training data.
        context: passed by a run of several steps (a recipe).
        verbose: as in `model.fit`.

    Returns:
        A `Factorized`, which unpacks as (model, record): a new Keras model, and a
        `FactorizeRecord` of every layer that was split or refused. The model is made of standard
        Keras layers, unless the config says otherwise; where every split was refused it is an
        equal copy.

    Raises:
        UsageError: the config asks for what this model or data cannot give.
        InputError: the data does not fit the model.
        RuntimeFailure: with `measure`, the runtime refuses a candidate.

    Example:
        >>> model, record = factorize(model, Factorize(energy=0.9, measure="none"), "mnist")
        >>> record.macs_ratio
        0.21
    """
    if config.max_error is not None and data is None:
        raise UsageError("max_error bounds the outputs of layers on samples: pass data")
    quantize = config.measure or ("none" if config.budget == "latency" else None)
    judge = None if quantize is None else latency_judge(Quantization(quantize))
    run = StepRun(model, data, finetune, one_shot=one_shot, rebuilds=True, context=context)
    model = run.model
    shapes = call_shapes(model)
    found = _found(model, config, shapes)
    tell = (context or RunContext()).teller(verbose)
    shown, macs = _shown(run.samples, config), _macs(model, found.layers, shapes)
    layers = _weighed(model, found.layers, shown, config, tell)
    seen = _repairing(shown, macs) if config.repair and config.data_aware else None
    job = Job(
        model=model, layers=layers, shapes=shapes, config=config, judge=judge, tell=tell, shown=seen
    )
    best, spent, file_time = _best(job, macs, shown)
    made, kept = best.made, best.kept
    if not kept:
        run.training = None  # an equal copy has nothing to recover from
    run.train(made, verbose=verbose)
    record = FactorizeRecord(
        config=config,
        layers=tuple(one.split for one in kept),
        refused=tuple(best.refused),
        skipped=(*found.skipped, *best.whole),
        parameters_before=model.count_params(),
        parameters_after=made.count_params(),
        macs_before=macs,
        macs_after=macs - sum(one.split.macs_before - one.split.macs_after for one in kept),
        file_time=file_time,
        allocation=spent,
        repair=best.repair,
        **run.facts(made, *_notes(layers, run.samples, config)),
    )
    return Factorized(made, record)


def _best(
    job: Job, macs: int, shown: Shown | None
) -> tuple[Attempt, Spending | None, LayerTime | None]:
    """The best model that the config asks for, how a budget was spent on it, and its time."""
    config, judge = job.config, job.judge
    if config.limit is None:
        made = attempt(job, [choices(one.one, config, one.unfolded) for one in job.layers])
        return made, None, _file_time(job, made)
    allocation = _allocation(job, macs, shown and shown.held)
    if config.budget == "latency":
        return _in_time(job, allocation)
    plans, spent = allocation.plans()
    count = _ATTEMPTS if judge is None and job.shown is not None else 1
    if shown is not None and macs * _count(shown.fit) > _REPAIR_WORK:
        count = 1
    tried = [attempt(job, _wayed(ways)) for ways in plans[:count]]
    best = min(tried, key=lambda one: one.divergence)
    return best, _with_repairs(spent, tried), _file_time(job, best)


def _in_time(job: Job, allocation: Allocation) -> tuple[Attempt, Spending, LayerTime | None]:
    """A model whose file is measured to take no longer than the budget, within a few rounds.

    Times of layers by themselves do not quite add up to that of the file.
    """
    keep = allocation.keep
    for _ in range(_ROUNDS):
        plans, spent = allocation.plans(keep)
        made = attempt(replace(job, judge=None), _wayed(plans[0]))
        time = _file_time(job, made)
        if time is None or time.ratio <= allocation.keep:
            break
        keep *= _CAUTION * allocation.keep / time.ratio
    return made, _with_repairs(spent, [made]), time


def _file_time(job: Job, made: Attempt) -> LayerTime | None:
    if job.judge is None or not made.kept:
        return None
    return job.judge(job.model, [made.made])[0]


def _wayed(ways: Sequence[Choice | None]) -> list[list[Choice]]:
    return [[] if way is None else [way] for way in ways]


def _with_repairs(spent: Spending, tried: Sequence[Attempt]) -> Spending:
    trials = list(spent.trials)
    for index, one in enumerate(tried[: len(trials)]):
        if one.repair is not None:
            trials[index] = trials[index].model_copy(update={"repaired": one.divergence})
    return spent.model_copy(update={"trials": tuple(trials)})


def _found(model: Any, config: Factorize, shapes: Shapes) -> Found:
    """The layers to factorize: one at least."""
    found = find(model, config, shapes)
    if not found.layers:
        reasons = why_skipped(found.skipped)
        reasons = reasons or "it has no layer with weights"
        raise UsageError(f"nothing to factorize in model {model.name!r} ({reasons}): see --only")
    return found


def _weighed(
    model: Any,
    layers: Sequence[Splittable],
    shown: Shown | None,
    config: Factorize,
    tell: Working,
) -> list[Weighed]:
    moments: dict[int, Any] = {}
    if shown is not None and config.data_aware:
        # Held-back samples too: a rank is chosen on them, but each is better for more samples.
        parts = [shown.fit] if shown.held is shown.fit else [shown.fit, shown.held]
        starts = [(part, at) for part in parts for at in range(0, _count(part), _BATCH)]

        def batches() -> Iterator[Any]:
            for done, (part, start) in enumerate(starts):
                tell("observing layers", done, len(starts))
                some = {name: one[start : start + _BATCH] for name, one in part.items()}
                yield flavors.arranged(model, some)

        moments = input_moments(model, layers, batches())
    return [weighed(one, moments.get(id(one.layer))) for one in layers]


def _allocation(job: Job, macs: int, held: Inputs | None) -> Allocation:
    """The options of all layers under the budget of the config."""
    config, probe, clock = job.config, None, None
    total: float = job.model.count_params() if config.limit and config.limit[0] == "bytes" else macs
    if config.budget is not None and held is not None:
        # Half of the model is computed again for a layer, on average.
        each = max(1, macs) * len(job.layers)
        points = 4 if _WORK // (2 * each) >= _FEW else 2
        count = min(_count(held), max(_FEWEST, 2 * _WORK // (points * each)))
        probe = Sensitivity(job.model, _first(held, count), points)
    if config.budget == "latency" and job.judge is not None:
        total = job.judge(job.model, [job.model])[0].whole_us
        clock = latency_clock(job.judge, job.shapes, config.emit)
    return Allocation(job.layers, config, total, probe, job.tell, clock)


def _shown(samples: Data | None, config: Factorize) -> Shown | None:
    """Samples to fit to, and those that are held back where something is to be judged."""
    if samples is None:
        return None
    inputs = samples.sample("calibration", config.samples).inputs
    if _count(inputs) < 2 * _EVERY or not (config.repair or config.budget):
        return Shown(fit=inputs, held=inputs)
    held = np.arange(_count(inputs)) % _EVERY == _EVERY - 1
    return Shown(*({name: one[some] for name, one in inputs.items()} for some in (~held, held)))


def _repairing(shown: Shown | None, macs: int) -> Shown | None:
    """So many of the samples that the repair of a large model takes no minutes."""
    most = max(_FEWEST_REPAIRED, _REPAIR_WORK // max(1, macs))
    return shown and Shown(*(_first(some, most) for some in shown))


def _first(inputs: Inputs, count: int) -> Inputs:
    """Samples are spread over the data already where it is sorted, and so are some of them."""
    total = _count(inputs)
    if count >= total:
        return inputs
    picked = np.arange(count) * total // count
    return {name: values[picked] for name, values in inputs.items()}


def _count(inputs: Inputs) -> int:
    return len(next(iter(inputs.values())))


def _macs(model: Any, layers: Sequence[Splittable], shapes: Shapes) -> int:
    """Multiply-accumulates of a model for one example, of all layers whose count is known."""
    known = {id(one.layer): one.macs for one in layers if one.kind == "MultiHeadAttention"}
    return sum(known.values()) + sum(
        layer_macs(layer, received, sent) or 0
        for layer in model_layers(model)
        if id(layer) not in known
        for received, sent in shapes.get(id(layer), ())
    )


def _notes(layers: Sequence[Weighed], samples: Data | None, config: Factorize) -> tuple[str, ...]:
    notes = []
    for layer in layers:
        one = layer.one
        if samples is not None and config.data_aware and layer.moment is None:
            size = max(one.widths)
            notes.append(
                f"{one.layer.name}: its inputs are {size} wide, and more than {WIDEST} are not "
                f"weighed by data: plain SVD"
            )
        if getattr(one.layer, "kernel_constraint", None) is not None:
            notes.append(f"{one.layer.name}: the constraint of its kernel does not hold on factors")
    return tuple(notes)
