"""A process that tries changed files, one after the other, and says what came of each.

python tools/fuzz/worker.py TARGET FOLDER SEED FIRST COUNT

Prints a line of JSON before an input, so that whoever watches knows what it hung on, and one
after it. The libraries are imported once for all inputs.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import random
import shutil
import time
import traceback
import warnings
from pathlib import Path
from typing import Any, TextIO

from mutations import changed_bytes
from targets import TARGETS, Target, copied

_LONGEST = 400


def main(name: str, folder: Path, seed: int, first: int, count: int) -> None:
    """Tries the inputs `first` to `first + count` of a target."""
    with os.fdopen(os.dup(1), "w", buffering=1) as told:
        os.dup2(os.open(folder / "chatter", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
        os.dup2(1, 2)
        warnings.simplefilter("ignore")
        target = TARGETS[name]
        seeds = _seeds(target, folder / "seeds")
        work = folder / "work"
        for index in range(first, first + count):
            shutil.rmtree(work, ignore_errors=True)
            (work / "tmp").mkdir(parents=True)
            os.environ["TMPDIR"] = str(work / "tmp")
            os.chdir(work)
            rng = random.Random(f"{name} {seed} {index}")
            path = _input(target, rng.choice(seeds), work, rng)
            _tell(told, {"input": index, "path": str(path)})
            answer = outcome(target, path, folder / "seeds" / "out")
            if answer["problem"]:
                kept = folder.parent / "found" / f"{name}-{seed}-{index}{path.suffix}"
                shutil.rmtree(kept, ignore_errors=True)
                kept.parent.mkdir(exist_ok=True)
                copied(path, kept)
                answer["kept"] = str(kept)
            _tell(told, answer)


def _seeds(target: Target, folder: Path) -> list[Path]:
    """The files to start from: made once, by the first process of a target."""
    listed = folder / "listed.json"
    if not listed.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        listed.write_text(json.dumps([str(path) for path in target.seeds(folder)]))
    return [Path(path) for path in json.loads(listed.read_text())]


def _input(target: Target, seed: Path, work: Path, rng: random.Random) -> Path:
    """A changed copy of a seed."""
    path = copied(seed, work / f"input{seed.suffix}")
    names = [path / name for name in target.files if (path / name).is_file()] or [path]
    file = rng.choice(names)
    content = file.read_bytes()
    try:
        file.write_bytes(target.change(content, rng))
    except Exception:  # noqa: BLE001 - what writes the format cannot express this change
        file.write_bytes(changed_bytes(content, rng))
    return path


def outcome(target: Target, path: Path, out: Path) -> dict[str, Any]:
    """What came of an input: taken, refused, or something that must not be."""
    from tflite_squeeze.errors import SqueezeError

    before, began = _files(path), time.monotonic()
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
    problem, result = "", "taken"
    try:
        target.attempt(path, out)
    except SqueezeError as error:
        result, message = "refused", str(error)
        if "\n" in message or len(message) > _LONGEST:
            problem = f"message of {len(message)} characters: {message[:300]}"
    except BaseException as error:  # noqa: BLE001 - all else is a finding
        result = f"{type(error).__name__}: {error}"[:300]
        problem = traceback.format_exc()[-3000:]
    left = sorted(_files(path) - before)
    if left and not problem:
        problem = f"files were left: {left[:5]}"
    return {
        "result": result,
        "problem": problem,
        "seconds": time.monotonic() - began,
        "peak_gb": _peak_gb(),
    }


def _files(path: Path) -> set[str]:
    return {str(file) for file in path.parent.rglob("*")}


def _peak_gb() -> float:
    status = Path("/proc/self/status").read_text()
    (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak) / 1e6


def _tell(told: TextIO, line: dict[str, Any]) -> None:
    told.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:6]))
