"""A model in, a verified file and its record out."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import LIBRARIES, TwoSignatures, examples
from tflite_squeeze.conversion.convert import Converted, convert, rejected_path
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import CheckFailed, InputError, OutputError
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.tflite.flatbuffer import select_operators
from tflite_squeeze.verification.limits import tolerance_of
from tflite_squeeze.verification.record import Verify

pytestmark = [pytest.mark.xdist_group("pipeline-convert"), pytest.mark.slow]


@pytest.fixture(scope="module")
def int8(trained: Any) -> Converted:
    return convert(trained.model, Convert(quantize="int8"), (trained.x, trained.y))


@pytest.fixture(scope="module")
def impossible(trained: Any) -> Converted:
    return convert(
        trained.model,
        Convert(quantize="dynamic"),
        (trained.x, trained.y),
        verification=Verify(min_sqnr_db=300),
    )


@pytest.mark.parametrize("build", ["two_ended", "keyed", "subclassed", "shared"])
def test_a_float_file_answers_as_the_model_does(library: Any, build: str) -> None:
    record = convert(getattr(tiny_models, build)(library)).record
    assert record.passed
    assert record.verification is not None
    assert all(item.sqnr_db > 100 for item in record.verification.outputs)
    assert record.unverified is None


def test_the_record_says_what_was_done(int8: Converted, trained: Any) -> None:
    record = int8.record
    assert record.sha256 == hashlib.sha256(int8.tflite).hexdigest()
    assert record.size.raw_bytes == len(int8.tflite)
    assert record.operators["FULLY_CONNECTED"] == 2
    assert record.float_operators == ()
    assert record.calibration_examples == 128
    assert (record.source.name, record.source.kind) == ("dense", "keras")
    check = record.verification
    assert check is not None
    assert (check.passed, check.examples, check.real_samples) == (True, 128, True)
    (output,) = check.outputs
    assert output.accuracy is not None
    assert output.accuracy.reference == 1.0


def test_the_record_survives_json(int8: Converted, impossible: Converted) -> None:
    for converted in (int8, impossible):
        text = converted.record.model_dump_json()
        assert ConvertRecord.model_validate_json(text) == converted.record


def test_calibration_stops_at_the_samples_asked_for(trained: Any) -> None:
    config = Convert(quantize="int8", calibration_samples=10, batch=4)
    record = convert(trained.model, config, trained.x, verification=None).record
    assert record.calibration_examples == 8  # whole batches only
    assert record.unverified == "the check was left out, as asked"
    assert record.passed


def test_fewer_samples_than_a_batch_are_refused(trained: Any) -> None:
    with pytest.raises(InputError, match="fewer examples than the batch of 64"):
        convert(trained.model, Convert(quantize="int8", batch=64), trained.x[:10])


def test_each_signature_is_calibrated_and_verified(tmp_path: Path) -> None:
    module = TwoSignatures()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.functions())
    record = convert(tmp_path / "saved", Convert(quantize="int8"), examples(32, 3)).record
    assert record.verification is not None
    assert [item.signature for item in record.verification.outputs] == ["double", "project"]
    assert all(item.sqnr_db > 25 for item in record.verification.outputs)
    assert record.source.kind == "saved_model"
    assert (record.source.model_bytes or 0) > 1000
    assert record.float_operators == ()


def test_a_concrete_function_converts() -> None:
    module = TwoSignatures()
    record = convert(module.functions()["project"]).record
    assert record.passed
    assert record.source.kind == "functions"


def test_an_int8_gru_is_verified(library: Any) -> None:
    model = tiny_models.recurrent(library, kind="GRU")
    record = convert(model, Convert(quantize="int8"), examples(32, 10, 3)).record
    assert record.passed
    assert "WHILE" not in record.operators


def test_a_file_is_written_once(int8: Converted, tmp_path: Path) -> None:
    path = int8.save(tmp_path / "a.tflite")
    assert path.read_bytes() == int8.tflite
    with pytest.raises(OutputError, match="exists"):
        int8.save(path)
    int8.save(path, force=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.tflite"]


def test_a_file_that_failed_is_set_aside(impossible: Converted, tmp_path: Path) -> None:
    assert not impossible.record.passed
    with pytest.raises(CheckFailed, match=r"a\.tflite was not written.*below 300 dB.*rejected"):
        impossible.save(tmp_path / "a.tflite")
    (left,) = tmp_path.iterdir()
    assert left.name == "a.rejected.tflite"
    assert left.read_bytes() == impossible.tflite


@pytest.mark.parametrize(
    ("config", "real", "remedy"),
    [
        (Convert(quantize="int8"), True, "--quantize mixed --data DATA --max-drop 0.01"),
        (Convert(quantize="int8", keep_float=("a b",)), True, "--keep-float 'a b'"),
        (Convert(plan=QuantizationPlan()), True, "and edit the plan"),
        (Convert(quantize="dynamic"), True, "loosen the limits, or try another --quantize"),
        (Convert(quantize="dynamic"), False, "pass --data for real samples, or try another"),
        (Convert(quantize="dynamic", weight_bits=4), False, "pass --data, or use --weight-bits 8"),
        (Convert(quantize="dynamic", weight_bits="auto"), True, "use --weight-bits 8, or loosen"),
        (Convert(quantize="int16x8"), True, "calibrate on more data"),
    ],
)
def test_the_remedy_of_a_rejection_is_one_of_the_mode(
    impossible: Converted, tmp_path: Path, config: Convert, real: bool, remedy: str
) -> None:
    record = impossible.record
    assert record.verification is not None
    limits = tolerance_of(Verify(max_drop=0.01), config.quantize)
    data = {"source": "DATA"} if real else {}
    check = record.verification.model_copy(
        update={
            "real_samples": real,
            "tolerance": limits,
            "quantization": config.quantize,
            "data": data,
        }
    )
    values = {"config": config, "verification": check, "data": data}
    failed = replace(impossible, record=record.model_copy(update=values))
    with pytest.raises(CheckFailed) as caught:
        failed.save(tmp_path / "a.tflite")
    assert remedy in str(caught.value)


def test_a_dynamic_file_of_small_weights_says_that_they_stay(trained: Any) -> None:
    (note,) = (
        one
        for one in convert(trained.model, Convert(quantize="dynamic")).record.notes
        if "stay in float32" in one
    )
    assert "none has 1,024 numbers" in note


def test_where_a_rejected_file_goes() -> None:
    assert rejected_path(Path("out/a.tflite")) == Path("out/a.rejected.tflite")
    assert rejected_path(Path("a.bin")) == Path("a.bin.rejected.tflite")


def test_labels_come_from_the_data(trained: Any) -> None:
    from tflite_squeeze.data.data import load_data

    data = replace(load_data((trained.x, trained.y)), class_names=("a", "b", "c"))
    assert convert(trained.model, Convert(), data, verification=None).record.config.labels == (
        "a",
        "b",
        "c",
    )
    own = convert(trained.model, Convert(labels=("x", "y", "z")), data, verification=None)
    assert own.record.config.labels == ("x", "y", "z")


def test_a_file_for_flex_is_honestly_not_verified(library: Any, tmp_path: Path) -> None:
    model = tiny_models.odd(library, operation="tan")
    converted = convert(model, Convert(allow_select_ops=True))
    assert select_operators(converted.tflite) == ("FlexTan",)
    assert converted.record.verification is None
    assert "needs the Flex delegate for FlexTan" in str(converted.record.unverified)
    assert converted.save(tmp_path / "flex.tflite").is_file()


@pytest.mark.own_process
def test_a_file_that_the_runtime_refuses_has_failed() -> None:
    # The runtime has no 16-bit SQUARED_DIFFERENCE.
    model = tiny_models.normalized(LIBRARIES["tf_keras"])
    record = convert(model, Convert(quantize="int16x8"), examples(16, 8)).record
    assert not record.passed
    assert record.verification is not None
    assert "LiteRT runtime" in record.verification.failures[0]


def test_weights_that_are_not_finite_are_refused(library: Any) -> None:
    model = tiny_models.dense(library)
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(InputError, match="128 NaN or infinite values of 128"):
        convert(model)
