"""One worker of a search: takes candidates, makes them, measures what waits, until all is done."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import optuna
from optuna.trial import FrozenTrial

from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search import study as shared
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.choice import Choice, Proposed
from tflite_squeeze.search.promise import best_of, promising
from tflite_squeeze.search.record import Stage, Trial, front_of
from tflite_squeeze.search.study import Study, record_of

POLL_SECONDS = 2.0
_FIRST_LOOKS = 4
IN_VAIN = 6  # short trials in a row that led to nothing
_OF_A_TWIN = 0.5  # which takes no training: what others lead to may still differ


class Bench(Protocol):
    """Where a worker makes candidates, and keeps what is found."""

    @property
    def trials(self) -> Sequence[Trial]:
        """All that are finished, as far as this worker knows."""

    def with_steps(self, candidate: Candidate, stage: Stage) -> Candidate:
        """A candidate with the length of its training."""

    def twin(self, candidate: Candidate) -> Trial | None:
        """A trial that has the same structure as a candidate; None without one."""

    def too_late(self, candidate: Candidate) -> bool:
        """Whether a candidate would be finished after the search has to be."""

    @property
    def left(self) -> float | None:
        """Seconds that are left; None where there is no limit."""

    def make(self, candidate: Candidate, stage: Stage, number: int) -> Trial:
        """Makes a candidate's file, and measures what this worker measures."""

    def timed(self, trial: Trial) -> Trial:
        """Measures the latency of a candidate whose files are here."""

    def judged(self, trial: Trial) -> Trial:
        """Judges what would be kept, on examples that nothing was chosen on."""

    def keep(self, trial: Trial) -> None:
        """Keeps what was found."""

    def files(self, trial: Trial) -> Mapping[str, Path]:
        """The files of a candidate, by name."""

    def receive(self, trial: Trial, files: Mapping[str, str]) -> None:
        """Fetches the files of a candidate that another worker made."""

    def tell(self, doing: str) -> None:
        """Says what is done now."""


def missing(trial: Trial, asked: Tune) -> bool:
    """Whether something that was asked about is still to be measured.

    Args:
        trial: of any candidate.
        asked: what is searched for.
    """
    needed = {*asked.minimize, *asked.limits}
    return trial.loss is not None and not needed <= set(trial.costs)


def take_in(study: Study, bench: Bench) -> None:
    """Keeps what other workers have found.

    Args:
        study: of the search.
        bench: of this worker.
    """
    known = {one.number for one in bench.trials}
    for trial, files in study.results():
        if trial.number not in known:
            bench.receive(trial, files)
            bench.keep(trial)


class Worker:
    """Works on a search until there is nothing left to do.

    Args:
        study: of the search.
        choice: of candidates.
        asked: what is searched for.
        bench: where candidates are made.
        first: the best without training.
        free: how many files were made without training; numbers of trials begin there.
    """

    def __init__(
        self, study: Study, choice: Choice, asked: Tune, bench: Bench, first: Trial, free: int
    ) -> None:
        self._study, self._choice, self._asked, self._bench = study, choice, asked, bench
        self._first, self._free = first, free
        self._vain, self._over = 0.0, False
        self._unmeasured_since: float | None = None
        self._notes: list[str] = []

    def run(self) -> list[str]:
        """Works, and returns what to know about it."""
        while True:
            take_in(self._study, self._bench)
            self._study.take_up()
            if not (self._measured() or self._worked()):
                if not self._stays():
                    return self._notes
                time.sleep(POLL_SECONDS)

    def _measured(self) -> bool:
        """Measures what others have trained."""
        if not self._study.measures:
            return False
        waiting = self._study.to_measure()
        for one in waiting:
            trial = record_of(one)
            self._bench.receive(trial, one.user_attrs["files"])
            trial = self._bench.timed(trial)
            self._ended(optuna.Trial(self._study.study, one._trial_id), trial, None)
        return bool(waiting)

    def _worked(self) -> bool:
        """Makes a candidate, unless there is no need or no time for one."""
        if self._over or not self._study.trains or self._study.begun() >= self._asked.trials:
            return False
        proposed = self._choice.proposed(self._bench.trials)
        if proposed is None:
            return self._ends("no technique of the search can change this model")
        twin = self._bench.twin(proposed.candidate) if proposed.stage == "short" else None
        if twin is not None:
            return self._known(proposed, twin)
        candidate = self._bench.with_steps(proposed.candidate, proposed.stage)
        if self._bench.too_late(candidate):
            self._study.give_back(proposed.asking, proposed.stage)
            return self._ends("the time was used up")
        ahead = self._ahead()
        self._study.begin(proposed.asking, proposed.stage, candidate.text())
        trial = self._bench.make(candidate, proposed.stage, self._free + proposed.asking.number)
        if missing(trial, self._asked):
            self._study.note(proposed.asking, trial, self._bench.files(trial))
            self._study.leave_to_measure(proposed.asking)
            return True
        self._ended(proposed.asking, trial, self._bench.files(trial))
        self._count(proposed.stage, ahead)
        return True

    def _known(self, proposed: Proposed, twin: Trial) -> bool:
        """Tells Optuna what came of another candidate that has the same structure."""
        twin = twin.model_copy(update={"candidate": proposed.candidate})
        trials = self._bench.trials
        values = self._choice.learned(proposed.asking, twin, self._first, trials)
        self._study.finish_as(proposed.asking, twin, values)
        if promising(trials, self._asked) is None:
            self._vain += _OF_A_TWIN
        self._check_vain()
        return True

    def _ends(self, why: str) -> bool:
        self._over = True
        self._notes.append(why)
        return False

    def _ended(self, asking: optuna.Trial, trial: Trial, files: Mapping[str, Path] | None) -> None:
        """Tells everyone what came of a candidate, and keeps it."""
        trial = self._bench.judged(trial)
        self._study.note(asking, trial, files)
        values = self._choice.learned(asking, trial, self._first, self._bench.trials)
        if self._study.finish(asking, values):
            self._bench.keep(trial)
        else:
            self._notes.append(
                f"{trial.candidate.text()} was finished here after another worker had taken it up"
            )

    def _ahead(self) -> set[int]:
        """What a candidate has to change to have led to something: the best, or the front."""
        trials = self._bench.trials
        kept = front_of(trials, self._asked) if len(self._asked.minimize) > 1 else ()
        return {one.number for one in (*kept, best_of(trials, self._asked))}

    def _count(self, stage: Stage, ahead: set[int]) -> None:
        """Counts candidates in a row that led to nothing."""
        trials = self._bench.trials
        hopeful = stage == "short" and promising(trials, self._asked) is not None
        if hopeful or self._ahead() != ahead:
            self._vain = 0.0
        elif sum(one.stage != "free" for one in trials) > _FIRST_LOOKS:
            self._vain += 1
        self._check_vain()

    def _check_vain(self) -> None:
        if self._vain >= IN_VAIN:
            self._ends(f"{IN_VAIN} candidates in a row led to nothing better")

    def _stays(self) -> bool:
        """Whether others have something to do that this worker waits for, or measures."""
        if self._study.alone:
            return False
        running, others = self._study.running(), self._study.others()
        waiting = [one for one in running if one.user_attrs.get("waits")]
        if self._bench.left is not None and self._bench.left <= 0:
            return self._left_behind(waiting)
        if not self._study.trains:
            unused = self._study.begun() < self._asked.trials
            trained = any(one["trains"] for one in others)
            return bool(running) or trained or (unused and not self._ever_trained())
        if not running:
            return False
        if len(waiting) == len(running) and not any(one["measures"] for one in others):
            return self._unmeasured(waiting)
        self._unmeasured_since = None
        self._bench.tell(f"waiting for {len(running)} candidates of other workers")
        return True

    def _ever_trained(self) -> bool:
        """Whether a worker that trains has been here."""
        attrs = self._study.study.user_attrs
        return any(attrs[name]["trains"] for name in attrs if name.startswith("worker "))

    def _unmeasured(self, waiting: Sequence[FrozenTrial]) -> bool:
        """Waits a while for a worker that measures, and says so."""
        now = time.monotonic()
        self._unmeasured_since = self._unmeasured_since or now
        if now - self._unmeasured_since > shared.GRACE_SECONDS:
            return self._left_behind(waiting)
        self._bench.tell(
            f"{len(waiting)} candidates wait to be measured, and no worker measures: start one "
            f"with --measure-here"
        )
        return True

    def _left_behind(self, waiting: Sequence[FrozenTrial]) -> bool:
        if waiting:
            self._notes.append(
                f"{len(waiting)} candidates were trained and not measured: start a worker with "
                f"--measure-here, then this command again with --resume"
            )
        return False
