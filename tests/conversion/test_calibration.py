"""Conversions that calibrate by themselves: a verified file, a record of each step, refusals."""

from typing import Any

import pytest
import tensorflow as tf

from tests import tiny_models
from tests.emission.calibration.networks import images, unequal
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.tables import convert_tables
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import InputError
from tflite_squeeze.verification.record import Verify

pytestmark = pytest.mark.slow


def test_a_calibrated_file_is_nearer_to_the_model(library: Any) -> None:
    model, samples = unequal(library), images(200)["image"]
    sqnr = {}
    for calibrate in (None, "auto"):
        config = Convert(quantize="int8", calibrate=calibrate, calibration_samples=100)
        made = convert(model, config, samples, verification=Verify(min_sqnr_db=-100))
        assert made.record.verification is not None
        sqnr[calibrate] = made.record.verification.outputs[0].sqnr_db
        assert made.record.calibration_examples == 100
    assert sqnr["auto"] > sqnr[None] + 4  # dB
    record = made.record.calibration
    assert record is not None
    assert (record.samples, record.held_back) == (100, 100)
    table = next(one for one in convert_tables(made.record) if one.title == "Calibration")
    assert [row[0] for row in table.rows] == [step.name for step in record.steps]
    assert made.record.float_operators == ()


def test_one_scale_for_dense_kernels(library: Any) -> None:
    config = Convert(quantize="int8", calibrate="minmax", per_channel_dense=False)
    made = convert(tiny_models.dense(library), config, tiny_models.examples(64, 8))
    assert made.record.passed
    assert made.record.float_operators == ()


def test_what_is_no_keras_model_is_refused() -> None:
    function = tf.function(lambda x: {"y": x * 2.0}).get_concrete_function(
        x=tf.TensorSpec([1, 4], tf.float32)
    )
    with pytest.raises(InputError, match="--calibrate needs a Keras model"):
        convert(function, Convert(quantize="int8", calibrate="mse"), tiny_models.examples(8, 4))
