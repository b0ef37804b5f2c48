"""All layers of a model split as planned, and repaired."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tflite_squeeze.network.rewriting import rewritten
from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factor_schemes import Choice
from tflite_squeeze.techniques.low_rank.factorable import Shapes, Weighed
from tflite_squeeze.techniques.low_rank.rank_choice import raised
from tflite_squeeze.techniques.low_rank.record import Refusal, Repair
from tflite_squeeze.techniques.low_rank.repair import Shown, repaired
from tflite_squeeze.techniques.low_rank.splitting import (
    Candidate,
    Judge,
    candidate,
    input_spec,
    judged,
    objection,
)
from tflite_squeeze.training.progress import Working


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be factorized.

    Attributes:
        model: the original.
        layers: those that may be split.
        shapes: of every call of every layer, by id.
        config: the configuration that was used.
        judge: times candidates; None to keep them untimed.
        shown: samples to repair with; None for no repair.
        tell: told of the work.
    """

    model: Any
    layers: Sequence[Weighed]
    shapes: Shapes
    config: Factorize
    judge: Judge | None
    shown: Shown | None
    tell: Working


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A factorized model.

    Attributes:
        made: the model.
        kept: what was split.
        refused: what was not, since it does not pay.
        whole: what a budget leaves whole.
        repair: what came of repairing it; None where it was not.
    """

    made: Any
    kept: list[Candidate]
    refused: list[Refusal]
    whole: list[SkippedLayer]
    repair: Repair | None

    @property
    def divergence(self) -> float:
        """Of the answers from the original's, where it was repaired."""
        return 0.0 if self.repair is None else min(self.repair.before, self.repair.after)


def attempt(job: Job, ways: Sequence[Sequence[Choice]]) -> Attempt:
    """Splits layers and repairs the model.

    Args:
        job: the model and its layers.
        ways: for each layer the ways that come into question; none to leave it whole.
    """
    kept: list[Candidate] = []
    refused: list[Refusal] = []
    whole: list[SkippedLayer] = []
    for index, (layer, some) in enumerate(zip(job.layers, ways, strict=True)):
        job.tell("splitting layers", index, len(job.layers))
        if not some:
            reason = "the budget is best spent by leaving it whole"
            name, kind = layer.one.layer.name, layer.one.kind
            whole.append(SkippedLayer(layer=name, layer_type=kind, reason=reason))
            continue
        decision = _decided(job, layer, some)
        if isinstance(decision, Refusal):
            refused.append(decision)
        else:
            kept.append(decision)
    made = rewritten(job.model, {id(one.one.layer): one.specs for one in kept})
    done = None
    if kept and job.shown is not None:
        done = repaired(
            job.model, made, job.shown, lambda at, of: job.tell("repairing layers", at, of)
        )
    return Attempt(made=made, kept=kept, refused=refused, whole=whole, repair=done)


def _decided(job: Job, layer: Weighed, ways: Sequence[Choice]) -> Candidate | Refusal:
    """The way that a layer is split, or what speaks against splitting it."""
    made = [_candidate(layer, way, job.config) for way in ways]
    able = [each for each in made if not objection(each.split)]
    if not able:
        best = min(made, key=lambda each: each.split.macs_after)
        return Refusal(split=best.split, reason=objection(best.split))
    if job.judge is None:
        return able[0]
    return judged(able, input_spec(layer.one, job.shapes), job.judge)


def _candidate(layer: Weighed, way: Choice, config: Factorize) -> Candidate:
    """A chain with the ranks chosen, or with higher ones where its error is above `max_error`.

    Spectra tell the error of a channel chain. For one that cuts twice, or splits rows from
    columns, they only estimate it.
    """
    made = candidate(layer, way, config.emit)
    while config.max_error is not None and made.split.error > config.max_error:
        higher = raised(layer.one, way, config)
        if higher is None:
            break
        way, made = higher, candidate(layer, higher, config.emit)
    return made
