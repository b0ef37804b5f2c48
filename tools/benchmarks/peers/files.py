"""Two files beside each other: bytes, latency in turns, accuracy on the same images."""

import numpy as np

from tflite_squeeze.errors import RuntimeFailure
from tflite_squeeze.runtime.fidelity import paired_difference
from tflite_squeeze.runtime.intervals import median_interval
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.tflite.signatures import signatures_of
from tflite_squeeze.tflite.size import download_bytes

from .arrays import Arrays
from .results import Row


def right(tflite: bytes, data: Arrays) -> np.ndarray:
    """Which test images a file gets right, (N,) booleans."""
    (name,) = signatures_of(tflite)[0].inputs
    (scores,) = run_file(tflite, {name: data.x_test}).outputs.values()
    return np.asarray(scores.argmax(axis=-1) == data.y_test)


def size_rows(what: str, here: bytes, peer: bytes, note: str = "") -> list[Row]:
    """Bytes of two files, as they are and gzipped."""
    return [
        Row(what=what, measure="file_bytes", here=len(here), peer=len(peer), note=note),
        Row(
            what=what,
            measure="download_bytes",
            here=download_bytes(here),
            peer=download_bytes(peer),
        ),
    ]


def turns_of(*, quick: bool) -> int:
    """How often two files take turns."""
    return 3 if quick else 20


def latency_row(what: str, here: bytes, peer: bytes, *, turns: int, larq: bool = False) -> Row:
    """Times of two files that took turns in one process, one thread."""
    times = turn_by_turn({"here": here, "peer": peer}, turns=turns, larq=larq)
    ratios = median_interval(times["here"] / times["peer"])
    return Row(
        what=what,
        measure="latency_us",
        here=float(np.median(times["here"])),
        peer=float(np.median(times["peer"])),
        ratio=ratios.difference,
        low=ratios.low,
        high=ratios.high,
    )


def accuracy_row(what: str, here: np.ndarray, peer: np.ndarray) -> Row:
    """Accuracy of two classifiers on the same images, with the interval of paired answers."""
    gap = paired_difference(peer, here)
    return Row(
        what=what,
        measure="accuracy",
        here=float(here.mean()),
        peer=float(peer.mean()),
        low=gap.low,
        high=gap.high,
    )


def beside(
    what: str,
    here: bytes,
    peer: bytes,
    data: Arrays,
    *,
    quick: bool,
    larq: bool = False,
    note: str = "",
) -> list[Row]:
    """All that is compared of two files; a peer's file that does not run says why."""
    rows = size_rows(what, here, peer, note)
    mine = right(here, data)
    try:
        theirs = right(peer, data)
        latency = latency_row(what, here, peer, turns=turns_of(quick=quick), larq=larq)
    except RuntimeFailure as error:
        reason = f"the peer's file does not run: {first_line(error)}"
        alone = {"what": what, "peer": None, "note": reason}
        return [*rows, Row(measure="accuracy", here=float(mine.mean()), **alone)]
    return [*rows, latency, accuracy_row(what, mine, theirs)]


def first_line(error: Exception) -> str:
    """What an error says, up to its first line's end."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
