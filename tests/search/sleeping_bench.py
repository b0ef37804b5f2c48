"""A worker of a search whose trials sleep: for tests of workers, and to time how they share.

    python tests/search/sleeping_bench.py STORAGE FOLDER [--artifacts DIR] [--seconds 0.2] …

Prints a line at the begin of each trial, and at the end the record of the best one.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search import study as shared
from tflite_squeeze.search import working
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.choice import Choice
from tflite_squeeze.search.promise import best_of
from tflite_squeeze.search.record import Loss, Stage, Trial
from tflite_squeeze.search.study import Facts, Study, opened_study
from tflite_squeeze.search.workers import Workers
from tflite_squeeze.search.working import Worker, take_in

BASE = Candidate(quantize=Quantization.INT8)
FIRST = Trial(
    number=0,
    stage="free",
    candidate=BASE,
    costs={"latency": 10.0, "macs": 1000.0},
    loss=Loss(measure="accuracy", drop=0.0, examples=100),
)
FACTS = Facts(name="net", package="1", settings="2", model="3" * 64, data="4" * 64)


class SleepingBench:
    """Makes files that are a few bytes: the narrower, the faster and the worse."""

    def __init__(self, study: Study, folder: Path, seconds: float, measure_seconds: float) -> None:
        self._study, self._folder = study, folder
        self._seconds, self._measure_seconds = seconds, measure_seconds
        self.trials: list[Trial] = [FIRST]
        self.said: list[str] = []
        self.spans: list[tuple[float, float]] = []

    def with_steps(self, candidate: Candidate, stage: Stage) -> Candidate:
        return candidate.model_copy(update={"steps": 100 if stage == "short" else 400})

    def twin(self, candidate: Candidate) -> Trial | None:
        return None

    def too_late(self, candidate: Candidate) -> bool:
        return False

    @property
    def left(self) -> float | None:
        return 60.0

    def make(self, candidate: Candidate, stage: Stage, number: int) -> Trial:
        self.tell(f"begin {number} {stage} {candidate.keep}")
        began = time.time()
        seconds = self._seconds * candidate.steps / 100
        time.sleep(seconds)
        self.spans.append((began, time.time()))
        trial = Trial(number=number, stage=stage, candidate=candidate, seconds=seconds)
        folder = self._folder / trial.folder
        folder.mkdir(parents=True)
        (folder / "file.tflite").write_bytes(f"{candidate.keep} {candidate.steps}".encode())
        drop = max(0.0, 0.5 - candidate.keep) / (10 if stage == "short" else 20)
        loss = Loss(measure="accuracy", drop=drop, examples=100)
        failures = ("too much is lost",) if drop > 0.01 else ()
        costs = {"macs": 1000 * candidate.keep}
        made = trial.model_copy(update={"loss": loss, "failures": failures, "costs": costs})
        return self.timed(made) if self._study.measures else made

    def timed(self, trial: Trial) -> Trial:
        time.sleep(self._measure_seconds)
        costs = {**trial.costs, "latency": 10 * trial.candidate.keep}
        return trial.model_copy(update={"costs": costs})

    def judged(self, trial: Trial) -> Trial:
        return trial.model_copy(update={"judged": trial.loss})

    def keep(self, trial: Trial) -> None:
        self.trials = sorted([*self.trials, trial], key=lambda one: one.number)

    def files(self, trial: Trial) -> Mapping[str, Path]:
        return {one.name: one for one in (self._folder / trial.folder).iterdir()}

    def receive(self, trial: Trial, files: Mapping[str, str]) -> None:
        for name, content in self._study.fetched(files):
            path = self._folder / trial.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def tell(self, doing: str) -> None:
        self.said.append(doing)
        print(doing, flush=True)  # noqa: T201

    def best(self, asked: Tune) -> tuple[Trial, bytes]:
        """The best trial and its file."""
        best = best_of(self.trials, asked)
        return best, (self._folder / best.folder / "file.tflite").read_bytes()


def work(
    workers: Workers | None,
    folder: Path,
    asked: Tune,
    *,
    seconds: float = 0.0,
    measure_seconds: float = 0.0,
    facts: Facts = FACTS,
) -> tuple[SleepingBench, list[str]]:
    """Works on a search to its end; returns what was found, and the notes."""
    folder.mkdir(parents=True, exist_ok=True)
    with opened_study(workers, folder / "study.journal", facts, asked) as study:
        bench = SleepingBench(study, folder, seconds, measure_seconds)
        choice = Choice(asked, frozenset({"narrow"}), BASE, study)
        notes = Worker(study, choice, asked, bench, FIRST, free=1).run()
        take_in(study, bench)
    return bench, notes


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("storage")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--artifacts")
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--measure", choices=("no", "here", "only"), default="here")
    parser.add_argument("--grace", type=float, default=1.5)
    parser.add_argument("--ready", type=int, default=1, help="begin when so many have started")
    parser.add_argument("--vain", type=int, default=working.IN_VAIN)
    given = parser.parse_args(arguments)
    shared.BEAT_SECONDS, shared.GRACE_SECONDS = given.grace / 5, given.grace
    working.POLL_SECONDS, working.IN_VAIN = 0.05, given.vain
    workers = Workers(storage=given.storage, artifacts=given.artifacts,
                      measure_here=given.measure == "here",
                      measure_only=given.measure == "only")  # fmt: skip
    asked = Tune(trials=given.trials)
    (given.folder.parent / f"{given.folder.name}.ready").touch()
    while len(list(given.folder.parent.glob("*.ready"))) < given.ready:
        time.sleep(0.01)
    bench, notes = work(workers, given.folder, asked, seconds=given.seconds)
    best, content = bench.best(asked)
    print(json.dumps(bench.spans))  # noqa: T201
    print(f"end {len(bench.trials)} {hashlib.sha256(content).hexdigest()} {best.number} {notes}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
