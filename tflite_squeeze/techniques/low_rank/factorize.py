"""The verb: split layers into low-rank factors, with or without data and training."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.layer_macs import layer_macs, model_layers
from tflite_squeeze.network.observing import call_shapes
from tflite_squeeze.network.skipped import why_skipped
from tflite_squeeze.techniques.low_rank.allocation import allocated
from tflite_squeeze.techniques.low_rank.attempt import Attempt, attempt
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factor_schemes import Choice
from tflite_squeeze.techniques.low_rank.factorable import (
    Factorable,
    Found,
    Shapes,
    Weighed,
    find,
    weighed,
)
from tflite_squeeze.techniques.low_rank.input_moments import WIDEST, input_moments
from tflite_squeeze.techniques.low_rank.latency_judge import latency_judge
from tflite_squeeze.techniques.low_rank.low_rank import Moment
from tflite_squeeze.techniques.low_rank.rank_choice import choices
from tflite_squeeze.techniques.low_rank.record import Allocation, FactorizeRecord
from tflite_squeeze.techniques.low_rank.repair import Shown
from tflite_squeeze.techniques.low_rank.sensitivity import Sensitivity
from tflite_squeeze.techniques.low_rank.splitting import Judge
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.progress import Working
from tflite_squeeze.training.step_run import RunContext, StepRun

Inputs = dict[str, NDArray[Any]]

_BATCH = 64
# One in so many samples is held back, and so many allocations are repaired before one is taken.
_EVERY, _ATTEMPTS = 4, 3
# Multiply-accumulates that measuring all layers may take: less than a minute on one core. What
# few samples say of a layer still ranks it.
_WORK, _FEWEST = 10**12, 16


class Factorized(NamedTuple):
    """A model of factorized layers, and what was done to it."""

    model: Any
    record: FactorizeRecord


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
    judge = None if config.measure is None else latency_judge(Quantization(config.measure))
    run = StepRun(model, data, finetune, one_shot=one_shot, rebuilds=True, context=context)
    model = run.model
    shapes = call_shapes(model)
    found = _found(model, config, shapes)
    tell = (context or RunContext()).teller(verbose)
    shown, macs = _shown(run.samples, config), _macs(model, shapes)
    layers = _weighed(model, found.layers, shown, config, tell)
    plans, allocation = _plans(model, layers, macs, config, shown and shown.held, tell)
    seen = shown if config.repair and config.data_aware else None
    tried = [
        attempt(model, layers, ways, shapes, config, judge, seen, tell)
        for ways in plans[: _attempts(macs, shown, judge)]
    ]
    best = min(tried, key=lambda one: one.divergence)
    made, kept = best.made, best.kept
    file_time = judge(model, [made])[0] if judge is not None and kept else None
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
        allocation=allocation and _with_repairs(allocation, tried),
        repair=best.repair,
        **run.facts(made, *_notes(layers, run.samples, config)),
    )
    return Factorized(made, record)


def _attempts(macs: int, shown: Shown | None, judge: Judge | None) -> int:
    """How many plans to try: as many as take little time."""
    if shown is None or judge is not None:
        return 1
    return _ATTEMPTS if macs * _count(shown.fit) <= _WORK // 10 else 1


def _with_repairs(allocation: Allocation, tried: Sequence[Attempt]) -> Allocation:
    trials = list(allocation.trials)
    for index, one in enumerate(tried[: len(trials)]):
        if one.repair is not None:
            trials[index] = trials[index].model_copy(update={"repaired": one.divergence})
    return allocation.model_copy(update={"trials": tuple(trials)})


def _found(model: Any, config: Factorize, shapes: Shapes) -> Found:
    """The layers to factorize: one at least."""
    found = find(model, config, shapes)
    if not found.layers:
        reasons = why_skipped(found.skipped)
        reasons = reasons or "it has no layer with weights"
        raise UsageError(f"nothing to factorize in model {model.name!r} ({reasons}): see --only")
    return found


def _weighed(
    model: Any, layers: Sequence[Factorable], shown: Shown | None, config: Factorize, tell: Working
) -> list[Weighed]:
    moments: dict[int, Moment] = {}
    if shown is not None and config.data_aware:
        starts = range(0, _count(shown.fit), _BATCH)

        def batches() -> Iterator[Any]:
            for done, start in enumerate(starts):
                tell("observing layers", done, len(starts))
                some = {name: one[start : start + _BATCH] for name, one in shown.fit.items()}
                yield flavors.arranged(model, some)

        moments = input_moments(model, layers, batches())
    return [weighed(one, moments.get(id(one.layer))) for one in layers]


def _plans(
    model: Any,
    layers: Sequence[Weighed],
    macs: int,
    config: Factorize,
    held: Inputs | None,
    tell: Working,
) -> tuple[list[list[list[Choice]]], Allocation | None]:
    """Plans for the layers, the best first: the ways of each that come into question."""
    if config.limit is None:
        return [[choices(layer.one, config, layer.unfolded) for layer in layers]], None
    total = model.count_params() if config.limit[0] == "bytes" else macs
    probe = None
    if config.budget is not None and held is not None:
        count = min(_count(held), max(_FEWEST, _WORK // (2 * max(1, macs) * len(layers))))
        probe = Sensitivity(model, {name: values[:count] for name, values in held.items()})
    plans, allocation = allocated(
        layers, config, total, probe, lambda at, of: tell("measuring layers", at, of)
    )
    return [[[] if way is None else [way] for way in plan] for plan in plans], allocation


def _shown(samples: Data | None, config: Factorize) -> Shown | None:
    """Samples to fit to, and those that are held back where something is to be judged."""
    if samples is None:
        return None
    inputs = samples.sample("calibration", config.samples).inputs
    if _count(inputs) < 2 * _EVERY or not (config.repair or config.budget):
        return Shown(fit=inputs, held=inputs)
    held = np.arange(_count(inputs)) % _EVERY == _EVERY - 1
    return Shown(*({name: one[some] for name, one in inputs.items()} for some in (~held, held)))


def _count(inputs: Inputs) -> int:
    return len(next(iter(inputs.values())))


def _macs(model: Any, shapes: Shapes) -> int:
    """Multiply-accumulates of a model for one example, of all layers whose count is known."""
    return sum(
        layer_macs(layer, received, sent) or 0
        for layer in model_layers(model)
        for received, sent in shapes.get(id(layer), ())
    )


def _notes(layers: Sequence[Weighed], samples: Data | None, config: Factorize) -> tuple[str, ...]:
    notes = []
    for layer in layers:
        one = layer.one
        if samples is not None and config.data_aware and layer.moment is None:
            size = one.kernel[..., 0].size
            notes.append(
                f"{one.layer.name}: its inputs are {size} wide, and more than {WIDEST} are not "
                f"weighed by data: plain SVD"
            )
        if getattr(one.layer, "kernel_constraint", None) is not None:
            notes.append(f"{one.layer.name}: the constraint of its kernel does not hold on factors")
    return tuple(notes)
