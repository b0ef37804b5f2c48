"""Bits layer by layer: fewer where the limit is wide, in both forms, and refusals."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import Converted, convert
from tflite_squeeze.conversion.tables import convert_tables
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import UsageError
from tflite_squeeze.verification.record import Verify

AUTO = Convert(quantize="dynamic", weight_bits="auto", calibration_samples=64)


def data(model: Any) -> dict[str, np.ndarray]:
    """Images with the classes that the model itself gives them."""
    images = tiny_models.examples(400, 8, 8, 1)
    classes = np.asarray(model.predict(images, verbose=0)).argmax(-1)
    return {
        "x_train": images[:300], "y_train": classes[:300],
        "x_test": images[300:], "y_test": classes[300:],
    }  # fmt: skip


def chosen(model: Any, config: Convert, max_drop: float) -> Converted:
    return convert(model, config, data(model), verification=Verify(max_drop=max_drop))


@pytest.mark.slow
def test_a_wider_limit_takes_fewer_bits() -> None:
    model = tiny_models.convolutional(LIBRARIES["keras"])
    strict, wide = (chosen(model, AUTO, drop) for drop in (0.0, 0.5))
    assert strict.record.passed
    assert wide.record.passed
    assert strict.record.bits is not None
    assert wide.record.bits is not None
    by_strict, by_wide = (
        {one.layer: one.bits for one in found.record.bits.layers if found.record.bits}
        for found in (strict, wide)
    )
    assert list(by_wide) == ["conv", "scores_linear"]
    assert sum(by_wide.values()) < sum(by_strict.values())
    assert len(wide.tflite) < len(strict.tflite)
    for one in wide.record.bits.layers:
        assert one.losses[8] <= one.losses[4] <= one.losses[2]
    table = next(one for one in convert_tables(wide.record) if one.title == "Bits of each layer")
    assert [row[:2] for row in table.rows] == list(by_wide.items())
    assert "50.00% less accuracy, one standard error included, on 236 samples;" in table.notes[0]


@pytest.mark.slow
def test_half_of_what_is_held_back_from_training_decides() -> None:
    model = tiny_models.dense(LIBRARIES["keras"])
    x = tiny_models.examples(1128, 8)
    classes = np.asarray(model.predict(x, verbose=0)).argmax(-1)
    given = {"x_train": x[:128], "y_train": classes[:128],
             "x_test": x[128:], "y_test": classes[128:]}  # fmt: skip
    record = convert(model, AUTO, given, verification=Verify(samples=None)).record
    assert record.bits is not None
    assert (record.bits.held_out, record.bits.chosen_on) == (True, 500)
    assert record.verification is not None
    assert record.verification.examples == 500  # the others


@pytest.mark.slow
def test_an_int8_file_of_the_other_version() -> None:
    model = tiny_models.convolutional(LIBRARIES["tf_keras"])
    made = chosen(model, AUTO.model_copy(update={"quantize": Quantization.INT8}), 0.1)
    assert made.record.passed
    assert made.record.float_operators == ()
    assert made.record.bits is not None
    assert min(one.bits for one in made.record.bits.layers) < 8


def test_what_it_needs() -> None:
    model = tiny_models.dense(LIBRARIES["keras"])
    with pytest.raises(UsageError, match="needs samples: pass --data"):
        convert(model, AUTO)
    function = tf.function(lambda x: {"y": x * 2.0}).get_concrete_function(
        x=tf.TensorSpec([1, 4], tf.float32)
    )
    with pytest.raises(UsageError, match="needs a Keras model with a graph"):
        convert(function, AUTO, tiny_models.examples(8, 4))
