"""Tries thousands of damaged files of every format, each within limits of time and memory.

python tools/fuzz/run.py --seconds 120
python tools/fuzz/run.py --inputs 1000 --target keras --target h5 --seed 7

An input must be taken, or refused in one line, within 20 s of computing and 2 GB, and leave no
file behind. The same seed gives the same inputs. What breaks this is kept in build/fuzz/found and
printed; exit 1.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

_HERE = Path(__file__).resolve().parent
_TARGETS = ("tflite", "sqz", "sqz_c", "keras", "h5", "npz", "recipe", "tfrecord", "savedmodel",
            "onnx", "pt2", "labels")  # fmt: skip
_LIMIT_S, _LIMIT_GB, _START_S = 20, 2.0, 120
_WALL_FACTOR = 6  # how much longer a wait may be than the computing that is allowed
_BATCH = 200  # inputs of a process: libraries leak


@dataclass
class Tally:
    """What came of a target's inputs."""

    results: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    peak_gb: float = 0.0
    found: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """How many were tried."""
        return sum(self.results.values())

    def add(self, answer: dict[str, Any]) -> None:
        """Counts an input."""
        self.results[answer["result"] if answer["result"] in ("taken", "refused") else "found"] += 1
        self.slowest_s = max(self.slowest_s, answer["seconds"])
        self.peak_gb = max(self.peak_gb, answer["peak_gb"])
        if answer["problem"]:
            self.found.append(answer["kept"])
            print(f"--- {answer['kept']}\n{answer['problem']}", flush=True)


class Watched:
    """A worker process that is ended when an input takes too long or too much memory."""

    def __init__(self, target: str, folder: Path, seed: int, first: int, count: int) -> None:
        command = [sys.executable, str(_HERE / "worker.py"), target, str(folder)]
        self._process = subprocess.Popen(
            [*command, str(seed), str(first), str(count)], stdout=subprocess.PIPE, bufsize=0,
            start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._lines, selectors.EVENT_READ)
        self._rest = b""

    def line(self, limit_s: float) -> dict[str, Any] | str:
        """The next line, or why there is none."""
        until, worked = time.monotonic() + _WALL_FACTOR * limit_s, self._cpu_s() + limit_s
        while b"\n" not in self._rest:
            if time.monotonic() > until or self._cpu_s() > worked:
                return f"over {limit_s:.0f} s"
            if self._memory_gb() > _LIMIT_GB:
                return f"over {_LIMIT_GB} GB"
            if self._selector.select(0.05):
                read = os.read(self._lines.fileno(), 65536)
                if not read:
                    return f"the process ended with {self._process.wait()}"
                self._rest += read
        text, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _cpu_s(self) -> float:
        """How long the process has computed: on a busy machine, less than what has passed."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _memory_gb(self) -> float:
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0.0
        sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
        return int(sizes[0]) / 1e6 if sizes else 0.0

    def end(self) -> None:
        """Ends it, with all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def fuzz(target: str, folder: Path, seed: int, inputs: int, until: float) -> Tally:
    """Tries inputs of a target until there are enough, or it is late."""
    tally, first = Tally(), 0
    while first < inputs and time.monotonic() < until:
        worker = Watched(target, folder, seed, first, min(_BATCH, inputs - first))
        try:
            first = _tried(worker, tally, target, folder, first, until)
        finally:
            worker.end()
    return tally


def _tried(
    worker: Watched, tally: Tally, target: str, folder: Path, first: int, until: float
) -> int:
    """Follows a worker to its end; the number of the next input."""
    limit = _START_S
    for index in range(first, first + _BATCH):
        begun = worker.line(limit)
        if isinstance(begun, str):
            if "ended with 0" in begun:
                return index
            raise click.ClickException(f"{target} {index}: {begun}; see {folder / 'chatter'}")
        limit = _LIMIT_S
        answer = worker.line(_LIMIT_S)
        if isinstance(answer, str):
            kept = folder.parent / "found" / f"{target}-{index}-lost"
            kept.parent.mkdir(exist_ok=True)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(Path(begun["path"]).parent, kept)
            lost = {"result": "lost", "problem": answer, "kept": str(kept)}
            tally.add({**lost, "seconds": 0.0, "peak_gb": 0.0})
            return index + 1
        tally.add(answer)
        if time.monotonic() > until:
            return index + 1
    return first + _BATCH


@click.command()
@click.option("--seconds", type=float, default=3600.0, help="All targets together.")
@click.option("--inputs", type=int, default=10**9, help="Of each target, at most.")
@click.option("--target", "targets", multiple=True, type=click.Choice(_TARGETS))
@click.option("--seed", type=int, default=0)
def main(seconds: float, inputs: int, targets: tuple[str, ...], seed: int) -> None:
    """Tries damaged files of every format."""
    chosen, began = targets or _TARGETS, time.monotonic()
    tallies = {}
    for place, target in enumerate(chosen):
        folder = Path("build/fuzz").resolve() / target
        folder.mkdir(parents=True, exist_ok=True)
        left = seconds - (time.monotonic() - began)
        until = time.monotonic() + left / (len(chosen) - place)
        tallies[target] = fuzz(target, folder, seed, inputs, until)
        tally = tallies[target]
        print(
            f"{target:<11} {tally.inputs:>6} inputs, {tally.results['taken']:>6} taken, "
            f"{tally.results['refused']:>6} refused, slowest {tally.slowest_s:5.1f} s, "
            f"peak {tally.peak_gb:.2f} GB, {len(tally.found)} found",
            flush=True,
        )
    found = sum(len(tally.found) for tally in tallies.values())
    print(f"{sum(tally.inputs for tally in tallies.values())} inputs, {found} found")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
