"""A search as tables."""

from tflite_squeeze.recipes.objective import Cost, Tune
from tflite_squeeze.search.limits import limit_of
from tflite_squeeze.search.record import Loss, Trial, TuneRecord
from tflite_squeeze.tables.table import Cell, Table

_STAGES = {"free": "none", "short": "short", "whole": "whole"}
_BYTES = ("download", "raw", "ram")
_TITLES: dict[Cost, str] = {
    "latency": "run, one thread",
    "download": "download, gzip -9",
    "raw": "file",
    "ram": "arena",
    "macs": "multiply-accumulates",
    "energy": "energy, a proxy",
}

_ON_NPU: dict[Cost, str] = {"latency": "run, estimated", "raw": "compiled file", "ram": "memory"}


def tune_tables(record: TuneRecord) -> list[Table]:
    """What a search found: the result, and the candidates on the way.

    Args:
        record: the evidence.
    """
    return [result_table(record), trials_table(record)]


def cost_text(name: str, value: float) -> str:
    """A cost with its unit.

    Example:
        >>> cost_text("latency", 43.42), cost_text("download", 18_212)
        ('43.4 µs', '18,212 bytes')
    """
    if name == "latency":
        return f"{value:,.1f} µs"
    if name == "energy":
        return f"{value / 1000:,.1f} µJ"
    return f"{value:,.0f} bytes" if name in _BYTES else f"{value:,.0f}"


def costs_text(trial: Trial, asked: Tune) -> str:
    """What is minimized of a trial's file, with units.

    Example:
        >>> costs_text(trial, Tune(minimize=("latency", "download")))
        '43.4 µs, 18,212 bytes'
    """
    return ", ".join(cost_text(name, trial.costs[name]) for name in asked.minimize)


def loss_text(trial: Trial) -> str:
    """What a trial's file loses, on examples that it was not chosen by where it was judged.

    Example:
        >>> loss = Loss(measure="accuracy", drop=0.004, examples=5_000)
        >>> loss_text(Trial(number=1, stage="whole", candidate=candidate, loss=loss))
        '-0.40 points'
    """
    return _loss(trial.judged or trial.loss)


def _loss(loss: Loss | None) -> str:
    if loss is None:
        return ""
    if loss.measure == "accuracy":
        return f"{-100 * loss.drop:+.2f} points"
    if loss.measure == "agreement":
        return f"{1 - loss.drop:.2%} same class"
    return f"{loss.drop:.2%} {'of the spread' if loss.measure == 'error' else 'noise'}"


def result_table(record: TuneRecord) -> Table:
    """The best file beside the best one without training.

    Args:
        record: the evidence.
    """
    first, best = record.trial(record.first), record.trial(record.best)
    rows: list[tuple[Cell, ...]] = [("what", first.candidate.text(), best.candidate.text(), "")]
    for name, value in best.costs.items():
        if name not in first.costs:  # measured by some of the workers
            continue
        before = first.costs[name]
        titles = {**_TITLES, **_ON_NPU} if record.asked.on_npu else _TITLES
        title = titles[name]  # type: ignore[index]
        rows.append((title, cost_text(name, before), cost_text(name, value),
                     f"{value / before:.3g}" if before else ""))  # fmt: skip
    for label, part in (("chosen by", "loss"), ("judged by", "judged")):
        one, other = getattr(first, part), getattr(best, part)
        if other is not None:
            title = f"against the model, {label} {other.examples:,} examples"
            rows.append((title, _loss(one), _loss(other), ""))
    return Table(
        title=f"The best file of {record.model.name} by {' and '.join(record.asked.minimize)}",
        columns=("", "without training", "result", "result / without"),
        rows=tuple(rows),
        notes=(*_interval(best, record), *_of_front(record), *record.notes, *best.failures),
    )


def _interval(best: Trial, record: TuneRecord) -> tuple[str, ...]:
    """What so many examples show of the loss."""
    loss = best.judged or best.loss
    if loss is None or loss.low is None or loss.high is None:
        return ()
    bound = limit_of(loss, record.asked)
    shown = "so that the limit is kept" if loss.high <= bound else (
        f"so that a loss above the limit of {100 * bound:.2g} points is not excluded: give more "
        f"examples to be sure"
    )  # fmt: skip
    return (
        f"with 95 % confidence the file loses between {100 * loss.low:.2f} and "
        f"{100 * loss.high:.2f} points, {shown}",
    )


def _of_front(record: TuneRecord) -> tuple[str, ...]:
    """Which rule picks the best one where two costs are minimized."""
    if len(record.asked.minimize) == 1:
        return ()
    both = " and ".join(record.asked.minimize)
    return (
        f"{len(record.front)} files are beaten by none in both {both}: they are in front/, and the "
        f"result is that of the least product of both",
    )


def trials_table(record: TuneRecord) -> Table:
    """All candidates in order.

    Args:
        record: the evidence.
    """
    names = record.asked.minimize
    front = {one.number for one in record.front} if len(names) > 1 else set()
    rows: list[tuple[Cell, ...]] = []
    for one in record.trials:
        costs = [cost_text(name, one.costs[name]) if name in one.costs else "" for name in names]
        verdict = "misses" if one.failures else "front" if one.number in front else ""
        verdict = "best" if one.number == record.best else verdict
        told = [_predicted(one)] if record.prediction_error is not None else []
        rows.append(
            (one.number, one.candidate.text(), _STAGES[one.stage], *told, *costs, _loss(one.loss),
             verdict)
        )  # fmt: skip
    told = ["predicted"] if record.prediction_error is not None else []
    return Table(
        title="Candidates",
        columns=("", "candidate", "training", *told, *names, "against the model", ""),
        rows=tuple(rows),
        notes=(
            *dict.fromkeys(
                f"{one.number}: {line}" for one in record.trials for line in one.failures
            ),
            *_predictions(record),
            "each has its file and its recipe in trials/",
        ),
    )


def _predicted(one: Trial) -> str:
    return ", ".join(cost_text(name, value) for name, value in one.predicted.items())


def _predictions(record: TuneRecord) -> tuple[str, ...]:
    """How far predictions were from what was measured."""
    if record.prediction_error is None:
        return ()
    count = sum(one.off is not None and one.stage == "short" for one in record.trials)
    candidates = "1 candidate" if count == 1 else f"{count} candidates"
    return (
        f"the costs that were predicted for {candidates} missed the measured ones by "
        f"{record.prediction_error:.1%} (median)",
    )
