"""What a comparison measured, and which side is better: pure values, no TensorFlow.

A row keeps what was measured, never a verdict: the verdict follows from the numbers each time a
page is written, so that a wrong result cannot be shown as a win.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Verdict(StrEnum):
    """Which side is better."""

    WIN = "here"
    TIE = "tie"
    LOSS = "peer"
    ONLY_HERE = "only here"
    ONLY_PEER = "only the peer"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A quantity that is compared.

    Attributes:
        label: what stands in the table.
        text: how a value is written, a format specification.
        higher_is_better: whether more of it is better.
        tolerance: a smaller difference is a tie: a share of the peer's, or for differences the
            difference itself.
        difference: whether here - peer is what is judged, rather than here / peer.
    """

    label: str
    text: str = ",.0f"
    higher_is_better: bool = False
    tolerance: float = 0.005
    difference: bool = False


MEASURES = {
    "file_bytes": Measure(label="file, bytes"),
    "download_bytes": Measure(label="gzip -9, bytes"),
    "sent_bytes": Measure(label="as sent, bytes"),
    "latency_us": Measure(label="a run, µs", text=",.1f", tolerance=0.05),
    "slowdown": Measure(label="a run, over the dense file's", text=".2f", tolerance=0.05),
    "accuracy": Measure(
        label="accuracy", text=".2%", higher_is_better=True, tolerance=0.001, difference=True
    ),
    "float_layers": Measure(label="layers named to stay in float", tolerance=0.0),
    "float_operators": Measure(label="float operators", tolerance=0.0),
    "values": Measure(label="distinct values, largest layer", tolerance=0.0),
    "zeros": Measure(label="zero weights", higher_is_better=True),
    "step_ms": Measure(label="a training step, CPU ms", text=",.2f", tolerance=0.05),
    "cpu_s": Measure(label="CPU seconds", text=",.2f", tolerance=0.1),
    "cpu_ms": Measure(label="CPU ms", text=",.1f", tolerance=0.1),
}


class Row(BaseModel):
    """One comparison.

    Attributes:
        what: what was done to which model, such as "lenet_5, int8".
        measure: a key of MEASURES.
        here: this project's value; None where it has nothing to set against the peer.
        peer: the peer's; None where the peer fails or has nothing.
        ratio: here / peer as it is judged, where it is not that of the two values: of times, the
            median over turns.
        low: the lower end of a 95 % interval of here / peer, or of here - peer.
        high: its upper end.
        here_each: the values of each seed or repetition.
        peer_each: the peer's.
        note: what else to know: why a side is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    what: str
    measure: str
    here: float | None
    peer: float | None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    here_each: tuple[float, ...] = ()
    peer_each: tuple[float, ...] = ()
    note: str = ""


class Outcome(BaseModel):
    """What a case leaves in its JSON file.

    Attributes:
        case: its name.
        arguments: what its function was called with.
        command: how to run it again.
        machine: what it ran on.
        versions: version by package.
        started: date and time.
        seconds: how long it took.
        rows: its comparisons.
        notes: what was found besides, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    case: str
    arguments: dict[str, Any]
    command: str
    machine: dict[str, Any]
    versions: dict[str, str]
    started: str
    seconds: float
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def ratio_of(row: Row) -> float | None:
    """Here / peer, or here - peer where that is judged; None where a side is missing."""
    if row.here is None or row.peer is None:
        return None
    if row.ratio is not None:
        return row.ratio
    if MEASURES[row.measure].difference:
        return row.here - row.peer
    if not row.peer:
        return math.inf if row.here else 1.0
    return row.here / row.peer


def verdict_of(row: Row) -> Verdict:
    """Which side is better.

    A tie is a difference within the measure's tolerance, or an interval that holds "no
    difference". A value that is no number never wins.

    Example:
        >>> verdict_of(Row(what="lenet_5", measure="file_bytes", here=90, peer=100))
        <Verdict.WIN: 'here'>
    """
    if row.here is None:
        return Verdict.ONLY_PEER
    if row.peer is None:
        return Verdict.ONLY_HERE
    if not math.isfinite(row.here):
        return Verdict.LOSS
    if not math.isfinite(row.peer):
        return Verdict.WIN
    measure = MEASURES[row.measure]
    found = ratio_of(row)
    none = 0.0 if measure.difference else 1.0
    if abs(found - none) <= measure.tolerance + 1e-12:
        return Verdict.TIE
    if row.low is not None and row.high is not None and row.low <= none <= row.high:
        return Verdict.TIE
    return Verdict.WIN if (found > none) == measure.higher_is_better else Verdict.LOSS


def counted(rows: Iterable[Row]) -> Counter[Verdict]:
    """How often each verdict stands."""
    return Counter(verdict_of(row) for row in rows)


# Student's t that leaves 2.5 % on either side, by degrees of freedom.
_T_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def seeds_row(what: str, measure: str, here: Sequence[float], peer: Sequence[float]) -> Row:
    """Both sides of a training that was repeated with the same seeds, in pairs.

    Medians stand for the sides. The interval is that of the mean paired difference (Student's t),
    as a ratio for measures that are judged so; one seed has none.
    """
    middle = (statistics.median(here), statistics.median(peer))
    low = high = None
    if len(here) > 1:
        gaps = [mine - theirs for mine, theirs in zip(here, peer, strict=True)]
        half = _T_95[len(gaps) - 1] * statistics.stdev(gaps) / math.sqrt(len(gaps))
        low, high = statistics.mean(gaps) - half, statistics.mean(gaps) + half
        if not MEASURES[measure].difference:
            low, high = (1 + end / statistics.mean(peer) for end in (low, high))
    return Row(
        what=what,
        measure=measure,
        here=middle[0],
        peer=middle[1],
        low=low,
        high=high,
        here_each=tuple(here),
        peer_each=tuple(peer),
    )
