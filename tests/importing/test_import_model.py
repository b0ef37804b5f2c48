"""The verb, its record and its command; and every other verb takes the file as well."""

from pathlib import Path

import numpy as np
import pytest

from tests.command_runs import Run
from tests.onnx_files import classifier, node, onnx_file, whole
from tflite_squeeze.errors import InputError
from tflite_squeeze.importing.config import Import
from tflite_squeeze.importing.import_model import import_model
from tflite_squeeze.network.loading import load_model


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    """A tiny classifier of images."""
    return onnx_file(tmp_path, *classifier(16))


def test_a_record_says_how_well_they_agree(onnx: Path) -> None:
    model, record = import_model(onnx, Import(tolerance=1e-5))
    assert record.parameters == model.count_params()
    assert record.layers["Conv2D"] == 1
    (image,) = record.inputs
    assert (image.onnx_shape, image.shape, image.layout) == (
        (1, 3, 8, 8), (8, 8, 3), "channels_last"
    )  # fmt: skip
    assert [each.layout for each in record.outputs] == ["as is"]
    assert "largest difference" in record.tables()[0].notes[1]


def test_the_command_keeps_a_model_that_loads(onnx: Path, tmp_path: Path, run: Run) -> None:
    target = tmp_path / "model.keras"
    done = run("import", onnx, "-o", target)
    assert done.code == 0, done.err
    assert "largest difference to tiny.onnx" in done.out
    image = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32)
    again = load_model(target).model
    assert np.asarray(again(image)) == pytest.approx(np.asarray(import_model(onnx)[0](image)))


def test_our_own_layers_load_without_being_asked_for(tmp_path: Path, run: Run) -> None:
    nodes = [
        node("Expand", "t s", "e"),
        node("Concat", "e x", "c", axis=1),
        node("Mul", "c m", "y"),
    ]
    weights = {"t": np.ones((1, 1, 4), np.float32), "s": whole(1, 1, 4),
               "m": np.arange(4, dtype=np.float32)}  # fmt: skip
    path, target = onnx_file(tmp_path, nodes, {"x": [1, 3, 4]}, weights), tmp_path / "own.keras"
    assert run("import", path, "-o", target).code == 0
    kinds = [type(each).__name__ for each in load_model(target).model.layers]
    assert {"Parameter", "WeightOperation"} <= set(kinds)


def test_other_verbs_take_the_file(onnx: Path, tmp_path: Path, run: Run) -> None:
    done = run("convert", onnx, "-o", tmp_path / "model.tflite")
    assert done.code == 0, done.err
    assert "'x' is [8, 8, 3] here and [1, 3, 8, 8] in the ONNX file" in done.out
    narrowed = run("narrow", onnx, "-o", tmp_path / "narrow.keras", "--ratio", "0.5", "--epochs", 0,
                   "--max-drop", 1)  # fmt: skip
    assert narrowed.code == 0, narrowed.err


def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\xff nothing")
    assert "ONNX" in run("import", path, "-o", tmp_path / "out.keras").refused()
    with pytest.raises(InputError):
        load_model(path)


def test_outputs_have_the_names_that_the_file_gives_them(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "scores"), node("Sigmoid", "x", "output_1")]
    path = onnx_file(tmp_path, nodes, {"x": [1, 4]}, {}, outputs="scores output_1")
    model, record = import_model(path)
    assert [one.name for one in record.outputs] == model.output_names
    assert model.output_names[0] == "scores"
