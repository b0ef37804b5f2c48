"""`tflite-squeeze sensitivity`, and the bar that shows how far it is."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.command_line.output import bar
from tflite_squeeze.network.save import save_model
from tflite_squeeze.techniques.pruning.sensitivity.record import SensitivityRecord

FILES = ["sensitivity.json", "sensitivity.md", "sensitivity.png"]


@pytest.fixture(autouse=True)
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two points a curve, to be quick."""
    import tflite_squeeze.techniques.pruning.sensitivity.curves as room
    import tflite_squeeze.techniques.pruning.sensitivity.sensitivity as verb

    monkeypatch.setattr(verb, "SPARSITIES", (0.5, 0.9))
    monkeypatch.setitem(room.measure_curves.__kwdefaults__, "sparsities", (0.5, 0.9))


def _record(folder: Path) -> SensitivityRecord:
    return SensitivityRecord.model_validate_json((folder / FILES[0]).read_text())


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("flavor", LIBRARIES)
def test_curves_of_both_kerases_lead_prune(
    run: Any, files: Any, tmp_path: Path, flavor: str, suffix: str
) -> None:
    model, folder = tmp_path / f"net{suffix}", tmp_path / "curves"
    save_model(tiny_models.dense(LIBRARIES[flavor]), model)
    outcome = run("sensitivity", model, "-o", folder, "--data", files.data, "--samples", "48")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith(f"{folder}: sensitivity.json, sensitivity.md and sensitivity.png\n")
    assert "hidden/kernel" in outcome.out
    assert "\x1b" not in outcome.out
    assert sorted(file.name for file in folder.iterdir()) == FILES
    record = _record(folder)
    assert record.complete
    assert record.samples == 48
    assert [point[0] for point in record.points["hidden/kernel"]] == [0.5, 0.9]
    args = ("--sparsity", "0.75", "--budget", "sensitivity", "--curves", folder / FILES[0])
    pruned = run("prune", model, "-o", tmp_path / f"pruned{suffix}", *args)
    assert (pruned.code, pruned.err) == (0, "")
    assert "zeros in 2 weights" in pruned.out


def test_a_run_that_was_stopped_goes_on(
    run: Any, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tflite_squeeze.techniques.pruning.sensitivity.curves as room

    measured, quality = [], room.quality

    def counted(*args: Any, **options: Any) -> float:
        measured.append(1)
        if len(measured) == 4:
            raise KeyboardInterrupt
        return quality(*args, **options)

    monkeypatch.setattr(room, "quality", counted)
    args = ("sensitivity", files.model, "-o", tmp_path / "curves", "--data", files.data)
    outcome = run(*args)
    assert outcome.code == 130
    assert outcome.err.strip() == "Stopped; nothing was left half-written."
    # The whole model and the first curve were measured; the third point was not.
    assert {name: len(p) for name, p in _record(tmp_path / "curves").points.items()} == {
        "hidden/kernel": 2
    }
    incomplete = tmp_path / "curves" / FILES[0]
    said = run(
        "prune", files.model, "-o", tmp_path / "p.keras", "--sparsity", "0.5",
        "--budget", "sensitivity", "--curves", incomplete,
    ).refused()  # fmt: skip
    assert "is not complete: run sensitivity again, which continues from there" in said
    assert not (tmp_path / "p.keras").exists()
    measured[:] = [1] * 10
    assert run(*args).code == 0
    assert len(measured) == 10 + 3  # the whole model and the two points that were left
    assert _record(tmp_path / "curves").complete


@pytest.mark.slow
def test_results_of_another_model_stay(run: Any, files: Any, tmp_path: Path) -> None:
    args = ("-o", tmp_path / "curves", "--data", files.data)
    assert run("-q", "sensitivity", files.model, *args).out == ""
    before = (tmp_path / "curves" / FILES[0]).read_bytes()
    tiny_models.dense(LIBRARIES["tf_keras"]).save(tmp_path / "net.keras")
    said = run("sensitivity", tmp_path / "net.keras", *args).refused()
    assert "holds results of another model, data or granularity: pass --force" in said
    assert (tmp_path / "curves" / FILES[0]).read_bytes() == before
    assert run("sensitivity", tmp_path / "net.keras", *args, "--force").code == 0
    assert (tmp_path / "curves" / FILES[0]).read_bytes() != before


def test_wrong_use_is_one_line_and_leaves_nothing(run: Any, files: Any, tmp_path: Path) -> None:
    folder = tmp_path / "curves"
    np.savez(tmp_path / "x.npz", x=examples(16, 8))
    np.savez(tmp_path / "odd.npz", x=examples(16, 8), y=np.full(16, 7))
    np.savez(tmp_path / "wide.npz", x=examples(16, 9), y=np.zeros(16, int))
    keras.Sequential([keras.Input((8,)), keras.layers.Softmax()]).save(tmp_path / "flat.keras")
    tiny_models.dense(keras).export(tmp_path / "saved", verbose=False)
    data = ("--data", files.data)
    for source, options, said in (
        (files.model, (), "sensitivity measures accuracy: pass labelled --data"),
        (files.model, ("--data", tmp_path / "x.npz"), "pass labelled --data"),
        (files.model, ("--data", tmp_path / "wide.npz"), "(9,)"),
        (files.model, ("--data", tmp_path / "odd.npz"), "from 7 to 7, but the model has 3 classes"),
        (files.model, ("--data", tmp_path / "no.npz"), "no.npz"),
        (files.model, (*data, "--samples", "0"), "--samples is '0'"),
        (files.model, (*data, "--granularity", "4:2"), "granularity is '4:2': use element"),
        (tmp_path / "saved", data, "saved comes without its layers (saved_model)"),
        (tmp_path / "flat.keras", data, "has no weight that can be pruned"),
        (tmp_path / "no.keras", data, "does not exist"),
    ):
        assert said in run("sensitivity", source, "-o", folder, *options).refused()
        assert not folder.exists()


def test_a_folder_that_cannot_be(run: Any, files: Any, tmp_path: Path) -> None:
    args = ("sensitivity", files.model, "--data", files.data, "-o")
    assert "cannot make folder" in run(*args, files.data).refused()
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / FILES[0]).write_text("precious")
    said = run(*args, tmp_path / "curves").refused()
    assert "is not a record of sensitivity: pass --force" in said
    assert (tmp_path / "curves" / FILES[0]).read_text() == "precious"


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("screen", "quiet", "shown"),
    [(_Screen, False, True), (_Screen, True, False), (io.StringIO, False, False)],
    ids=["terminal", "quiet", "file"],
)
def test_the_bar_is_for_terminals_only(
    monkeypatch: pytest.MonkeyPatch, screen: Any, quiet: bool, shown: bool
) -> None:
    stream: io.StringIO = screen()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    context: Any = SimpleNamespace(obj={"quiet": quiet, "verbose": False})
    with bar(context, "Measuring") as advance:
        advance(1, 4)
        advance(4, 4)
    assert ("Measuring" in stream.getvalue()) == shown
    assert ("100%" in stream.getvalue()) == shown
    if not shown:
        assert stream.getvalue() == ""
