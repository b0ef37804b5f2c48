"""`tflite-squeeze verify`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, two_ended
from tflite_squeeze.tflite.flatbuffer import operator_names, pack_model, read_model
from tflite_squeeze.verification.record import VerifyRecord


@pytest.fixture(scope="module")
def corrupt(files: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the signs of its first layer's weights turned."""
    tflite = files.tflite.read_bytes()
    model = read_model(tflite)
    graph = model.subgraphs[0]
    number = operator_names(tflite)[0].index("FULLY_CONNECTED")
    buffer = model.buffers[graph.tensors[graph.operators[number].inputs[1]].buffer]
    weights = -np.frombuffer(bytes(buffer.data), np.float32)
    buffer.data = np.frombuffer(weights.tobytes(), np.uint8)
    path = tmp_path_factory.mktemp("corrupt") / "bad.tflite"
    path.write_bytes(pack_model(model))
    return path


@pytest.mark.own_process
def test_a_sound_file_exits_0(run: Any, files: Any) -> None:
    outcome = run("verify", files.model, files.tflite, "--data", files.data)
    assert (outcome.code, outcome.err) == (0, "")
    assert "verified: the file answers as the model does on 96 real samples" in outcome.out
    assert "\x1b" not in outcome.out


def test_a_corrupt_file_exits_1_and_says_where(run: Any, files: Any, corrupt: Path) -> None:
    outcome = run("verify", files.model, corrupt, "--data", files.data)
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"Error: {corrupt} failed: output scores: SQNR")
    assert "diverges first at dense" in line
    assert "hidden" in line
    assert "Inside the file" in outcome.out
    assert line.endswith("loosen the limits, or convert it again")
    made_up = run("verify", files.model, corrupt)
    assert made_up.code == 1
    assert made_up.err.strip().endswith("loosen the limits, or pass --data for real samples")


def test_json_alone_round_trips_even_for_a_failure(run: Any, files: Any, corrupt: Path) -> None:
    for file, code in ((files.tflite, 0), (corrupt, 1)):
        outcome = run("verify", files.model, file, "--data", files.data, "--json", "-")
        assert outcome.code == code
        record = VerifyRecord.model_validate_json(outcome.out)
        assert record.passed is (code == 0)


@pytest.mark.slow
def test_limits_are_applied(run: Any, files: Any) -> None:
    args = ("verify", files.model, files.tflite, "--data", files.data, "--samples", "8")
    assert run(*args, "--min-sqnr-db", "300").code == 1
    assert run(*args, "--max-drop", "0", "--min-agreement", "1").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--samples", "none"), "--samples is 'none': give a number of at least 1, or 'all'"),
        (("--samples", "0"), "--samples is '0'"),
        (("--json", "/nowhere/a.json"), "which does not exist: create it"),
        (("--scale", "1/255"), "options about data are given, but no data: pass --data"),
        (("--data", "nowhere.npz"), "nowhere.npz"),
        (("--import", "no_such_module"), "--import no_such_module: No module named"),
    ],
)
def test_wrong_use_is_one_line(run: Any, files: Any, options: tuple[str, ...], said: str) -> None:
    assert said in run("verify", files.model, files.tflite, *options).refused()


def test_files_that_are_not_what_they_should_be(run: Any, files: Any, tmp_path: Path) -> None:
    assert "is not a .tflite file" in run("verify", files.model, files.model).refused()
    assert "does not exist" in run("verify", files.model, tmp_path / "no.tflite").refused()
    assert "does not exist" in run("verify", tmp_path / "no.keras", files.tflite).refused()
    (tmp_path / "cut.tflite").write_bytes(files.tflite.read_bytes()[:600])
    cut, whole = tmp_path / "cut.tflite", files.tflite
    for first, second in ((files.model, cut), (cut, whole), (whole, cut)):
        assert f"{cut} is damaged" in run("verify", first, second).refused()


def test_another_models_file_is_refused(run: Any, files: Any, tmp_path: Path) -> None:
    two_ended(LIBRARIES["tf_keras"]).save(tmp_path / "other.keras")
    said = run("verify", tmp_path / "other.keras", files.tflite).refused()
    assert "do not match the file's" in said


def test_the_output_may_not_be_an_input(run: Any, files: Any) -> None:
    before = files.tflite.read_bytes()
    said = run("verify", files.model, files.tflite, "--json", files.tflite, "--force").refused()
    assert "is the input itself" in said
    assert files.tflite.read_bytes() == before
