"""The verb: split layers into low-rank factors, with or without data and training."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.layer_macs import layer_macs, model_layers
from tflite_squeeze.network.observing import call_shapes
from tflite_squeeze.network.rewriting import rewritten
from tflite_squeeze.network.skipped import SkippedLayer, why_skipped
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorable import Factorable, Found, Shapes, find
from tflite_squeeze.techniques.low_rank.input_moments import WIDEST, input_moments
from tflite_squeeze.techniques.low_rank.latency_judge import latency_judge
from tflite_squeeze.techniques.low_rank.low_rank import Moment
from tflite_squeeze.techniques.low_rank.rank_choice import Choice, budgeted, choices, raised
from tflite_squeeze.techniques.low_rank.record import FactorizeRecord, Refusal
from tflite_squeeze.techniques.low_rank.splitting import (
    Candidate,
    Judge,
    candidate,
    input_spec,
    judged,
    objection,
    second_of,
)
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.step_run import RunContext, StepRun

_BATCH = 64


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
    moments = _moments(model, found.layers, run.samples, config)
    kept, refused, whole = _decided(model, found, shapes, config, moments, judge)
    made = rewritten(model, {id(one.one.layer): one.specs for one in kept})
    file_time = judge(model, [made])[0] if judge is not None and kept else None
    if not kept:
        run.training = None  # an equal copy has nothing to recover from
    run.train(made, verbose=verbose)
    macs = _macs(model, shapes)
    record = FactorizeRecord(
        config=config,
        layers=tuple(one.split for one in kept),
        refused=tuple(refused),
        skipped=(*found.skipped, *whole),
        parameters_before=model.count_params(),
        parameters_after=made.count_params(),
        macs_before=macs,
        macs_after=macs - sum(one.split.macs_before - one.split.macs_after for one in kept),
        file_time=file_time,
        **run.facts(made, *_notes(found.layers, run.samples, config, moments)),
    )
    return Factorized(made, record)


def _found(model: Any, config: Factorize, shapes: Shapes) -> Found:
    """The layers to factorize: one at least."""
    found = find(model, config, shapes)
    if not found.layers:
        reasons = why_skipped(found.skipped)
        reasons = reasons or "it has no layer with weights"
        raise UsageError(f"nothing to factorize in model {model.name!r} ({reasons}): see --only")
    return found


def _moments(
    model: Any, layers: Sequence[Factorable], samples: Data | None, config: Factorize
) -> dict[int, Moment]:
    if samples is None or not config.data_aware:
        return {}
    batches = samples.calibration_batches(config.samples, _BATCH)
    return input_moments(model, layers, (flavors.arranged(model, some) for some in batches))


def _decided(
    model: Any,
    found: Found,
    shapes: Shapes,
    config: Factorize,
    moments: dict[int, Moment],
    judge: Judge | None,
) -> tuple[list[Candidate], list[Refusal], list[SkippedLayer]]:
    """What is split and how, what is refused, and what a budget leaves whole."""
    kept: list[Candidate] = []
    refused: list[Refusal] = []
    whole: list[SkippedLayer] = []
    ways = _ways(model, found.layers, shapes, config, moments)
    for one, some in zip(found.layers, ways, strict=True):
        if not some:
            reason = "the budget is best spent by leaving it whole"
            kind = type(one.layer).__name__
            whole.append(SkippedLayer(layer=one.layer.name, layer_type=kind, reason=reason))
            continue
        moment = moments.get(id(one.layer))
        made = [_candidate(one, way, moment, config) for way in some]
        able = [each for each in made if not objection(each.split)]
        if not able:
            best = min(made, key=lambda each: each.split.macs_after)
            refused.append(Refusal(split=best.split, reason=objection(best.split)))
            continue
        decision: Candidate | Refusal = able[0]
        if judge is not None:
            decision = judged(able, input_spec(one, shapes[id(one.layer)][0][0]), judge)
        if isinstance(decision, Refusal):
            refused.append(decision)
        else:
            kept.append(decision)
    return kept, refused, whole


def _candidate(one: Factorable, way: Choice, moment: Moment | None, config: Factorize) -> Candidate:
    """A chain with the ranks chosen, or with higher ones where its error is above `max_error`.

    Spectra tell the error of a channel chain. For one that cuts twice, or splits rows from
    columns, they only estimate it.
    """
    made = candidate(one, way, moment, config.emit)
    while config.max_error is not None and made.split.error > config.max_error:
        higher = raised(one, way, config)
        if higher is None:
            break
        way, made = higher, candidate(one, higher, moment, config.emit)
    return made


def _ways(
    model: Any,
    layers: Sequence[Factorable],
    shapes: Shapes,
    config: Factorize,
    moments: dict[int, Moment],
) -> list[list[Choice]]:
    """The ways to split each layer that the config asks for; none where a budget keeps it whole."""
    seconds = [second_of(one, moments.get(id(one.layer))) for one in layers]
    if config.budget is None:
        return [choices(one, config, second) for one, second in zip(layers, seconds, strict=True)]
    total = _macs(model, shapes) if config.budget == "macs" else model.count_params()
    chosen = budgeted(layers, config, seconds, total)
    return [[] if way is None else [way] for way in chosen]


def _macs(model: Any, shapes: Shapes) -> int:
    """Multiply-accumulates of a model for one example, of all layers whose count is known."""
    return sum(
        layer_macs(layer, received, sent) or 0
        for layer in model_layers(model)
        for received, sent in shapes.get(id(layer), ())
    )


def _notes(
    layers: Sequence[Factorable],
    samples: Data | None,
    config: Factorize,
    moments: dict[int, Moment],
) -> tuple[str, ...]:
    notes = []
    for one in layers:
        if samples is not None and config.data_aware and id(one.layer) not in moments:
            size = one.kernel[..., 0].size
            notes.append(
                f"{one.layer.name}: its inputs are {size} wide, and more than {WIDEST} are not "
                f"weighed by data: plain SVD"
            )
        if getattr(one.layer, "kernel_constraint", None) is not None:
            notes.append(f"{one.layer.name}: the constraint of its kernel does not hold on factors")
    return tuple(notes)
