"""One step of a recipe: the technique, and whether it pays."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import PatternError, UnsupportedError, UsageError
from tflite_squeeze.recipes.claims import claims_after
from tflite_squeeze.recipes.form import Form
from tflite_squeeze.recipes.losses import losses_of
from tflite_squeeze.recipes.recipe import Step
from tflite_squeeze.recipes.report import StepReport
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.registry import technique
from tflite_squeeze.tflite.footprint import footprint
from tflite_squeeze.training.step_run import Told
from tflite_squeeze.verification.limits import Verify


@dataclass(frozen=True, kw_only=True)
class Before:
    """The starting point of a step.

    Attributes:
        number: the step's place, from 1.
        form: how the model is changed and judged.
        given: quality of that model; None without labels.
        quality: of the model that the step starts from.
        claims: what is claimed of its weights.
        tflite: the model as a file.
        verify: the limits of the recipe's file.
    """

    number: int
    form: Form
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
        model: a Keras model or a file, as its form has it, that belongs to the run.
        data: data fitted to it.
        settings: how the recipe converts, for measuring the file.
        before: what the step starts from.
        told: called after every epoch of training.
        measure: whether the model's file is measured even where it decides nothing.
    """
    started = time.perf_counter()
    report = _begun(step, before)
    try:
        changed, record = before.form.applied(step, model, data, before.claims, told)
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
        else claims_after(
            before.claims, technique(step.technique), record, before.form.weights(changed)
        ),
        "record": values,
        "seconds": time.perf_counter() - started,
    }
    report = report.model_copy(update=update)
    return Stepped(model=changed, report=report, lossy=bool(losses))


def _begun(step: Step, before: Before) -> StepReport:
    """The report of a step that has done nothing yet."""
    return StepReport(
        number=before.number,
        technique=step.technique,
        status=_status(step, lossy=False),
        settings=step.model_dump(mode="json", exclude_none=True),
        metric=before.form.metric,
        before=before.quality,
        claims=dict(before.claims),
        seconds=0.0,
    )


def intermediate_file(model: Any, settings: Convert, data: Data | None, verify: Verify) -> bytes:
    """The file of a model that is not the result, checked only where the check chooses its form.

    Args:
        model: a Keras model, or a file.
        settings: how the recipe converts.
        data: to calibrate on.
        verify: the limits of the result.
    """
    check = verify if settings.chooses_by_check else None
    return convert(model, settings, data, verification=check).tflite


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
