"""Conversions to weights of few bits: nearer with samples, in both forms, and refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from tests import tiny_models
from tests.emission.calibration.networks import images, unequal
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.few_bits import bits_for, plan_of_bits
from tflite_squeeze.conversion.tables import convert_tables
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.network.quantization.twin import plan_for, twin_of
from tflite_squeeze.tflite.quantization_plan import plan_of
from tflite_squeeze.verification.record import Verify, VerifyRecord
from tflite_squeeze.verification.verify import verify

DYNAMIC = Convert(quantize="dynamic", weight_bits=4)
LOOSE = Verify(min_sqnr_db=-100, min_agreement=0)


def sqnr(found: VerifyRecord | None) -> float:
    assert found is not None
    return found.outputs[0].sqnr_db


@pytest.mark.slow
def test_samples_bring_four_bits_nearer_to_the_model(library: Any) -> None:
    model, samples = unequal(library, orders=1.0), images(200)["image"]
    config = DYNAMIC.model_copy(update={"calibration_samples": 100})
    plain = convert(model, config, verification=None)
    assert any("rounded to the nearest" in note for note in plain.record.notes)
    made = convert(model, config, samples, verification=LOOSE)
    rough = verify(model, plain.tflite, samples, LOOSE)
    assert sqnr(made.record.verification) > sqnr(rough)
    stored = {one.layer: (one.operator, one.stored) for one in made.record.few_bits}
    assert stored["conv"] == ("CONV_2D", "int4")
    assert stored["scores"] == ("FULLY_CONNECTED", "int4")
    table = next(one for one in convert_tables(made.record) if one.title == "Weights in few bits")
    assert len(table.rows) == len(made.record.few_bits) == 4


@pytest.mark.slow
def test_four_bits_in_an_int8_file(library: Any) -> None:
    model, samples = unequal(library, orders=1.0), images(200)["image"]
    config = Convert(quantize="int8", weight_bits=4, calibration_samples=100)
    made = convert(model, config, samples, verification=LOOSE)
    assert sorted(one.bits or 0 for one in plan_of(made.tflite).weights.values()) == [4, 4, 4, 4]
    assert made.record.float_operators == ()
    assert made.record.calibration is not None


def test_bits_by_what_is_minimized_and_what_the_runtime_takes() -> None:
    network = folded(unequal(LIBRARIES["keras"]))
    nodes = graph_of(network).nodes

    def found(**options: Any) -> list[int]:
        config = Convert(weight_bits=2, **options)
        return [bits_for(nodes[one], config, 2) for one in ("conv", "depthwise", "point", "scores")]

    assert found(quantize="dynamic") == [2, 2, 2, 2]
    assert found(quantize="dynamic", minimize="latency") == [8, 8, 2, 2]
    assert found(quantize="int8") == [4, 4, 2, 2]
    assert list(plan_of_bits(network, DYNAMIC, 4).weights) == [
        "conv/kernel", "depthwise/kernel", "point/kernel", "scores/kernel",
    ]  # fmt: skip


@pytest.mark.parametrize("quantize", ["none", "float16", "int16x8"])
def test_other_files_have_no_few_bits(quantize: Any) -> None:
    with pytest.raises(ValidationError, match="weight_bits 4 needs quantize='dynamic' or 'int8'"):
        Convert(quantize=quantize, weight_bits=4)


def test_what_contradicts_weight_bits_is_refused() -> None:
    model = tiny_models.dense(LIBRARIES["keras"])
    with pytest.raises(UsageError, match="weight_bits 4 and a plan"):
        convert(model, Convert(quantize="int8", weight_bits=4, plan=QuantizationPlan()))
    with pytest.raises(UsageError, match="weight_bits 4 and a plan"):
        convert(model, Convert(weight_bits=4, plan=QuantizationPlan()))
    with pytest.raises(InputError, match="calibrates on real samples"):
        convert(model, Convert(quantize="int8", weight_bits=4))
    network = folded(model)
    with pytest.raises(UsageError, match="has bits of its own"):
        convert(twin_of(network, plan_for(network)), DYNAMIC)


def test_functions_are_rounded_to_the_nearest(tmp_path: Path) -> None:
    kernel = np.random.default_rng(0).normal(size=(32, 16)).astype(np.float32)
    function = tf.function(lambda x: {"y": x @ kernel}).get_concrete_function(
        x=tf.TensorSpec([1, 32], tf.float32)
    )
    made = convert(function, DYNAMIC, tiny_models.examples(8, 32), verification=LOOSE)
    assert [one.stored for one in made.record.few_bits] == ["int4"]
    assert any("no graph of Keras layers" in note for note in made.record.notes)
    path = made.save(tmp_path / "four.tflite")
    with pytest.raises(UsageError, match="quantized already"):
        convert(path, DYNAMIC)
    with pytest.raises(UsageError, match="needs a Keras model"):
        convert(function, Convert(quantize="int8", weight_bits=4), tiny_models.examples(8, 32))


def test_small_matrices_that_stay_in_float_are_told() -> None:
    made = convert(tiny_models.recurrent(LIBRARIES["keras"]), DYNAMIC, verification=None)
    (told,) = [note for note in made.record.notes if "matrices stay" in note]
    assert "8 of UNIDIRECTIONAL_SEQUENCE_LSTM, of fewer than 1,024 numbers each" in told
    plain = convert(tiny_models.dense(LIBRARIES["keras"]), DYNAMIC, verification=None)
    assert not any("matrices stay" in note for note in plain.record.notes)
