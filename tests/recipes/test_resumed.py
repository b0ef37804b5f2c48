"""A recipe that goes on after it was interrupted, to the same bytes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests import tiny_models
from tests.recipes.squeeze_runs import INT8, TWO, recipe_of
from tests.tiny_models import LIBRARIES
from tflite_squeeze.errors import InputError, OutputError
from tflite_squeeze.squeezing.squeeze import squeeze
from tflite_squeeze.techniques.pruning import prune

pytestmark = [pytest.mark.usefixtures("fixed_times"), pytest.mark.slow]


class _Killed(BaseException):
    """Stands for SIGKILL within the process: nothing catches it."""


def test_interrupted_anywhere_it_ends_with_the_same_bytes(
    npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped at each write in turn, it goes on to what it would have been."""
    from tflite_squeeze.recipes.folder import RunFolder

    model = tiny_models.dense(LIBRARIES["tf_keras"])
    recipe = recipe_of(*TWO)
    whole = squeeze(model, recipe, str(npz), tmp_path / "whole")
    put = RunFolder.put
    left = 0

    def dying(self: RunFolder, name: str, content: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            half = self.folder / f"{self.state.unfinished}half"
            half.write_bytes(content[: len(content) // 2])
            raise _Killed
        put(self, name, content)

    monkeypatch.setattr(RunFolder, "put", dying)
    applied = []
    verb = prune.prune
    counted = lambda *args, **options: (applied.append(1), verb(*args, **options))[1]  # noqa: E731
    monkeypatch.setattr(prune, "prune", counted)
    out = tmp_path / "cut"
    for left in (2, 4):  # noqa: B007  # how many files are written before the end comes
        with pytest.raises(_Killed):
            squeeze(model, recipe, str(npz), out, resume=True)
    monkeypatch.setattr(RunFolder, "put", put)
    again = squeeze(model, recipe, str(npz), out, resume=True)
    assert again.tflite == whole.tflite
    assert not list(out.glob(".tflite-squeeze-*"))
    assert {file.name for file in out.iterdir()} == {
        file.name for file in (tmp_path / "whole").iterdir()
    }
    assert len(applied) == 3  # one of them was interrupted before it was on disk
    differ = {"seconds", "model_sha256", "record"}  # a .keras file holds when it was written
    for mine, other in zip(again.report.steps, whole.report.steps, strict=True):
        assert mine.model_dump(exclude=differ) == other.model_dump(exclude=differ)


PROGRAM = """
import sys
from tflite_squeeze.squeezing.squeeze import squeeze
from tflite_squeeze.techniques.pruning import prune
model, recipe, data, folder = sys.argv[1:]
squeeze(model, recipe, data, folder, resume=True)
"""


def test_killed_by_the_system_it_goes_on(npz: Path, tmp_path: Path) -> None:
    model, recipe, out = tmp_path / "net.keras", tmp_path / "r.yaml", tmp_path / "out"
    tiny_models.dense(LIBRARIES["keras"]).save(model)
    recipe.write_text(yaml.safe_dump({"name": "tiny", "steps": list(TWO), "convert": INT8}))
    command = [sys.executable, "-c", PROGRAM, str(model), str(recipe), str(npz), str(out)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 120
    while not (out / "step_1_prune.keras").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (out / "report.json").exists()
    for file in out.glob("*.json"):
        json.loads(file.read_text())
    resumed = squeeze(model, recipe, str(npz), out, resume=True)
    whole = squeeze(model, recipe, str(npz))
    assert resumed.tflite == whole.tflite


def test_it_goes_on_with_the_same_run_only(npz: Path, tmp_path: Path, ranked: Any) -> None:
    model, recipe = tiny_models.dense(LIBRARIES["keras"]), recipe_of(TWO[0])
    out = tmp_path / "out"
    squeeze(model, recipe, str(npz), out)
    with pytest.raises(OutputError, match=r"holds files .pass --resume to continue"):
        squeeze(model, recipe, str(npz), out)
    with pytest.raises(OutputError, match="a run of another recipe"):
        squeeze(model, recipe_of(TWO[1]), str(npz), out, resume=True)
    with pytest.raises(OutputError, match="a run of another recipe"):
        squeeze(model, recipe, str(npz), out, resume=True, seed=5)
    other = tiny_models.dense(LIBRARIES["tf_keras"])
    with pytest.raises(OutputError, match="a run of another model"):
        squeeze(other, recipe, str(npz), out, resume=True)
    np.savez(tmp_path / "other.npz", **{**ranked, "y_train": ranked["y_train"][::-1]})
    with pytest.raises(OutputError, match="a run of another data"):
        squeeze(model, recipe, str(tmp_path / "other.npz"), out, resume=True)
    step = out / "step_1_prune.keras"
    step.write_bytes(step.read_bytes()[:-1])
    for how in ("resume", "force"):
        with pytest.raises(
            OutputError, match=r"step_1_prune\.keras was not written by this run, or"
        ):
            squeeze(model, recipe, str(npz), out, **{how: True})
    step.unlink()
    with pytest.raises(InputError, match=r"the model of step 1, .*, is gone"):
        squeeze(model, recipe, str(npz), out, resume=True)
    assert squeeze(model, recipe, str(npz), out, force=True).report.passed
    (out / "state.json").write_text("{}")
    for how in ("resume", "force"):
        with pytest.raises(InputError, match="not the state of a run"):
            squeeze(model, recipe, str(npz), out, **{how: True})


def test_a_folder_of_something_else_is_left_alone(npz: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match=r"no state\.json to continue from"):
        squeeze(
            tiny_models.dense(LIBRARIES["keras"]),
            recipe_of(),
            str(npz),
            tmp_path,
            resume=True,
        )
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot use folder"):
        squeeze(tiny_models.dense(LIBRARIES["keras"]), recipe_of(), str(npz), tmp_path / "file")


def test_inputs_and_files_of_others_stay(npz: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    model = tiny_models.dense(LIBRARIES["keras"])
    (out / "notes.txt").write_text("mine")
    (out / ".tflite-squeeze-mine").write_text("mine")
    squeeze(model, recipe_of(TWO[0]), str(npz), out, force=True)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    step = out / "step_1_prune.keras"
    for recipe in (recipe_of(TWO[0]), recipe_of()):  # with a step of the input's name, and without
        with pytest.raises(OutputError, match="is an input, and the run would write over it"):
            squeeze(step, recipe, str(npz), out, force=True)
    with pytest.raises(OutputError, match=r"recipe\.yaml is an input"):
        squeeze(model, out / "recipe.yaml", str(npz), out, force=True)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    squeeze(model, recipe_of(), str(npz), out, force=True)
    assert not step.exists()
    assert (out / "notes.txt").read_text() == (out / ".tflite-squeeze-mine").read_text() == "mine"
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "before").write_text("mine")
    with pytest.raises(OutputError, match=r"cannot make folder .*before"):
        squeeze(model, recipe_of(), str(npz), tmp_path / "third", force=True)
    (out / "report.md").write_text("my own report")
    with pytest.raises(OutputError, match=r"report\.md was not written by this run"):
        squeeze(model, recipe_of(), str(npz), out, force=True)
