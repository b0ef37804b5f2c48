"""Keras models and files become ONNX files that compute the same, and come back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import numpy_helper

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import CheckFailed, UnsupportedError, UsageError
from tflite_squeeze.exporting import checking
from tflite_squeeze.exporting.config import ExportOnnx
from tflite_squeeze.exporting.export_onnx import export_onnx
from tflite_squeeze.importing.import_model import import_model
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import WeightQuantization
from tflite_squeeze.network.quantization.twin import plan_for
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.tflite.quantization_plan import plan_of

IMAGES = tiny_models.examples(32, 8, 8, 1)
INT8 = Convert(quantize="int8")


@pytest.fixture(autouse=True)
def _evaluated_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """By ONNX's own evaluator, which is always there; tests of the runtime have the other."""
    monkeypatch.setattr(checking, "find_spec", lambda _: None)


@pytest.mark.parametrize("library", tiny_models.LIBRARIES.values(), ids=tiny_models.LIBRARIES)
def test_a_float_file_computes_what_the_model_does(library: Any, tmp_path: Path) -> None:
    model = tiny_models.convolutional(library)
    exported = export_onnx(model, data=IMAGES)
    record = exported.record
    assert record.agreement[0].largest < 1e-5
    assert record.batches == (1, 16)
    assert record.inputs[0].shape == (-1, 8, 8, 1)
    assert "Shape" not in record.operators
    again, imported = import_model(exported.save(tmp_path / "model.onnx"))
    assert imported.largest_difference < 1e-5
    assert np.asarray(again(IMAGES)) == pytest.approx(np.asarray(model(IMAGES)), abs=1e-5)


@pytest.mark.parametrize(
    "build",
    [
        tiny_models.nested, tiny_models.keyed, tiny_models.two_ended, tiny_models.subclassed,
        tiny_models.mixed_precision, tiny_models.recurrent, tiny_models.normalized,
    ],
)  # fmt: skip
def test_every_kind_of_model(build: Callable[..., Any]) -> None:
    record = export_onnx(build(keras)).record
    assert max(one.largest for one in record.agreement) < 1e-5
    assert all(one.shape[0] == -1 for one in (*record.inputs, *record.outputs))


def test_normalisation_is_folded_and_gelu_is_exact() -> None:
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(4, activation="gelu")(x))
    operators = export_onnx(model).record.operators
    assert operators["Conv"] == operators["Erf"] == 1
    assert not {"BatchNormalization", "Erfc"} & set(operators)


def test_outputs_keep_their_order() -> None:
    x = keras.Input((3,), name="x")
    outputs = {"late": keras.layers.ReLU()(x), "early": keras.layers.Dense(2)(x)}
    record = export_onnx(keras.Model(x, outputs)).record
    assert [one.name for one in record.outputs] == ["late", "early"]


def test_integers_and_scales_are_those_of_the_tflite_file() -> None:
    model = tiny_models.convolutional(keras)
    exported = export_onnx(model, data=IMAGES, conversion=INT8)
    (agreement,), record = exported.record.agreement, exported.record
    assert (agreement.same, agreement.largest_steps) == (1.0, 0.0)
    assert record.beside == "the .tflite file"
    assert record.inputs[0].shape == (-1, 8, 8, 1)
    tflite = convert(model, INT8, IMAGES, verification=None).tflite
    plan = plan_of(tflite)
    constants = _constants(exported.content)
    scales = {tuple(np.atleast_1d(one).tolist()) for one in constants.values() if one.dtype == "f"}
    for weight in plan.weights.values():
        assert any(np.allclose(weight.scale, one, rtol=1e-6) for one in scales)
    integers = sum(one.size for one in constants.values() if one.dtype == np.int8 and one.ndim > 1)
    assert integers == sum(one.size for one in model.get_weights() if one.ndim > 1)


@pytest.mark.parametrize(
    ("change", "zeros", "values"),
    [
        (lambda model: prune(model, Prune(sparsity=0.75, budget="uniform")), 0.75, 256),
        (lambda model: cluster(model, Cluster(clusters=4)), 0.0, 5),
    ],
    ids=["zeros", "values"],
)
def test_what_techniques_leave_is_in_the_integers(
    change: Callable[[Any], Any], zeros: float, values: int
) -> None:
    changed = change(tiny_models.dense(keras)).model
    samples = tiny_models.examples(64, 8)
    constants = _constants(export_onnx(changed, data=samples, conversion=INT8).content)
    kernels = [one for one in constants.values() if one.dtype == np.int8 and one.ndim == 2]
    assert len(kernels) == 2
    assert all(np.mean(kernel == 0) >= zeros for kernel in kernels)
    assert all(len(np.unique(kernel)) <= values for kernel in kernels)


def test_a_plan_is_obeyed() -> None:
    model = tiny_models.dense(keras)
    whole = plan_for(folded(model))
    scales = tuple(0.01 * (1 + channel) for channel in range(16))
    kernel = WeightQuantization(axis=-1, scale=scales)
    plan = whole.model_copy(update={"weights": {**whole.weights, "hidden/kernel": kernel}})
    config = Convert(quantize="int8", plan=plan, per_channel_dense=True)
    exported = export_onnx(model, data=tiny_models.examples(32, 8), conversion=config)
    constants = _constants(exported.content).values()
    assert any(one.shape == (16,) and np.allclose(one, scales) for one in constants)


def test_a_tflite_file_is_a_source(tmp_path: Path) -> None:
    model, path = tiny_models.convolutional(keras), tmp_path / "model.tflite"
    for config in (Convert(), INT8, Convert(quantize="int8", io_dtype="int8")):
        path.write_bytes(convert(model, config, IMAGES, verification=None).tflite)
        record = export_onnx(path, data=IMAGES).record
        assert record.quantization == config.quantize
        assert record.inputs[0].dtype == config.io_dtype
        assert record.agreement[0].largest < 1e-2
    with pytest.raises(UsageError, match="leave the options of the conversion out"):
        export_onnx(path, data=IMAGES, conversion=INT8)


def test_what_has_no_form_is_refused() -> None:
    sequences = tiny_models.examples(16, 10, 3)
    with pytest.raises(UnsupportedError, match="UNIDIRECTIONAL_SEQUENCE_LSTM"):
        export_onnx(tiny_models.recurrent(keras), data=sequences, conversion=INT8)
    with pytest.raises(UnsupportedError, match="without their zeros"):
        export_onnx(_sparse_file())
    with pytest.raises(UsageError, match="dynamic has no ONNX form"):
        export_onnx(tiny_models.dense(keras), conversion=Convert(quantize="dynamic"))
    with pytest.raises(UnsupportedError, match="operators that ONNX does not have"):
        export_onnx(tiny_models.odd(tf.keras, operation="bessel_i0e"))


def _sparse_file() -> bytes:
    model = keras.Sequential([keras.Input((64,), name="x"), keras.layers.Dense(64)])
    kernel, bias = model.get_weights()
    model.set_weights(
        [np.where(np.arange(kernel.size).reshape(kernel.shape) % 16, 0, kernel), bias]
    )
    return convert(model, Convert(sparsity="sparse"), verification=None).tflite


def test_other_answers_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = checking._referenced

    def other(*args: Any) -> dict[str, Any]:
        return {name: one[..., ::-1] for name, one in original(*args).items()}

    monkeypatch.setattr(checking, "_referenced", other)
    with pytest.raises(CheckFailed, match="differs from the model"):
        export_onnx(tiny_models.dense(keras))


def test_another_opset() -> None:
    exported = export_onnx(tiny_models.dense(keras), ExportOnnx(opset=13))
    assert onnx.ModelProto.FromString(exported.content).opset_import[0].version == 13


def _constants(content: bytes) -> dict[str, Any]:
    graph = onnx.ModelProto.FromString(content).graph
    return {one.name: numpy_helper.to_array(one) for one in graph.initializer}
