"""A search as a page: the candidates by what they cost and what they lose, and the best file."""

from tflite_squeeze.page.contents import (
    Contents,
    Front,
    Kind,
    Measure,
    Point,
    Refusal,
    Unit,
    Verdict,
)
from tflite_squeeze.recipes.objective import Cost
from tflite_squeeze.recipes.page import data_facts, paired
from tflite_squeeze.search.record import Trial, TuneRecord
from tflite_squeeze.search.tables import cost_text, loss_text, result_table, trials_table
from tflite_squeeze.tflite.footprint import TensorBytes

_UNITS: dict[Cost, Unit] = {
    "latency": "µs", "download": "bytes", "raw": "bytes", "ram": "bytes", "macs": "",
    "energy": "nJ",
}  # fmt: skip
_LABELS: dict[Cost, str] = {
    "latency": "time of a run, one thread",
    "download": "download (gzip -9)",
    "raw": "size of the file",
    "ram": "arena of TensorFlow Lite Micro",
    "macs": "multiply-accumulates",
    "energy": "energy of a run, a proxy",
}
_ON_NPU: dict[Cost, str] = {
    "latency": "time of a run, by the compiler's estimate",
    "raw": "size of the compiled file",
    "ram": "memory, SRAM and DRAM",
}
_LOSS = Measure(label="loss against the model, on the examples that chose", unit="share")


def tune_contents(
    record: TuneRecord, recipe: str, before: tuple[TensorBytes, ...], after: tuple[TensorBytes, ...]
) -> Contents:
    """What the page of a search shows.

    Args:
        record: the evidence.
        recipe: of the best file, as text.
        before: weights of the best file without training.
        after: of the best file.
    """
    best = record.trial(record.best)
    return Contents(
        title=f"{record.model.name}, tuned for {' and '.join(record.asked.minimize)}",
        about=f"{record.seconds:,.0f} s in all, on {record.machine.cpu}",
        verdict=Verdict(passed=best.passed, lines=best.failures),
        summary=result_table(record),
        front=_front(record),
        tensors=paired(before, after),
        refusals=tuple(
            Refusal(what=f"{one.number}: {one.candidate.text()}", reason="; ".join(one.failures))
            for one in record.trials
            if one.failures
        ),
        tables=(trials_table(record),),
        recipe=recipe,
        machine=record.machine.facts,
        data=data_facts(record.data),
        versions=tuple((name, version) for name, version in record.packages.items() if version),
        commands=(
            f"tflite-squeeze squeeze {record.model.path or 'MODEL'} --recipe best.yaml "
            f"--data {record.data.get('source', 'DATA')} -o again",
        ),
    )


def _front(record: TuneRecord) -> Front:
    labels = {**_LABELS, **_ON_NPU} if record.asked.on_npu else _LABELS
    first, *second = (
        Measure(label=labels[name], unit=_UNITS[name]) for name in record.asked.minimize
    )
    points = tuple(
        Point(
            name=f"{one.number}",
            x=one.costs[record.asked.minimize[0]],
            y=one.costs[record.asked.minimize[1]] if second else one.loss.drop,
            kind=_kind(one, record),
            recipe=one.candidate.text(),
            details=_details(one),
        )
        for one in record.trials
        if one.loss is not None and one.costs
    )
    return Front(
        x=first,
        y=second[0] if second else _LOSS,
        points=points,
        given="best without training",
        tried="candidate",
        note="Candidates that miss a limit are rejected.",
    )


def _kind(one: Trial, record: TuneRecord) -> Kind:
    if one.number == record.best:
        return "result"
    if one.number == record.first:
        return "given"
    return "tried" if one.passed else "rejected"


def _details(one: Trial) -> tuple[tuple[str, str], ...]:
    facts = [(name, cost_text(name, value)) for name, value in one.costs.items()]
    facts += [(f"{name}, predicted", cost_text(name, cost)) for name, cost in one.predicted.items()]
    facts.append(("against the model", loss_text(one)))
    if one.candidate.steps:
        facts.append(("training", f"{one.stage}, {one.candidate.steps:,} steps"))
    return (*facts, ("made in", f"{one.seconds:,.0f} s"))
