"""The evidence of a search, as one object that goes through JSON and back."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tflite_squeeze.conversion.record import Source
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.page.front import unbeaten
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.runtime.machine import Machine
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.tables.displayed import Displayed

Stage = Literal["free", "short", "whole"]
Measure = Literal["accuracy", "error", "agreement", "noise"]
_WORTH = 0.98  # of another cost: what is less is worth a training


class Loss(Frozen):
    """What a file loses against the model that was given.

    Attributes:
        measure: "accuracy" of classes, mean absolute "error" of numbers against labels, or without
            labels "agreement" of classes, or "noise" of answers that are numbers.
        drop: what is lost, as a fraction; limits are on this.
        low: lower end of the 95 % interval of the loss; None where there is none.
        high: upper end.
        value: the accuracy or agreement itself; None for others.
        examples: on how many.
    """

    measure: Measure
    drop: float
    low: float | None = None
    high: float | None = None
    value: float | None = None
    examples: int


class Trial(Frozen):
    """One candidate as a file.

    Attributes:
        number: in the order of the search; its folder's name.
        stage: "free" without training, "short" for a first look, "whole" for one that may be kept.
        candidate: its numbers.
        costs: what the file costs, by name; latency in microseconds, beside the first file.
        predicted: what the structure was predicted to cost before the file was made: the time by
            what fewer channels of each group saved alone, else what is counted. Candidates whose
            cost depends on more than their widths have none.
        loss: on the examples that the search chooses by; None where it could not be made.
        judged: on the examples that judge, of those that were the best so far.
        failures: why it is no result, one line each.
        seconds: how long it took.
    """

    number: int
    stage: Stage
    candidate: Candidate
    costs: dict[str, float] = {}
    predicted: dict[str, float] = {}
    loss: Loss | None = None
    judged: Loss | None = None
    failures: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether its file meets everything that was asked, as far as it was looked at."""
        return not self.failures and self.loss is not None

    @property
    def off(self) -> float | None:
        """By what share the predicted cost missed the measured one; None without a prediction."""
        found = [abs(value / self.costs[name] - 1) for name, value in self.predicted.items()
                 if self.costs.get(name)]  # fmt: skip
        return found[0] if found else None

    @property
    def folder(self) -> str:
        """Where its recipe and its files are."""
        return f"trials/{self.number:03d}"


def is_worth(costs: Mapping[str, float], others: Mapping[str, float], asked: Tune) -> bool:
    """Whether a file costs noticeably less than another one of something that is minimized."""
    return any(costs[name] < _WORTH * others[name] for name in asked.minimize)


def worth_keeping(trials: Sequence[Trial], asked: Tune) -> list[Trial]:
    """Those that pass; of those that were trained, what costs less than each that was not.

    Args:
        trials: with the costs of everything that is minimized.
        asked: what is searched for.
    """
    passing = [one for one in trials if one.passed]
    untrained = [one.costs for one in passing if one.stage == "free"]
    return [
        one
        for one in passing
        if one.stage == "free" or all(is_worth(one.costs, other, asked) for other in untrained)
    ]


def front_of(trials: Sequence[Trial], asked: Tune) -> tuple[Trial, ...]:
    """The trials that pass and that none other beats in both of what is minimized.

    Where one cost is minimized, none other beats them in both that cost and the loss.

    Args:
        trials: of one search.
        asked: what was searched for.

    Returns:
        Those trials, the cheapest first.
    """
    known = [one for one in trials if all(name in one.costs for name in asked.minimize)]
    passing = worth_keeping(known, asked)
    pairs = []
    for one in passing:
        assert one.loss is not None  # it passes
        first, *second = (one.costs[name] for name in asked.minimize)
        pairs.append((first, second[0] if second else one.loss.drop))
    return tuple(passing[at] for at in unbeaten(pairs))


class TuneRecord(Displayed):
    """The evidence of a search.

    Attributes:
        asked: what was asked for.
        model: the model that was given.
        data: where the samples come from and how they were preprocessed.
        apart: whether candidates were chosen and judged on different examples.
        machine: what it ran on.
        packages: exact versions; None for what is not installed.
        trials: all candidates, in order.
        first: number of the file that needs no technique, the best one without training.
        best: number of the result.
        prediction_error: the median of the shares by which predicted costs missed the measured
            ones; None where nothing was predicted.
        notes: what else to know.
        seconds: how long it took, all parts of an interrupted search together.

    Example:
        >>> record = TuneRecord.model_validate_json(Path("best/report.json").read_bytes())
    """

    tables_by = ".tables:tune_tables"

    asked: Tune
    model: Source
    data: dict[str, Any]
    apart: bool
    machine: Machine
    packages: dict[str, str | None]
    trials: tuple[Trial, ...]
    first: int
    best: int
    prediction_error: float | None = None
    notes: tuple[str, ...] = ()
    seconds: float

    def trial(self, number: int) -> Trial:
        """The trial of a number."""
        return next(one for one in self.trials if one.number == number)

    @property
    def front(self) -> tuple[Trial, ...]:
        """The files that none other beats: see `front_of`."""
        return front_of(self.trials, self.asked)
