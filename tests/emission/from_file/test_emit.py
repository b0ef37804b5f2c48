"""A `.tflite` file as the source of a conversion."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.tiny_files import FileMaker, dense_file
from tests.tiny_models import LIBRARIES, dense, examples, recurrent
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.from_file.emit import emit_from_file
from tflite_squeeze.emission.from_file.weights import with_float16_weights, with_int8_weights
from tflite_squeeze.errors import InputError, RuntimeFailure, UnsupportedError, UsageError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import metadata_of, pack_model, read_model, with_metadata
from tflite_squeeze.tflite.signatures import quantization_name
from tflite_squeeze.tflite.tidy import facts_of

X = examples(32, 8)


@pytest.fixture(scope="module")
def plain() -> bytes:
    return convert(dense(LIBRARIES["keras"]), verification=None).tflite


def _emitted(tflite: bytes, quantize: str, x: Any = X, name: str = "x", **options: Any) -> Any:
    def batches() -> Any:
        yield from ({name: one[None]} for one in x)

    config = Convert(quantize=quantize, **options)
    return emit_from_file(load_model(tflite), config, {"serving_default": batches})


def test_the_integers_are_those_of_the_model(plain: bytes) -> None:
    mine = convert(dense(LIBRARIES["keras"]), Convert(quantize="int8"), X, verification=None)
    found, wanted = (
        run_file(tflite, {"x": X}).outputs["scores"]
        for tflite in (_emitted(plain, "int8").tflite, mine.tflite)
    )
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
def test_all_operators_compute_in_integers(plain: bytes, quantize: str) -> None:
    emitted = _emitted(plain, quantize)
    assert quantization_name(emitted.tflite) == quantize
    assert emitted.float_operators == ()


def test_inputs_and_outputs_may_be_bytes(plain: bytes) -> None:
    tflite = _emitted(plain, "int8", io_dtype="uint8").tflite
    found = run_file(tflite, {"x": X}).outputs["scores"]
    reference = run_file(plain, {"x": X}).outputs["scores"]
    assert np.abs(found - reference).max() < 0.05


def test_a_fused_lstm_becomes_integers() -> None:
    source = convert(recurrent(LIBRARIES["keras"]), verification=None).tflite
    emitted = _emitted(source, "int8", examples(8, 10, 3), "steps")
    assert emitted.float_operators == ()


def test_a_loop_is_refused_before_anything_crashes() -> None:
    source = convert(recurrent(LIBRARIES["keras"], kind="GRU"), verification=None).tflite
    with pytest.raises(UnsupportedError, match="cannot calibrate a WHILE loop"):
        _emitted(source, "int8", examples(8, 10, 3), "steps")


def test_what_the_file_says_of_itself_stays(plain: bytes) -> None:
    told = with_metadata(plain, {"owner": b"me", "min_runtime_version": b"old"})
    tflite = _emitted(told, "int8", name="x").tflite
    assert metadata_of(tflite)["owner"] == b"me"
    assert metadata_of(tflite).get("min_runtime_version") != b"old"
    assert facts_of(tflite)["source_sha256"] == load_model(told).sha256


def test_halves_are_widened_before_they_become_integers(plain: bytes) -> None:
    halves, _ = with_float16_weights(plain, least=1)
    emitted = _emitted(halves, "int8")
    assert "constants of the file are float16 or sparse" in emitted.notes[0]
    assert quantization_name(emitted.tflite) == "int8"


def test_what_is_quantized_is_refused_by_name(plain: bytes) -> None:
    int8 = _emitted(plain, "int8").tflite
    dynamic = with_int8_weights(plain, least=1)
    halves, _ = with_float16_weights(plain, least=1)
    for source, quantize, found in (
        (int8, "dynamic", "int8"), (dynamic, "int8", "dynamic"), (halves, "float16", "float16"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=rf"is quantized already \({found}\): pass the float"):
            _emitted(source, quantize)
    assert quantization_name(_emitted(int8, "none").tflite) == "int8"


def test_integers_need_samples(plain: bytes) -> None:
    with pytest.raises(InputError, match="calibrates on real samples and got none"):
        emit_from_file(load_model(plain), Convert(quantize="int8"))


def test_a_file_without_signatures_is_calibrated_too() -> None:
    def batches() -> Any:
        yield from ({"x": one[None]} for one in examples(8, 3))

    config = Convert(quantize="int8")
    emitted = emit_from_file(load_model(dense_file()), config, {"": batches})
    assert quantization_name(emitted.tflite) == "int8"


def test_an_operator_that_the_calibrator_lacks_is_named(plain: bytes) -> None:
    model = read_model(plain)
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[0].customCode = "Own"
    with pytest.raises(UnsupportedError, match="cannot run the operator Own"):
        _emitted(pack_model(model), "int8")


@pytest.mark.own_process
def test_a_file_that_does_not_run_is_refused_before_the_calibrator_crashes_on_it() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 3)), maker.tensor("y", (1, 5))
    shape = maker.tensor("s", (2,), "int32", data=np.int32([1, 5]))
    maker.operator("RESHAPE", [x, shape], [y], schema.ReshapeOptionsT())

    def batches() -> Any:
        yield {"x": np.ones((1, 3), np.float32)}

    with pytest.raises(RuntimeFailure):
        emit_from_file(load_model(maker.file([x], [y])), Convert(quantize="int8"), {"": batches})
