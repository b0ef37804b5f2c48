"""A `.tflite` file in, a verified file and its record out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, TwoSignatures, dense, examples, keyed, two_ended
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import CheckFailed, InputError, UsageError
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.attached import attached_files, with_attached_files
from tflite_squeeze.tflite.signatures import signatures_of
from tflite_squeeze.verification.record import Verify

pytestmark = pytest.mark.xdist_group("pipeline-convert")

X = examples(64, 8)


@pytest.fixture(scope="module")
def plain() -> bytes:
    return convert(dense(LIBRARIES["keras"]), verification=None).tflite


def _file(model: Any, **options: Any) -> bytes:
    return convert(model, Convert(**options), verification=None).tflite


@pytest.mark.parametrize("quantize", ["none", "float16", "dynamic", "int8", "int16x8"])
def test_each_quantization_passes_beside_the_file(plain: bytes, quantize: str) -> None:
    record = convert(plain, Convert(quantize=quantize), X).record
    assert record.passed
    assert record.source.kind == "tflite"
    assert record.config.batch == 1
    assert record.verification is not None
    assert record.verification.real_samples


def test_a_path_is_recorded_with_its_bytes(plain: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(plain)
    record = convert(tmp_path / "net.tflite", Convert(quantize="float16")).record
    source = record.source
    assert (source.name, source.model_bytes) == ("net", len(plain))
    assert source.path == str(tmp_path / "net.tflite")


def test_inputs_are_calibrated_each_with_its_own_samples() -> None:
    data = {"b": 100 * examples(32, 4), "a": examples(32, 4)}
    converted = convert(_file(keyed(LIBRARIES["keras"])), Convert(quantize="int8"), data)
    assert converted.record.passed
    found = run_file(converted.tflite, data).outputs["difference"]
    assert np.abs(found - (data["a"] - data["b"])).max() < 3


def test_two_outputs_and_an_open_batch() -> None:
    source = _file(two_ended(LIBRARIES["keras"]), batch="dynamic")
    data = {"a": examples(32, 6), "b": examples(32, 2, 2, 1)}
    record = convert(source, Convert(quantize="int8"), data).record
    assert record.passed
    assert record.config.batch == "dynamic"
    assert record.verification is not None
    assert {one.output for one in record.verification.outputs} == {"classes", "value"}


def test_all_signatures_stay() -> None:
    module = TwoSignatures()
    source = _file(module.functions())
    converted = convert(source, Convert(quantize="int8"), {"x": examples(32, 3)})
    assert converted.record.passed
    assert [one.name for one in signatures_of(converted.tflite)] == ["double", "project"]


def test_files_behind_the_model_stay(plain: bytes) -> None:
    whole = with_attached_files(plain, {"labels.txt": b"a\nb\nc\n"})
    for quantize in ("none", "int8"):
        converted = convert(whole, Convert(quantize=quantize), X)
        assert attached_files(converted.tflite) == {"labels.txt": b"a\nb\nc\n"}


def test_a_file_that_fails_is_written_beside_the_path(plain: bytes, tmp_path: Path) -> None:
    limits = Verify(min_sqnr_db=200)
    converted = convert(plain, Convert(quantize="int8"), X, verification=limits)
    assert converted.record.verification is not None
    # The hidden layer is the first that is not exact.
    assert "hidden" in str(converted.record.verification.diverges_at)
    with pytest.raises(CheckFailed, match="was not written, the file failed its check"):
        converted.save(tmp_path / "a.tflite")
    assert (tmp_path / "a.rejected.tflite").exists()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"batch": 4}, UsageError, "a batch of 1, which stays: leave --batch 4 out"),
        ({"allow_select_ops": True}, UsageError, "leave --allow-select-ops out"),
        ({"runtime": "larq"}, UsageError, "for models with Larq's layers"),
        ({"input_shapes": {"x": (1, 8)}}, UsageError, "leave --input-shape out"),
    ],
)
def test_what_a_file_cannot_do_is_refused(
    plain: bytes, options: Any, error: Any, said: str
) -> None:
    with pytest.raises(error, match=said):
        convert(plain, Convert(**options), X)


def test_a_file_with_nan_is_refused(plain: bytes) -> None:
    model = dense(LIBRARIES["keras"])
    model.set_weights([np.full_like(weight, 0.7071) for weight in model.get_weights()])
    broken = _file(model).replace(np.float32(0.7071).tobytes(), np.float32(np.nan).tobytes())
    with pytest.raises(InputError, match=r"constant .* holds \d+ NaN values of \d+"):
        convert(broken)


def test_mixed_leaves_the_fewest_operators_in_float() -> None:
    keras = LIBRARIES["keras"]
    keras.utils.set_random_seed(0)
    image = keras.Input((8,), name="x")
    hidden = keras.layers.Dense(16, activation="relu", name="hidden")(image)
    boxes = keras.layers.Rescaling(300.0)(keras.layers.Dense(4, name="boxes")(hidden))
    scores = keras.layers.Dense(3, activation="softmax", name="scores")(hidden)
    source = _file(keras.Model(image, keras.layers.Concatenate(name="all")([boxes, scores])))
    data = examples(256, 8)
    assert not convert(source, Convert(quantize="int8"), data).record.passed
    converted = convert(source, Convert(quantize="mixed"), data)
    record = converted.record.mixed
    assert converted.record.passed
    assert record is not None
    # What puts boxes beside scores, and no more.
    assert len(record.kept) == 1
    assert "columns" in record.kept[0].without
    assert record.int8_bytes is not None
    assert record.bytes <= 1.3 * record.int8_bytes
    assert (record.chosen_on, record.apart) == (64, True)


def test_mixed_is_int8_where_that_passes(plain: bytes) -> None:
    converted = convert(plain, Convert(quantize="mixed"), examples(256, 8))
    assert converted.record.mixed is not None
    assert converted.record.mixed.kept == ()
    assert converted.record.float_operators == ()
