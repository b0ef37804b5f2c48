"""One step of a recipe: the technique, and whether it pays."""

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import PatternError, UnsupportedError, UsageError
from tflite_squeeze.network.projections import zeros_held
from tflite_squeeze.recipes.claims import claims_after, held_zeros
from tflite_squeeze.recipes.losses import losses_of
from tflite_squeeze.recipes.recipe import Step
from tflite_squeeze.recipes.report import StepReport
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.registry import technique
from tflite_squeeze.tflite.footprint import footprint
from tflite_squeeze.training.callback import TargetNotReached
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.quality import metric_name
from tflite_squeeze.training.step_run import RunContext, Told
from tflite_squeeze.verification.limits import Verify


@dataclass(frozen=True, kw_only=True)
class Before:
    """The starting point of a step.

    Attributes:
        number: the step's place, from 1.
        original: the Keras model before the first step, which may teach.
        given: quality of that model; None without labels.
        quality: of the model that the step starts from.
        claims: what is claimed of its weights.
        tflite: the model as a file.
        verify: the limits of the recipe's file.
    """

    number: int
    original: Any
    given: float | None
    quality: float | None
    claims: Mapping[str, Claimed]
    tflite: bytes
    verify: Verify


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """The results of a step.

    Attributes:
        model: the changed model; None where the technique could not be applied.
        report: what became of the step, without the name of a file yet.
        lossy: whether it loses more than it may.
    """

    model: Any
    report: StepReport
    lossy: bool = False


def run_step(
    step: Step,
    model: Any,
    data: Data | None,
    settings: Convert,
    before: Before,
    told: Told | None = None,
    *,
    measure: bool = True,
) -> Stepped:
    """Applies a technique to a model, in place, and measures whether it pays.

    Args:
        step: the resolved step.
        model: a Keras model that belongs to the run.
        data: data fitted to it.
        settings: how the recipe converts, for measuring the file.
        before: what the step starts from.
        told: called after every epoch of training.
        measure: whether the model's file is measured even where it decides nothing.
    """
    started = time.perf_counter()
    report = _begun(step, model, before)
    try:
        changed, record = _applied(step, model, data, before, told)
    except PatternError as error:
        raise PatternError(f"step {before.number} ({step.technique}): {error}") from error
    except (UsageError, UnsupportedError) as error:
        seconds = time.perf_counter() - started
        update = {"reasons": (str(error),), "seconds": seconds}
        return Stepped(model=None, report=report.model_copy(update=update))
    tflite = b""
    if measure or step.pays is not None:
        tflite = intermediate_file(changed, settings, data, before.verify)
    values = record.model_dump(mode="json")
    losses = losses_of(step, record, before, changed, data)
    reasons = (*losses, *_reasons(step, record, before, tflite))
    update = {
        "status": _status(step, lossy=bool(losses)) if reasons else "done",
        "reasons": reasons,
        "after": record.after,
        "file": footprint(tflite) if tflite else None,
        "claims": report.claims
        if reasons
        else claims_after(before.claims, technique(step.technique), record, changed),
        "record": values,
        "seconds": time.perf_counter() - started,
    }
    report = report.model_copy(update=update)
    return Stepped(model=changed, report=report, lossy=bool(losses))


def _begun(step: Step, model: Any, before: Before) -> StepReport:
    """The report of a step that has done nothing yet."""
    return StepReport(
        number=before.number,
        technique=step.technique,
        status=_status(step, lossy=False),
        settings=step.model_dump(mode="json", exclude_none=True),
        metric=metric_name(model),
        before=before.quality,
        claims=dict(before.claims),
        seconds=0.0,
    )


def intermediate_file(model: Any, settings: Convert, data: Data | None, verify: Verify) -> bytes:
    """The file of a model that is not the result, checked only where the check chooses its form.

    Args:
        model: a Keras model.
        settings: how the recipe converts.
        data: to calibrate on.
        verify: the limits of the result.
    """
    check = verify if settings.chooses_by_check else None
    return convert(model, settings, data, verification=check).tflite


def _applied(step: Step, model: Any, data: Data | None, before: Before, told: Told | None) -> Any:
    """The verb's own (model, record); zeros of earlier steps stay."""
    applied = technique(step.technique)
    if applied.trains and data is None:
        raise UsageError(f"{applied.name} trains on samples: pass data")
    once = {"one_shot": True} if step.finetune is False else {}
    training: FineTune | None = step.finetune or None
    context = RunContext(original=before.original, told=told, owned=True)
    with zeros_held(held_zeros(before.claims, model)), warnings.catch_warnings():
        warnings.simplefilter("ignore", TargetNotReached)  # the reasons say so
        return applied.part("step")(model, step.config, data, training, context=context, **once)


def _status(step: Step, *, lossy: bool) -> Literal["skipped", "stopped"]:
    """What becomes of a step that does not pay."""
    skips = step.on_refusal == "skip" or (lossy and step.on_refusal == "soften")
    return "skipped" if skips else "stopped"


def _reasons(step: Step, record: Any, before: Before, tflite: bytes) -> tuple[str, ...]:
    """Why a step does not pay, apart from what it loses; none where it does."""
    reasons = []
    if not getattr(record, "reached", True):
        reasons.append(f"{step.technique} did not reach its target")
    if step.max_drop is not None and record.after is None:
        reasons.append(
            f"max_drop is {step.max_drop:g}, but without labels no loss of quality is measured"
        )
    if step.pays == "latency":
        ratio = _latency_ratio(before.tflite, tflite)
        if ratio >= 1:
            reasons.append(f"a run takes {ratio:.3f} times as long as before")
    elif step.pays is not None:
        was: int = getattr(footprint(before.tflite), step.pays)
        now: int = getattr(footprint(tflite), step.pays)
        if now >= was:
            reasons.append(f"{step.pays} {was:,} → {now:,}: not smaller")
    return tuple(reasons)


def _latency_ratio(before: bytes, after: bytes) -> float:
    times = turn_by_turn({"before": before, "after": after})
    return float(np.median(times["after"] / times["before"]))
