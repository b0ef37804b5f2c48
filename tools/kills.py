"""Kills commands at random moments (SIGKILL) and looks at what they leave behind.

Each of convert, prune and squeeze runs once undisturbed, for what it has to end with. Then they are
killed in turns, half of them at a random moment of the run and half while files are written.
After each kill the inputs have to be as they were, and every file that has its name has to be
whole. A squeeze goes on with --resume, may be killed again, and has to end with the same bytes.
What processes leave in TMPDIR, nobody can delete for them; it is counted. Exits 1 on a violation.

python tools/kills.py --count 100
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from tflite_squeeze.errors import SqueezeError
from tflite_squeeze.files.files import UNFINISHED

REPOSITORY = Path(__file__).resolve().parents[1]
RECIPE = """\
name: kills
steps:
  - prune: {sparsity: 0.5}
    finetune: {epochs: 2}
  - cluster: {clusters: 8}
convert: {quantize: int8, sparsity: dense}
pack: true
"""
KINDS = {
    "convert": ("--quantize", "int8", "-o", "out/net.tflite", "--json", "out/net.json"),
    "prune": (
        "--sparsity",
        "0.5",
        "--max-drop",
        "1",
        "--epochs",
        "2",
        "-o",
        "out/net.keras",
        "--json",
        "out/n.json",
    ),
    "squeeze": ("--recipe", "recipe.yaml", "-o", "out"),
}
RUN_AGAIN_AT_MOST = 3
POLL_S = 0.001
LONGEST_S = 600
Snapshot = dict[str, bytes]


@dataclass
class Kind:
    """One command, what it ends with undisturbed, and what came of killing it."""

    name: str
    whole: Snapshot = field(default_factory=dict)
    seconds: float = 0.0
    changes: int = 1
    kills: int = 0
    in_time: int = 0
    unfinished: int = 0
    temporary: int = 0
    resumed: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class When:
    """The moment of a kill: after some seconds, or some milliseconds after a number of changes."""

    seconds: float
    changes: int | None = None


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    seconds: float
    changes: int


def make_inputs(folder: Path) -> None:
    """Writes a tiny classifier, data with the labels that it finds itself, and a recipe."""
    import keras

    keras.utils.set_random_seed(7)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((8,), name="x"), *layers])
    model.save(folder / "net.keras")
    x = np.random.default_rng(0).random((512, 8), np.float32)
    np.savez(folder / "data.npz", x=x, y=np.argmax(model.predict(x, verbose=0), axis=1))
    (folder / "recipe.yaml").write_text(RECIPE)


def files_in(folder: Path) -> Snapshot:
    """The content of every file by its name below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def look(folder: Path) -> tuple[tuple[str, int], ...]:
    """The names in a folder and their sizes, to notice that something is written."""
    try:
        return tuple(sorted((entry.name, entry.stat().st_size) for entry in os.scandir(folder)))
    except FileNotFoundError:  # of a name that has just changed
        return ()


def run(kind: str, folder: Path, *more: str, when: When | None = None) -> Ended:
    """Runs a command in a folder, and kills it with its children when it is time."""
    command = [sys.executable, "-m", "tflite_squeeze", "--quiet", kind, "net.keras"]
    command += ["--data", "data.npz", *KINDS[kind], *more]
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "TMPDIR": str(folder / "temporary"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    said = folder / "said.txt"
    started, changes, before = time.perf_counter(), 0, look(folder / "out")
    with said.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while process.poll() is None:
            now = look(folder / "out")
            changes, before = changes + (now != before), now
            passed = time.perf_counter() - started
            if when is None:
                due = passed > LONGEST_S
            elif when.changes is None:
                due = passed > when.seconds
            else:
                due = changes >= when.changes
            if due:
                time.sleep(when.seconds if when and when.changes is not None else 0)
                break
            time.sleep(POLL_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return Ended(code=process.wait(), seconds=time.perf_counter() - started, changes=changes)


def damaged(files: Snapshot, known: Iterable[str]) -> list[str]:
    """What is wrong with files that have their names: they do not load, or nobody knows them.

    Args:
        files: content by name.
        known: names that the command writes.
    """
    wrong = []
    for name, content in files.items():
        if Path(name).name.startswith(UNFINISHED):
            continue
        if name not in known:
            wrong.append(f"{name} is left over")
        reason = _why_not_whole(name, content)
        if reason:
            wrong.append(f"{name} does not load: {reason}")
    return wrong


def _why_not_whole(name: str, content: bytes) -> str | None:
    import keras
    from ai_edge_litert.interpreter import Interpreter

    from tflite_squeeze import unpack

    try:
        if name.endswith(".json"):
            json.loads(content)
        elif name.endswith(".sqz"):
            unpack(content)
        elif name.endswith(".tflite"):
            Interpreter(model_content=content).allocate_tensors()
        elif name.endswith(".keras"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "read.keras"
                path.write_bytes(content)
                keras.models.load_model(path, compile=False)
        elif not content:
            return "it is empty"
    except (ValueError, OSError, RuntimeError, KeyError, SqueezeError) as error:
        return (str(error).splitlines() or [type(error).__name__])[0][:120]
    return None


def moment(kind: Kind, rng: random.Random) -> When:
    """A random moment: in turns of the whole run, and of the time when files are written."""
    if rng.random() < 0.5:
        return When(seconds=rng.uniform(0, kind.seconds))
    return When(seconds=rng.uniform(0, 0.004), changes=rng.randint(1, kind.changes))


class Killer:
    """Kills runs of each kind in a folder of their own, and notes what is wrong.

    Args:
        folder: where all of it happens.
        rng: chooses the moments.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.inputs = folder / "inputs"
        self.inputs.mkdir()
        make_inputs(self.inputs)
        self.before = files_in(self.inputs)

    def fresh(self, name: str) -> Path:
        """A new folder with copies of the inputs."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.inputs, folder)
        (folder / "temporary").mkdir()
        (folder / "out").mkdir()
        return folder

    def undisturbed(self, name: str) -> Kind:
        """Runs a command to its end."""
        folder = self.fresh(name)
        ended = run(name, folder)
        if ended.code:
            sys.exit(f"{name} fails undisturbed: {(folder / 'said.txt').read_text()[-400:]}")
        whole = files_in(folder / "out")
        return Kind(name, whole, ended.seconds, max(1, ended.changes))

    def kill(self, kind: Kind, most: int) -> None:
        """Kills one run, and if it is a squeeze, goes on with it and may kill it again.

        Args:
            kind: the command; what comes of it is added to it.
            most: how often at most.
        """
        folder = self.fresh(kind.name)
        resume = ("--resume",) if kind.name == "squeeze" else ()
        times = self.rng.randint(1, min(most, RUN_AGAIN_AT_MOST)) if resume else 1
        for _ in range(times):
            ended = run(kind.name, folder, *resume, when=moment(kind, self.rng))
            kind.kills += 1
            kind.in_time += ended.code == -signal.SIGKILL
            if ended.code not in (0, -signal.SIGKILL):
                said = (folder / "said.txt").read_text().strip()
                kind.wrong.append(f"it ends with {ended.code}: {said[-200:]}")
            self.check(kind, folder)
        if not resume:
            return
        kind.resumed += 1
        if run(kind.name, folder, *resume).code:
            said = (folder / "said.txt").read_text().strip()
            kind.wrong.append(f"it cannot be resumed: {said[-200:]}")
            return
        self.check(kind, folder)
        now = files_in(folder / "out")
        if now.keys() != kind.whole.keys():
            kind.wrong.append(f"resumed, its files are {sorted(now.keys() ^ kind.whole.keys())}")

    def check(self, kind: Kind, folder: Path) -> None:
        """Looks at what a run left behind."""
        there = files_in(folder)
        changed = [name for name, content in self.before.items() if there.get(name) != content]
        kind.wrong += [f"the input {name} was changed" for name in changed]
        out = files_in(folder / "out")
        known = set(kind.whole) | {"state.json"}
        if "state.json" in out:
            known |= set(json.loads(out["state.json"])["files"])
        kind.wrong += damaged(out, known)
        for name, content in out.items():
            if name.endswith((".tflite", ".sqz")) and content != kind.whole.get(name, content):
                kind.wrong.append(f"{name} differs from that of the undisturbed run")
        kind.unfinished += any(Path(name).name.startswith(UNFINISHED) for name in out)
        stray = set(there) - set(self.before) - {"said.txt"}
        stray = {name for name in stray if not name.startswith(("out/", "temporary/"))}
        kind.wrong += [f"{name} is left beside the inputs" for name in sorted(stray)]
        kind.temporary += any((folder / "temporary").iterdir())


@click.command(help=__doc__)
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--kind", "kinds", type=click.Choice([*KINDS]), multiple=True, help="By default all.")
def main(count: int, seed: int, kinds: tuple[str, ...]) -> None:
    """The command line."""
    with tempfile.TemporaryDirectory() as name:
        killer = Killer(Path(name), random.Random(seed))
        found = [killer.undisturbed(kind) for kind in kinds or KINDS]
        for number, kind in enumerate(found):
            share = count // len(found) + (number < count % len(found))
            while kind.kills < share:
                killer.kill(kind, share - kind.kills)
            click.echo(
                f"{kind.name}: {kind.kills} kills, {kind.in_time} before the end, "
                f"{kind.unfinished} amid a write, {kind.temporary} with temporary files, "
                f"{kind.resumed} resumed to the end, {len(kind.wrong)} violations"
            )
            for line, times in Counter(kind.wrong).items():
                click.echo(f"  {times}x {line}")
    violations = sum(len(kind.wrong) for kind in found)
    click.echo(f"{sum(kind.kills for kind in found)} kills, {violations} violations")
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
