"""The file at the end of a run, checked against the recipe's limits and the steps' claims."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tflite_squeeze.conversion.convert import Converted
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import RuntimeFailure, UnsupportedError
from tflite_squeeze.network.loading import LoadedModel
from tflite_squeeze.packing.record import pack_record
from tflite_squeeze.profiling.profile import operator_times
from tflite_squeeze.profiling.record import Profile
from tflite_squeeze.recipes.claims import activation_claims, file_claims
from tflite_squeeze.recipes.claims_in_file import check_activations, check_claims
from tflite_squeeze.recipes.folder import PLAIN, START
from tflite_squeeze.recipes.form import Form
from tflite_squeeze.recipes.recipe import Limits, Recipe
from tflite_squeeze.recipes.report import LEAST, Latency, LimitCheck, Outcome, StepReport
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.tflite.footprint import footprint, tensor_bytes
from tflite_squeeze.verification.record import Verify, VerifyRecord
from tflite_squeeze.verification.verify import verify

# The file is not meant to answer like the model that was given; only the limits judge it.
# Enough to see which operators take the time; `profile` measures for longer.
_BRIEFLY = Profile(runs=20, min_seconds=0.2, warmup_seconds=0.1)
ANYTHING_GOES = {"min_sqnr_db": -1e9, "min_agreement": 0.0, "max_drop": 0.999}


def judged(
    recipe: Recipe,
    source: LoadedModel,
    form: Form,
    model: Any,
    converted: Converted,
    data: Data | None,
    steps: Sequence[StepReport],
    before: Mapping[str, bytes],
    packed: bytes | None,
) -> Outcome:
    """Measures the file beside the model that was given, and checks limits and claims.

    Args:
        recipe: what was asked for.
        source: the model that was given.
        form: how it is handled.
        model: what was converted.
        converted: the file.
        data: data fitted to the model.
        steps: what became of each step.
        before: files of the model before any step, by `PLAIN` and `START`.
        packed: the file in its packed form, where the recipe asks for it.
    """
    kept = [step for step in steps if step.status == "done"]
    claims = kept[-1].claims if kept else {}
    held = check_claims(
        converted.tflite,
        file_claims(claims, form.weights(model), converted.record, typed=form.typed),
    ) + check_activations(converted.tflite, activation_claims(claims))
    comparison = _compared(recipe, source, converted, data)
    latency = _timed(converted, before)
    file = footprint(converted.tflite)
    packing = None if packed is None else pack_record(converted.tflite, packed)
    found = {
        "max_drop": _drop(comparison),
        "raw_bytes": file.raw_bytes,
        "download_bytes": file.download_bytes,
        "latency_ms": None if latency is None else latency.result_us / 1000,
        "packed_bytes": None if packing is None else packing.packed_bytes,
        "min_agreement": _agreement(comparison),
    }
    return Outcome(
        file=file,
        packing=packing,
        conversion=converted.record,
        comparison=comparison,
        latency=latency,
        operators=None if latency is None else operator_times(converted.tflite, _BRIEFLY),
        tensors=tensor_bytes(converted.tflite),
        limits=_limits(recipe.limits, found),
        claims=held,
    )


def _limits(limits: Limits, found: dict[str, float | None]) -> tuple[LimitCheck, ...]:
    """Each limit that the recipe has beside what was measured."""
    checks = []
    for name, bound in limits.model_dump(exclude_none=True).items():
        there = found[name]
        over = there is not None and (bound - there if name in LEAST else there - bound)
        passed = there is not None and over <= 1e-12
        checks.append(LimitCheck(limit=name, bound=bound, found=there, passed=passed))
    return tuple(checks)


def _compared(
    recipe: Recipe, source: LoadedModel, converted: Converted, data: Data | None
) -> VerifyRecord | None:
    """The file's answers beside those of the model that was given; None without real samples."""
    if data is None or converted.record.unverified:
        return None
    config = Verify(samples=recipe.verify.samples, **ANYTHING_GOES)
    try:
        return verify(source, converted.tflite, data, config, quantization=Quantization.INT8)
    except RuntimeFailure:
        return None  # the conversion's own check has failed and says why


def _drop(comparison: VerifyRecord | None) -> float | None:
    """The loss of accuracy, the largest of all outputs."""
    if comparison is None:
        return None
    found = [-one.accuracy.difference for one in comparison.outputs if one.accuracy is not None]
    return max(found, default=None)


def _agreement(comparison: VerifyRecord | None) -> float | None:
    """The share of equal predictions, the least of all outputs."""
    if comparison is None:
        return None
    found = [one.agreement for one in comparison.outputs if one.agreement is not None]
    return min(found, default=None)


def _timed(converted: Converted, before: Mapping[str, bytes]) -> Latency | None:
    """Times the file beside what the model would be without any step."""
    if converted.record.unverified:
        return None
    files = {"plain": before[PLAIN], "start": before[START], "result": converted.tflite}
    try:
        times = turn_by_turn(files)
    except (RuntimeFailure, UnsupportedError):
        return None
    return Latency(
        plain_us=float(np.median(times["plain"])),
        start_us=float(np.median(times["start"])),
        result_us=float(np.median(times["result"])),
        over_plain=float(np.median(times["result"] / times["plain"])),
        over_start=float(np.median(times["result"] / times["start"])),
    )
