"""What a search has on disk: at any moment its trials, and the best file so far."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tflite_squeeze.files.files import is_file
from tflite_squeeze.recipes.folder import RunFolder, RunState
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.record import Trial

BEST, BEST_RECIPE, BEST_MODEL = "best.tflite", "best.yaml", "best.keras"
REPORT, RECORD, PAGE = "report.md", "report.json", "report.html"
JOURNAL = "study.journal"
WIDTHS = "widths.json"  # what is measured before the first candidate
TRIAL_FILE, TRIAL_RECIPE, TRIAL_MODEL = "file.tflite", "recipe.yaml", "model.keras"
TRIAL_FILES = (TRIAL_FILE, TRIAL_RECIPE, TRIAL_MODEL)
FRONT = "front"
# Candidates without training, beside those that are trained.
_MOST_FREE = 20


class TuneState(RunState):
    """The progress of a search.

    Attributes:
        trials: those that are finished.
    """

    trials: tuple[Trial, ...] = ()


def asked_sha256(asked: Tune) -> str:
    """The hash of what is searched for; more time or trials make no other search of it."""
    said = asked.model_dump_json(exclude={"seconds", "trials"})
    return hashlib.sha256(said.encode()).hexdigest()


def opened(
    folder: Path,
    fresh: TuneState,
    *,
    trials: int,
    inputs: Iterable[Any],
    resume: bool,
    force: bool,
) -> RunFolder:
    """Opens the folder of a search; an unfinished study of another one is taken away.

    Args:
        folder: where.
        fresh: the state of a search that has done nothing yet.
        trials: how many are trained at most.
        inputs: what is read; names that are no files count for nothing.
        resume: go on.
        force: start again.

    Raises:
        OutputError: the folder cannot be used.
        InputError: the state in it is damaged.
    """
    each = [
        f"trials/{number:03d}/{name}"
        for number in range(trials + _MOST_FREE)
        for name in TRIAL_FILES
    ]
    store = RunFolder(
        folder,
        fresh,
        names=[BEST, BEST_RECIPE, BEST_MODEL, REPORT, RECORD, PAGE, WIDTHS, *each],
        inputs=[path for one in inputs if is_file(path := Path(one))],
        resume=resume,
        force=force,
    )
    state = store.state
    if isinstance(state, TuneState) and not state.trials:
        (folder / JOURNAL).unlink(missing_ok=True)
    return store


def put_front(store: RunFolder, front: Iterable[Trial]) -> None:
    """Writes the files and recipes of the front, and takes away those that are on it no more.

    Args:
        store: the folder of the search.
        front: the trials that none other beats.
    """
    wanted = {
        f"{FRONT}/{one.number:03d}{Path(name).suffix}": f"{one.folder}/{name}"
        for one in front
        for name in (TRIAL_FILE, TRIAL_RECIPE)
    }
    there = {name for name in store.state.files if name.startswith(f"{FRONT}/")}
    for name in there - set(wanted):
        store.remove(name)
    for name, source in wanted.items():
        if not (store.folder / name).exists():
            store.put(name, store.read(source))
