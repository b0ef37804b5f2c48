"""A recipe run whole: steps, refusals, limits, claims, and going on after an interruption."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.compress.layers import select
from tflite_squeeze.convert.config import Convert
from tflite_squeeze.convert.packed import unpack
from tflite_squeeze.errors import CheckFailed, InputError, OutputError, UsageError
from tflite_squeeze.io.models import load_model
from tflite_squeeze.measure.turns import turn_by_turn
from tflite_squeeze.pipeline import outcome, run_step
from tflite_squeeze.pipeline.convert import convert
from tflite_squeeze.pipeline.recipe import Recipe
from tflite_squeeze.pipeline.recipe_file import load_recipe
from tflite_squeeze.pipeline.run import Progress
from tflite_squeeze.pipeline.squeeze import squeeze
from tflite_squeeze.report.squeeze_report import Report

TRAINING = {"epochs": 2, "batch": 16, "learning_rate": 0.01}
INT8 = {"quantize": "int8", "per_channel_dense": False, "sparsity": "dense"}


def _recipe(*steps: Any, **values: Any) -> Recipe:
    return Recipe.model_validate({"name": "tiny", "steps": steps, "convert": INT8, **values})


TWO = (
    {"prune": {"sparsity": 0.5}, "finetune": TRAINING},
    {"prune": {"sparsity": 0.75}, "finetune": TRAINING},
)


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    """Rows of 8 numbers, and the class that the largest of the first three is."""
    x = tiny_models.examples(96, 8)
    y = np.argmax(x[:, :3], axis=1)
    return {"x_train": x[:64], "y_train": y[:64], "x_test": x[64:], "y_test": y[64:]}


@pytest.fixture(scope="module")
def npz(data: dict[str, np.ndarray], tmp_path_factory: Any) -> Path:
    path = Path(tmp_path_factory.mktemp("data")) / "data.npz"
    np.savez(path, **data)
    return path


@pytest.fixture(scope="module")
def trained(data: dict[str, np.ndarray]) -> Any:
    model = tiny_models.dense(LIBRARIES["keras"])
    model.compile(LIBRARIES["keras"].optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(data["x_train"], data["y_train"], epochs=30, verbose=0, batch_size=16)
    return model


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs take 10 µs; measured where a test says so."""
    monkeypatch.setattr(
        outcome, "turn_by_turn", lambda files: {name: np.full(3, 10.0) for name in files}
    )


def _zeros(path: Path) -> list[int]:
    targets = select(load_model(path).model).targets
    return [int(np.sum(np.asarray(target.variable) == 0)) for target in targets]


def test_a_whole_run(library: Any, npz: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    result = squeeze(tiny_models.dense(library), _recipe(*TWO), str(npz), tmp_path / "out",
                     on_progress=told.append)  # fmt: skip
    left = {file.name for file in (tmp_path / "out").iterdir()}
    assert left == {
        "state.json", "recipe.yaml", "step_1_prune.keras", "step_2_prune.keras", "dense.tflite",
        "before.tflite", "before_float32.tflite", "report.json", "report.md", "steps.png",
        "tensors.png",
    }  # fmt: skip
    assert _zeros(tmp_path / "out" / "step_1_prune.keras") == [64, 24]
    assert _zeros(tmp_path / "out" / "step_2_prune.keras") == [96, 36]
    assert (tmp_path / "out" / "dense.tflite").read_bytes() == result.tflite
    report = Report.model_validate_json((tmp_path / "out" / "report.json").read_bytes())
    assert report == result.report
    assert report.passed
    assert [step.status for step in report.steps] == ["done", "done"]
    assert report.steps[1].before == report.steps[0].after
    assert report.outcome is not None
    assert [(c.kind, c.passed) for c in report.outcome.claims] == [
        ("zeros", True), ("dtype", True), ("zeros", True), ("dtype", True)
    ]  # fmt: skip
    assert report.outcome.file.nonzeros < report.baseline.start.nonzeros / 2
    assert load_recipe(tmp_path / "out" / "recipe.yaml") == _recipe(*TWO).resolved()
    # It tells of the parts in order, and of each epoch.
    assert [p.what for p in told if not p.epochs] == [
        "the model as it is", "prune", "prune", "the file"
    ]  # fmt: skip
    assert [(p.done, p.epoch) for p in told if p.epochs] == [
        (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)
    ]  # fmt: skip


def test_without_steps_data_or_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "turn_by_turn", partial(turn_by_turn, turns=3))
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), Recipe(name="plain"))
    assert result.folder is None
    assert result.report.passed
    assert result.report.baseline.quality is None
    assert result.report.outcome is not None
    assert result.report.outcome.latency is not None
    assert result.report.outcome.latency.result_us > 0
    plain = convert(tiny_models.dense(LIBRARIES["keras"]), Convert(name="dense"))
    assert result.tflite == plain.tflite


def test_a_step_that_does_not_pay_is_skipped(trained: Any, npz: Path, tmp_path: Path) -> None:
    hopeless = {"prune": {"sparsity": 0.95}, "finetune": False, "max_drop": 0.0,
                "on_refusal": "skip"}  # fmt: skip
    nothing = {"prune": {"sparsity": 0.5, "only": ["Conv2D"]}, "on_refusal": "skip"}
    grown = {"prune": {"sparsity": 0.0}, "finetune": False, "pays": "macs", "on_refusal": "skip"}
    recipe = _recipe(hopeless, nothing, grown, TWO[0])
    result = squeeze(trained, recipe, str(npz), tmp_path)
    steps = result.report.steps
    assert [step.status for step in steps] == ["skipped", "skipped", "skipped", "done"]
    assert "accuracy is worse than at the beginning by" in steps[0].reasons[0]
    assert "matches none of" in steps[1].reasons[0]
    assert steps[2].reasons == ("macs 176 → 176: not smaller",)
    # The last step began with the model as it was.
    assert steps[3].before == result.report.baseline.quality
    assert _zeros(tmp_path / "step_4_prune.keras") == [64, 24]
    assert not list(tmp_path.glob("step_1*"))
    assert result.report.passed


def test_a_step_that_does_not_pay_stops_the_run(trained: Any, npz: Path, tmp_path: Path) -> None:
    lossy = {**TWO[0], "max_drop": 0.0, "prune": {"sparsity": 0.95}, "finetune": False}
    recipe = _recipe(lossy, {"prune": {"sparsity": 0.97}})
    result = squeeze(trained, recipe, str(npz), tmp_path)
    assert [step.status for step in result.report.steps] == ["stopped"]
    assert result.tflite is None
    assert not (tmp_path / "dense.tflite").exists()
    with pytest.raises(CheckFailed, match=r"step 1 \(prune\) does not pay: accuracy is worse"):
        result.check()
    text = (tmp_path / "report.md").read_text()
    assert "1 more step not run" in text
    # Going on does not do it again.
    again = squeeze(trained, recipe, str(npz), tmp_path, resume=True)
    assert again.report.steps == result.report.steps


def test_what_was_not_reached_is_refused(npz: Path) -> None:
    step = {"prune": {"sparsity": 0.9, "budget": "global", "max_layer_sparsity": 0.5},
            "finetune": False}  # fmt: skip
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), _recipe(step), str(npz))
    assert result.report.steps[0].reasons == ("prune did not reach what was asked of it",)


def test_limits(trained: Any, npz: Path, tmp_path: Path) -> None:
    step = {"prune": {"sparsity": 0.95}, "finetune": False}
    limits = {"max_drop": 0.01, "raw_bytes": 100, "download_bytes": 100_000, "latency_ms": 1e-6,
              "min_agreement": 0.99}  # fmt: skip
    result = squeeze(trained, _recipe(step, limits=limits), str(npz), tmp_path)
    assert result.report.outcome is not None
    found = {check.limit: check for check in result.report.outcome.limits}
    assert {name: check.passed for name, check in found.items()} == {
        "max_drop": False, "raw_bytes": False, "download_bytes": True, "latency_ms": False,
        "min_agreement": False,
    }  # fmt: skip
    assert found["max_drop"].found > 0.1
    assert found["raw_bytes"].found == len(result.tflite or b"")
    assert found["latency_ms"].found == 0.01
    with pytest.raises(CheckFailed, match=r"limit: raw_bytes is .*see .*report\.md"):
        result.check()
    assert (tmp_path / "report.json").exists()
    assert (tmp_path / "dense.tflite").exists()


def test_a_claim_that_does_not_hold_fails_the_run(
    npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A technique that says more than it did is found out in the bytes."""

    def boasting(model: Any, *args: Any, **options: Any) -> Any:
        pruned, record = run_step.prune(model, *args, **options)
        weights = tuple(w.model_copy(update={"zeros_after": w.zeros_after + 9})
                        for w in record.weights)  # fmt: skip
        return pruned, record.model_copy(update={"weights": weights})

    monkeypatch.setitem(run_step.VERBS, "prune", boasting)
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), _recipe(TWO[0]), str(npz))
    assert not result.report.passed
    with pytest.raises(CheckFailed, match=r"hidden/kernel has 6. .zeros., claimed was 73 or more"):
        result.check()


def test_the_given_model_teaches(trained: Any, npz: Path, tmp_path: Path) -> None:
    """Zeros stay while it is distilled, and no label is needed."""
    once = {"prune": {"sparsity": 0.5}, "finetune": False}
    taught = {"distill": {"distance": "mse"}, "finetune": {**TRAINING, "epochs": 10}}
    x = np.load(npz)
    images = {"x_train": x["x_train"], "x_test": x["x_test"]}
    result = squeeze(trained, _recipe(once, taught), images, tmp_path)
    assert result.report.failures == ()
    record = result.report.steps[1].record
    assert record is not None
    assert record["distance_after"] < record["distance_before"]
    assert _zeros(tmp_path / "step_2_distill.keras") == [64, 24]


def test_the_packed_form(npz: Path, tmp_path: Path) -> None:
    recipe = _recipe(pack=True, limits={"packed_bytes": 50})
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), recipe, str(npz), tmp_path)
    packed = (tmp_path / "dense.tflite.sqz").read_bytes()
    assert unpack(packed) == result.tflite
    assert result.report.outcome is not None
    (limit,) = result.report.outcome.limits
    assert (limit.found, limit.passed) == (len(packed), False)


def test_zeros_of_an_earlier_step_stay(npz: Path, tmp_path: Path) -> None:
    first = {"prune": {"sparsity": 0.5, "only": ["hidden"]}, "finetune": TRAINING}
    second = {"prune": {"sparsity": 0.5, "only": ["scores"]}, "finetune": TRAINING}
    squeeze(tiny_models.dense(LIBRARIES["keras"]), _recipe(first, second), str(npz), tmp_path)
    assert _zeros(tmp_path / "step_2_prune.keras") == [64, 24]


def test_every_claim_is_checked_in_the_bytes(npz: Path, tmp_path: Path) -> None:
    """Ranks, widths, zeros and shared values, one after the other on one model."""
    steps = (
        {"narrow": {"ratio": 0.25, "multiple": 4}, "finetune": False},
        {"factorize": {"ranks": {"hidden": 2}}, "finetune": TRAINING},
        {"prune": {"sparsity": 0.5, "only": ["scores"]}, "finetune": TRAINING},
        {"cluster": {"clusters": 4, "only": ["scores"]}, "finetune": TRAINING},
    )
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), _recipe(*steps), str(npz), tmp_path)
    assert result.report.failures == ()
    assert [step.status for step in result.report.steps] == ["done"] * 4
    assert result.report.outcome is not None
    checks = {(c.weight, c.kind): c for c in result.report.outcome.claims if c.kind != "dtype"}
    assert {key: check.claimed for key, check in checks.items()} == {
        ("hidden_factor_1/kernel", "shape"): "rank 2 of 8",
        ("hidden/kernel", "shape"): "rank 2 of 8",
        ("scores/kernel", "zeros"): "18 or more",
        ("scores/kernel", "distinct values"): "5 or fewer in a row",
    }
    assert checks["hidden_factor_1/kernel", "shape"].found == "2x8"
    assert checks["hidden/kernel", "shape"].found == "12x2"


def test_refused_before_anything_runs(npz: Path, tmp_path: Path, data: Any) -> None:
    model = tiny_models.dense(LIBRARIES["keras"])
    with pytest.raises(UsageError, match="calibrated on real samples: pass data"):
        squeeze(model, _recipe(), None, tmp_path / "out")
    bare = _recipe(limits={"max_drop": 0.1})
    with pytest.raises(UsageError, match="pass labelled data"):
        squeeze(model, bare, data["x_train"], tmp_path / "out")
    with pytest.raises(UsageError, match="resume needs the folder"):
        squeeze(model, _recipe(), str(npz), resume=True)
    tflite = convert(model, verification=None).tflite
    with pytest.raises(UsageError, match="a recipe needs a Keras model"):
        squeeze(tflite, _recipe(), str(npz))
    assert not (tmp_path / "out").exists()


class _Killed(BaseException):
    """Stands for SIGKILL within the process: nothing catches it."""


def test_interrupted_anywhere_it_ends_with_the_same_bytes(
    npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped at each write in turn, it goes on to what it would have been."""
    from tflite_squeeze.pipeline.run_folder import RunFolder

    model = tiny_models.dense(LIBRARIES["tf_keras"])
    recipe = _recipe(*TWO)
    whole = squeeze(model, recipe, str(npz), tmp_path / "whole")
    put = RunFolder.put
    left = 0

    def dying(self: RunFolder, name: str, content: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            (self.folder / ".tflite-squeeze-half").write_bytes(content[: len(content) // 2])
            raise _Killed
        put(self, name, content)

    monkeypatch.setattr(RunFolder, "put", dying)
    applied = []
    verb = run_step.VERBS["prune"]
    counted = lambda *args, **options: (applied.append(1), verb(*args, **options))[1]  # noqa: E731
    monkeypatch.setitem(run_step.VERBS, "prune", counted)
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
from tflite_squeeze.pipeline.squeeze import squeeze
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


def test_it_goes_on_with_the_same_run_only(npz: Path, tmp_path: Path, data: Any) -> None:
    model, recipe = tiny_models.dense(LIBRARIES["keras"]), _recipe(TWO[0])
    out = tmp_path / "out"
    squeeze(model, recipe, str(npz), out)
    with pytest.raises(OutputError, match=r"holds files .pass --resume to go on"):
        squeeze(model, recipe, str(npz), out)
    with pytest.raises(OutputError, match="a run of another recipe"):
        squeeze(model, _recipe(TWO[1]), str(npz), out, resume=True)
    with pytest.raises(OutputError, match="a run of another recipe"):
        squeeze(model, recipe, str(npz), out, resume=True, seed=5)
    other = tiny_models.dense(LIBRARIES["tf_keras"])
    with pytest.raises(OutputError, match="a run of another model"):
        squeeze(other, recipe, str(npz), out, resume=True)
    np.savez(tmp_path / "other.npz", **{**data, "y_train": data["y_train"][::-1]})
    with pytest.raises(OutputError, match="a run of another data"):
        squeeze(model, recipe, str(tmp_path / "other.npz"), out, resume=True)
    step = out / "step_1_prune.keras"
    step.write_bytes(step.read_bytes()[:-1])
    with pytest.raises(InputError, match="was changed since step 1 wrote it"):
        squeeze(model, recipe, str(npz), out, resume=True)
    (out / "state.json").write_text("{}")
    with pytest.raises(InputError, match="not the state of a run"):
        squeeze(model, recipe, str(npz), out, resume=True)
    assert squeeze(model, recipe, str(npz), out, force=True).report.passed


def test_a_folder_of_something_else_is_left_alone(npz: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match=r"no state\.json to go on from"):
        squeeze(tiny_models.dense(LIBRARIES["keras"]), _recipe(), str(npz), tmp_path, resume=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot use folder"):
        squeeze(tiny_models.dense(LIBRARIES["keras"]), _recipe(), str(npz), tmp_path / "file")
