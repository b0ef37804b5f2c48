"""`tflite-squeeze convert`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.tflite.flatbuffer import metadata_of, operator_names
from tflite_squeeze.tflite.signatures import signatures_of


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "a.tflite"


def _left(out: Path) -> list[str]:
    return sorted(file.name for file in out.parent.iterdir())


def test_a_model_becomes_a_verified_file(run: Any, files: Any, out: Path) -> None:
    outcome = run("convert", files.model, "-o", out, "--data", files.data)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{out}: verified: the file answers as the model does on 96 real" in outcome.out
    assert "\x1b" not in outcome.out
    assert _left(out) == ["a.tflite"]


@pytest.mark.parametrize("name", ["lenet_5.keras", "lenet_5.h5"])
def test_reference_models_in_int8(
    run: Any, models: Path, samples: Path, out: Path, name: str
) -> None:
    data = samples / "fashion-mnist.npz"
    options = ("--quantize", "int8", "--io-dtype", "int8", "--samples", "64")
    outcome = run(
        "convert", models / name, "-o", out, "--data", data, *options,
        "--calibration-samples", "64", "--json", "-",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = ConvertRecord.model_validate_json(outcome.out)
    assert record.passed
    assert record.float_operators == ()
    assert record.calibration_examples == 64
    assert record.size.raw_bytes < (record.source.model_bytes or 0) / 3
    assert record.model_dump_json(indent=2) + "\n" == outcome.out


@pytest.mark.slow
def test_the_watch_lstm_is_fused(run: Any, models: Path, samples: Path, out: Path) -> None:
    outcome = run(
        "convert", models / "watch_lstm.keras", "-o", out, "--data", samples / "watch.npz"
    )
    assert outcome.code == 0, outcome.err
    names = operator_names(out.read_bytes())
    assert [name for name in names[0] if "LSTM" in name] == ["UNIDIRECTIONAL_SEQUENCE_LSTM"]


def test_a_model_of_tf_keras_and_a_saved_model(run: Any, out: Path, tmp_path: Path) -> None:
    tiny_models.dense(LIBRARIES["tf_keras"]).save(tmp_path / "net.keras")
    tiny_models.dense(keras).export(tmp_path / "saved", verbose=False)
    for source in (tmp_path / "net.keras", tmp_path / "saved"):
        outcome = run("convert", source, "-o", out, "--force", "--no-verify")
        assert outcome.code == 0, outcome.err
        assert "not verified: the check was left out, as asked" in outcome.out


def test_options_reach_the_file(run: Any, files: Any, out: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cat\n\n dög \nbee\n")
    outcome = run(
        "convert", files.model, "-o", out, "--batch", "4", "--name", "pets", "--no-verify",
        "--labels", tmp_path / "labels.txt", "--json", tmp_path / "a.json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    tflite = out.read_bytes()
    facts = json.loads(metadata_of(tflite)["tflite_squeeze"])
    assert (facts["name"], facts["labels"]) == ("pets", ["cat", "dög", "bee"])
    assert signatures_of(tflite)[0].inputs == {"x": (4, 8)}
    record = ConvertRecord.model_validate_json((tmp_path / "a.json").read_text())
    assert record.config.batch == 4


def test_a_dynamic_batch_and_an_input_shape(run: Any, files: Any, out: Path) -> None:
    assert run("convert", files.model, "-o", out, "--batch", "dynamic", "--no-verify").code == 0
    assert signatures_of(out.read_bytes())[0].inputs == {"x": (-1, 8)}
    args = ("convert", files.model, "-o", out, "--force", "--no-verify", "--input-shape", "x=3,8")
    assert run(*args).code == 0
    assert signatures_of(out.read_bytes())[0].inputs == {"x": (3, 8)}


def test_quiet_prints_nothing(run: Any, files: Any, out: Path) -> None:
    outcome = run("-q", "convert", files.model, "-o", out, "--no-verify")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert out.is_file()


@pytest.mark.slow
def test_verbose_shows_what_the_converter_says(files: Any, out: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"
    }
    said = {}
    for option in ("-v", "-q"):
        done = subprocess.run(
            [sys.executable, "-m", "tflite_squeeze", option, "convert", str(files.model), "-o",
             str(out), "--no-verify", "--force"],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        said[option] = done.stderr
    assert "SavedModel" in said["-v"]
    assert said["-q"] == ""


@pytest.mark.slow
def test_a_file_that_fails_is_set_aside(run: Any, files: Any, out: Path) -> None:
    args = ("convert", files.model, "-o", out, "--data", files.data, "--min-sqnr-db", "300")
    outcome = run(*args, "--quantize", "int8", "--json", "-")
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"Error: {out} was not written, the file failed its check")
    assert _left(out) == ["a.rejected.tflite"]
    assert not ConvertRecord.model_validate_json(outcome.out).passed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--batch", "0"), "batch is 0: give a positive number or 'dynamic'"),
        (("--batch", "many"), "--batch is 'many': give a number, or 'dynamic'"),
        (("--input-shape", "x"), "--input-shape is 'x': write NAME=1,28,28,1"),
        (("--input-shape", "x=1,a"), "--input-shape is 'x=1,a'"),
        (("--input-shape", "x=1,9"), "contradicts the model's (None, 8)"),
        (("--input-shape", "z=1,8"), "names ['z'], but the inputs are ['x']"),
        (("--io-dtype", "int8"), "io_dtype int8 needs quantize='int8', not 'none'"),
        (("--quantize", "int8"), "calibrates on real samples and got none: pass --data"),
        (("--data", "nowhere.npz"), "nowhere.npz"),
        (("--labels", "nowhere.txt"), "labels nowhere.txt does not exist"),
        (("--samples", "-1"), "--samples is '-1'"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(
    run: Any, files: Any, out: Path, options: tuple[str, ...], said: str
) -> None:
    assert said in run("convert", files.model, "-o", out, *options).refused()
    assert _left(out) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--quantize", "int8"), "pass --data"), (("--data", "nowhere.npz"), "nowhere.npz")],
)
def test_data_is_looked_for_before_the_model_is_loaded(
    run: Any, files: Any, out: Path, monkeypatch: pytest.MonkeyPatch, options: Any, said: str
) -> None:
    import tflite_squeeze.conversion.command as command

    monkeypatch.setattr(command, "open_model", lambda *args: pytest.fail("loaded"))
    assert said in run("convert", files.model, "-o", out, *options).refused()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": examples(20, 9)}, "(9,)"),
        ({"x": np.zeros((0, 8), np.float32)}, "empty"),
        ({"x": np.full((20, 8), np.nan, np.float32)}, "NaN"),
        ({"x": np.full((20, 8), "a")}, ""),
        ({"x": examples(20, 8), "y": np.zeros(19, int)}, "19"),
        ({"x": examples(20, 8), "y": np.full(20, 7)}, "3 classes"),
    ],
    ids=["shape", "empty", "nan", "text", "count", "classes"],
)
def test_data_that_cannot_be_used(
    run: Any, files: Any, out: Path, tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    options = ("--quantize", "int8", "--data", tmp_path / "bad.npz")
    assert said in run("convert", files.model, "-o", out, *options).refused()
    assert _left(out) == []


def test_labels_that_are_empty_or_no_text(run: Any, files: Any, out: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    for name, said in (("empty.txt", "is empty: write a class name per line"),
                       ("binary.txt", "is not UTF-8 text")):  # fmt: skip
        options = ("--labels", tmp_path / name)
        assert said in run("convert", files.model, "-o", out, *options).refused()


def test_models_that_cannot_be_used(run: Any, files: Any, out: Path, tmp_path: Path) -> None:
    (tmp_path / "text.keras").write_text("not a model")
    (tmp_path / "empty.keras").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    content = files.model.read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: len(content) // 2])
    for name, said in {
        "text.keras": "is not a model",
        "empty.keras": "is empty",
        "folder": "is a folder without saved_model.pb",
        "cut.keras": "is damaged or incomplete",
        "missing.keras": "does not exist",
    }.items():
        assert said in run("convert", tmp_path / name, "-o", out).refused()
    (tmp_path / "cut.tflite").write_bytes(files.tflite.read_bytes()[:600])
    assert "damaged" in run("convert", tmp_path / "cut.tflite", "-o", out).refused()
    assert _left(out) == []


def test_a_truncated_h5_file(run: Any, models: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.h5").write_bytes((models / "lenet_5.h5").read_bytes()[:5000])
    assert "damaged" in run("convert", tmp_path / "cut.h5", "-o", out).refused()


def test_weights_of_nan(run: Any, out: Path, tmp_path: Path) -> None:
    model = tiny_models.dense(keras)
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    model.save(tmp_path / "nan.keras")
    said = run("convert", tmp_path / "nan.keras", "-o", out).refused()
    assert "holds 128 NaN or infinite values of 128" in said
    assert _left(out) == []


def test_a_lambda_layer_needs_trust(run: Any, out: Path, tmp_path: Path) -> None:
    tiny_models.odd(keras, operation="abs").save(tmp_path / "coded.keras")
    said = run("convert", tmp_path / "coded.keras", "-o", out).refused()
    assert "Python code inside (Lambda layer 'odd'): pass --allow-unsafe" in said


def test_an_output_that_cannot_be_written(run: Any, files: Any, out: Path) -> None:
    args = ("convert", files.model, "-o")
    assert "is a folder" in run(*args, out.parent).refused()
    assert "does not exist: create it" in run(*args, out.parent / "no" / "a.tflite").refused()
    out.write_bytes(b"precious")
    assert "exists: pass --force" in run(*args, out).refused()
    assert out.read_bytes() == b"precious"
    said = run(*args, out.with_name("a.keras")).refused()
    assert "a.keras would be a .tflite file of another name: name it a.tflite" in said
    said = run(*args, files.model, "--force").refused()
    assert "is the input itself" in said
    json_said = run(*args, out, "--force", "--json", files.model).refused()
    assert "is the input itself" in json_said


def test_ctrl_c_leaves_nothing(
    run: Any, files: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tflite_squeeze.verification.verify as room

    def interrupt(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "run_file", interrupt)
    outcome = run("convert", files.model, "-o", out)
    assert outcome.code == 130
    assert "Stopped; nothing was left half-written." in outcome.err
    assert _left(out) == []


def test_a_json_file_is_not_overwritten(run: Any, files: Any, out: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("precious")
    options = ("--json", tmp_path / "a.json", "--no-verify")
    assert "exists: pass --force" in run("convert", files.model, "-o", out, *options).refused()
    assert (tmp_path / "a.json").read_text() == "precious"
    assert run("convert", files.model, "-o", out, *options, "--force").code == 0
    assert json.loads((tmp_path / "a.json").read_text())["source"]["name"] == "net"
