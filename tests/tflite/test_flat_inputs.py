"""Multiplications of images get a RESHAPE of their own, and compute the same."""

import keras
import numpy as np

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.exporting.export_onnx import export_onnx
from tflite_squeeze.rebuilding.from_tflite import import_tflite
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.fields import operator_name, shape_of
from tflite_squeeze.tflite.flat_inputs import with_flat_inputs
from tflite_squeeze.tflite.flatbuffer import count_operators, read_model

IMAGES = tiny_models.examples(8, 4, 4, 2)


def _pooled() -> bytes:
    """A file whose FULLY_CONNECTED reads the image of a pool, with a bias that counts."""
    inputs = keras.Input((4, 4, 2), name="x")
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, bias_initializer="ones")(x))
    return convert(model, verification=None).tflite


def test_the_input_is_flattened_by_an_operator() -> None:
    tflite = _pooled()
    flat = with_flat_inputs(tflite)
    assert count_operators(flat)["RESHAPE"] == count_operators(tflite).get("RESHAPE", 0) + 1
    model = read_model(flat)
    graph = model.subgraphs[0]
    (multiplied,) = (
        one for one in graph.operators if operator_name(model, one) == "FULLY_CONNECTED"
    )
    assert list(shape_of(graph.tensors[multiplied.inputs[0]])) == [1, 2]
    before, after = (run_file(one, {"x": IMAGES}).outputs for one in (tflite, flat))
    for one, other in zip(before.values(), after.values(), strict=True):
        assert np.array_equal(one, other)
    assert count_operators(with_flat_inputs(flat)) == count_operators(flat)


def test_the_bias_is_kept_on_the_way_to_onnx() -> None:
    tflite = _pooled()
    assert export_onnx(tflite, data=IMAGES).record.agreement[0].largest < 1e-5
    assert import_tflite(tflite, "pooled").agreement.largest < 1e-5
