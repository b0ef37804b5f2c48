"""The evidence of a whole run, as one object that goes through JSON and back."""

from typing import Any, Literal

from tflite_squeeze.conversion.record import ConvertRecord, Source
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.packing.record import PackRecord
from tflite_squeeze.profiling.record import OperatorTimes
from tflite_squeeze.recipes.claims_in_file import ClaimCheck
from tflite_squeeze.runtime.machine import Machine
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.tflite.footprint import Footprint, TensorBytes
from tflite_squeeze.verification.record import VerifyRecord


class StepReport(Frozen):
    """What became of one step.

    Attributes:
        number: its place in the recipe, from 1.
        technique: what it does.
        status: "done"; "skipped" where it did not pay and the recipe says to go on without;
            "stopped" where it says to end there.
        reasons: why it did not pay, with the numbers.
        softened: what it asked for at first and lost too much with, one line each, and what it
            asked for then.
        settings: the step as it was run last.
        metric: what quality is measured by.
        before: quality before; None without labels.
        after: quality after, whether the step was kept or not.
        file: the model after the step, as a file.
        model_file: name of the model in the run's folder; None where the step was not kept.
        model_sha256: hash of that file.
        claims: what is claimed of each weight after this step, by all steps together.
        record: what the technique says of what it did; None where it could not be applied.
        seconds: how long it took.
    """

    number: int
    technique: str
    status: Literal["done", "skipped", "stopped"]
    reasons: tuple[str, ...] = ()
    softened: tuple[str, ...] = ()
    settings: dict[str, Any]
    metric: str
    before: float | None
    after: float | None = None
    file: Footprint | None = None
    model_file: str | None = None
    model_sha256: str | None = None
    claims: dict[str, Claimed] = {}
    record: dict[str, Any] | None = None
    seconds: float


class Baseline(Frozen):
    """The model that was given.

    Attributes:
        metric: what quality is measured by.
        quality: on the validation part; None without labels.
        plain: the model converted as it is, in float32.
        start: the model converted as the recipe says, before any step.
        tensors: the weights of the plain file.
        choices_us: median time of a run of the unchanged model in each type, in turns; empty
            where the recipe names one type.
    """

    metric: str
    quality: float | None
    plain: Footprint
    start: Footprint
    tensors: tuple[TensorBytes, ...]
    choices_us: dict[str, float] = {}

    @property
    def quantize(self) -> str | None:
        """The type that is chosen, the fastest; None where the recipe names one."""
        return min(self.choices_us, key=self.choices_us.__getitem__, default=None)


# The limits that are least values; all others are largest ones.
LEAST = ("min_agreement",)


class LimitCheck(Frozen):
    """One limit beside what was measured; `found` is None where it could not be."""

    limit: str
    bound: float
    found: float | None
    passed: bool


class Latency(Frozen):
    """Both files in turns on this machine, one thread.

    Attributes:
        plain_us: median time of the plain file.
        start_us: of the unchanged model, converted as the recipe says.
        result_us: of the result.
        over_plain: median, over turns, of the result's time over the plain file's.
        over_start: the same over the unchanged model's.
    """

    plain_us: float
    start_us: float
    result_us: float
    over_plain: float
    over_start: float


class Outcome(Frozen):
    """The file at the end of the run and what was found about it.

    Attributes:
        file: what it costs.
        packing: the packed form, where the recipe asks for it.
        conversion: how it was made, and its comparison with the compressed model.
        comparison: its comparison with the model that was given.
        latency: its time beside the plain file's; None where it was not measured.
        operators: times of its operators; None where they were not measured.
        tensors: its weights, the largest first.
        limits: the recipe's limits, beside what was measured.
        claims: what the steps claim, checked in the bytes.
    """

    file: Footprint
    packing: PackRecord | None = None
    conversion: ConvertRecord
    comparison: VerifyRecord | None
    latency: Latency | None
    operators: OperatorTimes | None = None
    tensors: tuple[TensorBytes, ...]
    limits: tuple[LimitCheck, ...]
    claims: tuple[ClaimCheck, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """What the file does not meet, one line each."""
        check = self.conversion.verification
        lines = [] if check is None else [f"check: {line}" for line in check.failures]
        for limit in self.limits:
            if not limit.passed:
                found = "was not measured" if limit.found is None else f"is {limit.found:,.6g}"
                lines.append(f"limit: {limit.limit} {found}, and {limit.bound:,.6g} is the limit")
        lines += [
            f"claim: {claim.weight} has {claim.found} ({claim.kind}), claimed was {claim.claimed}"
            for claim in self.claims
            if claim.passed is False
        ]
        return tuple(lines)


class Report(Displayed):
    """The evidence of a run.

    Attributes:
        recipe: the recipe with every setting written out.
        model: the model that was given.
        data: where the samples come from and how they were preprocessed.
        notes: what became of the model on its way in.
        machine: what it ran on.
        packages: exact versions; None for what is not installed.
        baseline: the model before any step.
        steps: what became of each step.
        outcome: the file; None where a step stopped the run.
        seconds: how long it took, all parts of an interrupted run together.
        passing: where the recipe is not met, the file of the unchanged model that passes its
            check; None without one.

    Example:
        >>> Report.model_validate_json(Path("out/report.json").read_bytes()).passed
        True
    """

    tables_by = ".tables:squeeze_tables"
    pictures_by = {
        "quality and bytes by step": ".plots:steps_plot",
        "bytes of each weight": ".plots:tensors_plot",
    }

    recipe: dict[str, Any]
    model: Source
    data: dict[str, Any]
    notes: tuple[str, ...] = ()
    machine: Machine
    packages: dict[str, str | None]
    baseline: Baseline
    steps: tuple[StepReport, ...]
    outcome: Outcome | None
    seconds: float
    passing: str | None = None

    @property
    def failures(self) -> tuple[str, ...]:
        """Everything that the run did not meet, one line each."""
        stopped = [
            f"step {step.number} ({step.technique}) does not pay: {'; '.join(step.reasons)}"
            for step in self.steps
            if step.status == "stopped"
        ]
        return (*stopped, *(self.outcome.failures if self.outcome else ()))

    @property
    def passed(self) -> bool:
        """Whether there is a file and it meets everything that was asked."""
        return self.outcome is not None and not self.failures
