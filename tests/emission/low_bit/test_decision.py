"""A ternary network through the whole conversion, in both Kerases."""

from pathlib import Path
from typing import Any

import pytest

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.conversion.tables import convert_tables
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.low_bit import decision as low_bit
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.tflite.tidy import facts_of

pytestmark = pytest.mark.slow


@pytest.fixture
def ternary(library: Any) -> Any:
    layers = library.layers
    library.utils.set_random_seed(3)
    model = library.Sequential(
        [
            library.Input((28, 28, 1), name="image"),
            layers.Conv2D(8, 3, strides=2, name="begin"),
            layers.Conv2D(128, 1, activation="relu", name="pixels"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(32, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="end"),
        ],
        name="ternary",
    )
    return binarize(model, Binarize(weights="ternary", inputs="float")).model


def test_converted_to_two_bits_and_verified(ternary: Any, samples: Path) -> None:
    converted = convert(ternary, Convert(), samples / "mnist.npz")
    record = converted.record
    assert record.passed
    assert record.low_bit is not None
    assert record.low_bit.stored in ("int2", "int4")
    assert [tensor.stored for tensor in record.low_bit.tensors] == [record.low_bit.stored] * 2
    assert facts_of(converted.tflite)["weights"] == record.low_bit.stored
    # Only what is noted of the preprocessing and of the weights comes on top.
    assert 0 <= record.size.raw_bytes - record.low_bit.raw_bytes[record.low_bit.stored] < 200
    assert record.low_bit.raw_bytes["int2"] < record.low_bit.raw_bytes["float32"] / 8
    assert record.verification is not None
    assert record.verification.quantization is Quantization.DYNAMIC
    assert ConvertRecord.model_validate_json(record.model_dump_json()) == record
    titles = [table.title for table in convert_tables(record)]
    assert {"Weights of two or three values", "Where they are"} < set(titles)
    # In dynamic mode the file is smaller or equal: what is not ternary is rounded to 8 bits.
    dynamic = convert(ternary, Convert(quantize="dynamic", low_bit="int2"), verification=None)
    assert dynamic.record.low_bit is not None
    assert len(dynamic.tflite) <= record.low_bit.raw_bytes["int2"] + 200
    off = convert(ternary, Convert(low_bit="off", sparsity="dense"), verification=None)
    assert off.record.low_bit is None
    assert "weights" not in facts_of(off.tflite)
    assert len(off.tflite) > 8 * record.low_bit.raw_bytes["int2"]


def test_a_float_model_is_left_alone() -> None:
    model = tiny_models.convolutional(tiny_models.LIBRARIES["keras"])
    assert convert(model, verification=None).record.low_bit is None


@pytest.mark.parametrize(
    ("int2", "int4", "chosen"), [(9.0, 5.0, "int2"), (12.0, 5.0, "int4"), (12.0, 13.0, "int2")]
)
def test_four_bits_where_two_are_slower_than_float(int2: float, int4: float, chosen: str) -> None:
    times = {"float32": 10.0, "int2": int2, "int4": int4}
    assert low_bit._chosen("auto", times)[0] == chosen
    assert low_bit._chosen("int4", times) == ("int4", "as asked")


def test_a_file_with_other_weights_is_refused(
    ternary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(low_bit, "exact_differences", lambda *_: ("hidden",))
    with pytest.raises(CheckFailed, match=r"exactly the trained weights \(hidden\)"):
        convert(ternary, verification=None)
