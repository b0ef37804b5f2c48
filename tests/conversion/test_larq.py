"""Binary networks through the whole conversion, for both runtimes, judged by predictions."""

from pathlib import Path
from typing import Any

import pytest
import tf_keras

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.verification.record import Verify, tolerance_of
from tflite_squeeze.verification.verify import verify

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def binary() -> Any:
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(2)
    model = tf_keras.Sequential(
        [
            tf_keras.Input((28, 28, 1), name="image"),
            layers.Flatten(),
            layers.Dense(96, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="scores"),
        ],
        name="binary",
    )
    return binarize(model, Binarize(protect=("last",))).model


def test_for_larq(binary: Any, samples: Path) -> None:
    converted = convert(binary, Convert(runtime="larq"), samples / "mnist.npz")
    record = converted.record
    assert record.passed
    assert record.verification is not None
    assert record.verification.tolerance.by_prediction
    (output,) = record.verification.outputs
    assert output.agreement == 1
    assert any("76,800 binary weights in 9,600 bytes: 1.00 bits" in note for note in record.notes)
    assert len(converted.tflite) < 24_000
    assert ConvertRecord.model_validate_json(record.model_dump_json()) == record
    rounded = convert(binary, Convert(runtime="larq", quantize="dynamic"), verification=None)
    assert any("nothing" not in note and "binary" in note for note in rounded.record.notes)
    # The same file with other weights behind it fails.
    other = tf_keras.models.clone_model(binary)
    found = verify(other, converted.tflite, samples / "mnist.npz")
    assert not found.passed
    assert any("predicted class agrees" in line for line in found.failures)
    # Without labels and real samples it is still judged by predictions.
    assert verify(binary, converted.tflite).passed


def test_for_the_stock_runtime(binary: Any, samples: Path) -> None:
    converted = convert(binary, Convert(low_bit="int2"), samples / "mnist.npz")
    record = converted.record
    assert record.passed
    assert record.low_bit is not None
    assert record.low_bit.stored == "int2"
    assert any("on the stock runtime" in note for note in record.notes)


def test_limits_of_binary_networks() -> None:
    judged = tolerance_of(Verify(), Quantization.NONE, binary=True)
    assert judged.by_prediction
    assert judged.min_agreement == 0.98
    # A limit that the user gives holds.
    assert not tolerance_of(Verify(min_sqnr_db=20), Quantization.NONE, binary=True).by_prediction
    assert not tolerance_of(Verify(), Quantization.NONE).by_prediction


def test_refusals(binary: Any) -> None:
    plain = tiny_models.dense(tf_keras)
    with pytest.raises(UsageError, match="models with Larq's layers, and 'dense' has none"):
        convert(plain, Convert(runtime="larq"))
    with pytest.raises(ValueError, match="runtime larq takes quantize"):
        Convert(runtime="larq", quantize="int8")
