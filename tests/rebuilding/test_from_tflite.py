"""A float file becomes a Keras model that answers alike and can be trained; others are refused."""

from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.command_runs import Run
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import CheckFailed, UnsupportedError, UsageError
from tflite_squeeze.importing.config import Import
from tflite_squeeze.importing.import_model import import_model
from tflite_squeeze.rebuilding import from_tflite
from tflite_squeeze.rebuilding.names import short_names
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.search.tune import tune
from tflite_squeeze.squeezing.squeeze import squeeze

IMAGES = tiny_models.examples(4, *tiny_models.convolutional(keras).input_shape[1:])


def _file(folder: Path, quantize: str) -> Path:
    path = folder / f"{quantize}.tflite"
    data = IMAGES if quantize == "int8" else None
    model = tiny_models.convolutional(keras)
    path.write_bytes(convert(model, Convert(quantize=quantize), data, verification=None).tflite)
    return path


@pytest.mark.parametrize(("quantize", "apart"), [("none", 1e-5), ("float16", 2e-3)])
def test_the_layers_come_back(tmp_path: Path, quantize: str, apart: float) -> None:
    model, record = import_model(_file(tmp_path, quantize))
    assert record.evaluator == "LiteRT"
    assert {"Conv2D", "Dense"} <= set(record.layers)
    assert model.input_shape[0] is None
    before = tiny_models.convolutional(keras)
    assert np.asarray(model(IMAGES)) == pytest.approx(np.asarray(before(IMAGES)), abs=apart)
    model.compile("sgd", "mse")
    assert np.isfinite(model.train_on_batch(IMAGES, np.asarray(before(IMAGES))))


def test_answers_of_another_file_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _file(tmp_path, "none")
    original = from_tflite.run_file

    def other(tflite: bytes, inputs: dict[str, np.ndarray]) -> SimpleNamespace:
        found = original(tflite, inputs).outputs
        return SimpleNamespace(outputs={name: one[::-1] for name, one in found.items()})

    monkeypatch.setattr(from_tflite, "run_file", other)
    with pytest.raises(CheckFailed, match="differs from"):
        import_model(path, Import())


def test_integers_are_refused(tmp_path: Path, run: Run) -> None:
    path = _file(tmp_path, "int8")
    assert "quantized already (int8)" in run("import", path, "-o", tmp_path / "m.keras").refused()
    with pytest.raises(UsageError, match="quantized already"):
        import_model(path)


def test_the_command_says_what_has_no_layer(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tf2onnx import convert as translator

    path, translated = _file(tmp_path, "none"), translator.from_tflite

    def with_custom(*given: str, **options: object) -> object:
        model, storage = translated(*given, **options)
        model.graph.node[0].op_type = "TFL_Landmarks"
        return model, storage

    monkeypatch.setattr(translator, "from_tflite", with_custom)
    with pytest.raises(UnsupportedError, match="Landmarks x 1"):
        import_model(path)
    monkeypatch.undo()
    done = run("import", path, "-o", tmp_path / "again.keras")
    assert done.code == 0, done.err
    assert "largest difference to none.tflite" in done.out


def test_layers_have_the_names_of_what_was_fused_into_them() -> None:
    names = [
        "net/conv_1/BiasAdd;net/conv_1/Conv2D__14",
        "net/conv_1/BiasAdd;net/conv_1/Conv2D",
        "net/dense/MatMul;net/dense/Relu_Gemm__12",
        "Relu__7",
        "conv2d_3",
    ]
    assert short_names(names) == ["conv_1__2", "conv_1", "dense", "Relu", "conv2d_3"]


def test_every_technique_takes_the_file(tmp_path: Path, run: Run) -> None:
    path, target = _file(tmp_path, "none"), tmp_path / "pruned.keras"
    done = run("prune", path, "-o", target, "--sparsity", "0.5")
    assert done.code == 0, done.err
    assert "rebuilt from" in done.out
    record = squeeze(path, Recipe(name="half", steps=[{"prune": {"sparsity": 0.5}}]))  # type: ignore[list-item]
    assert record.report.passed
    assert not record.report.failures


@pytest.mark.slow
def test_a_search_takes_the_file(tmp_path: Path) -> None:
    asked = Tune(minimize=("raw",), trials=0, without=("narrow",))
    tuned = tune(_file(tmp_path, "none"), asked, IMAGES)
    assert tuned.record.trial(tuned.record.best).passed
