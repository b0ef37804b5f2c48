"""Single tensors of a file: in float, in 8 bits and in 16, with ranges of a plan or a method."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.calibration.histogram import Histogram
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.from_file.ranges import ranges_by
from tflite_squeeze.errors import UnsupportedError, UsageError
from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)
from tflite_squeeze.tflite.quantization_plan import plan_of

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-1, 1, (48, 8, 8, 1)).astype(np.float32)
DATA = {"x_test": IMAGES}


@pytest.fixture(scope="module")
def plain() -> bytes:
    model = tiny_models.convolutional(LIBRARIES["keras"])
    return convert(model, verification=None).tflite


@pytest.fixture(scope="module")
def plan(plain: bytes) -> QuantizationPlan:
    """Eight bits for everything."""
    there = plan_of(plain)
    return QuantizationPlan(
        weights={name: WeightQuantization() for name in there.weights},
        activations={name: ActivationQuantization() for name in there.activations},
    )


def _activations(tflite: bytes) -> dict[str, Any]:
    return {name.rpartition("/")[2]: one for name, one in plan_of(tflite).activations.items()}


def test_ranges_by_hand() -> None:
    values = Histogram("x")
    values.add(np.asarray([-1.0, 0.0, 3.0]))
    found = ranges_by("minmax", {"x": values, "y": values}, {"y": 16})
    assert (found["x"].bits, found["x"].low, found["x"].high) == (8, -1.0, 3.0)
    assert found["y"].scale == pytest.approx(3 / 32767)


def test_ranges_of_a_method_become_the_scales(plain: bytes) -> None:
    outliers = np.repeat(IMAGES, 8, axis=0)
    outliers[0, 0, 0] = 1000.0  # one of 24,576 values
    steps = {}
    for method in (None, "percentile"):
        config = Convert(quantize="int8", calibrate=method, calibration_samples=384)
        tflite = convert(plain, config, {"x_train": outliers}, verification=None).tflite
        steps[method] = next(one.scale for one in plan_of(tflite).activations.values() if one.bits)
    assert steps[None] == pytest.approx(1001 / 255, rel=1e-3)
    assert steps["percentile"] is not None
    assert steps["percentile"] < 1


def test_what_is_named_gets_16_bits(plain: bytes) -> None:
    converted = convert(plain, Convert(quantize="int8", keep_int16=("conv_1",)), DATA)
    assert converted.record.passed
    bits = {name: one.bits for name, one in _activations(converted.tflite).items()}
    assert bits["convolution"] == bits["Reshape"] == 16
    assert bits["tfl.quantize"] == 8
    everywhere = convert(plain, Convert(quantize="int8", keep_int16=("*",)), DATA)
    assert everywhere.record.passed
    assert {one.bits for one in _activations(everywhere.tflite).values()} == {16, None}
    with pytest.raises(UsageError, match="keep_int16 names 'conf', which matches none of"):
        convert(plain, Convert(quantize="int8", keep_int16=("conf",)), DATA)


def test_a_plan_by_the_names_of_tensors(plain: bytes, plan: QuantizationPlan) -> None:
    image, conv, *_ = plan.activations
    kept = {name: one for name, one in plan.activations.items() if name != image}
    wide = {**kept, conv: ActivationQuantization(bits=16, low=-2, high=2)}
    converted = convert(plain, Convert(plan=plan.model_copy(update={"activations": wide})), DATA)
    assert converted.record.passed
    found = plan_of(converted.tflite)
    steps = [one.scale for one in found.activations.values() if one.bits == 16 and one.scale]
    assert min(abs(step / (2 / 32767) - 1) for step in steps) < 1e-5
    assert found.activations[image].bits is None
    assert "CONV_2D" in converted.record.float_operators[0]


@pytest.mark.parametrize(
    ("part", "name", "entry", "said"),
    [
        ("activations", "conf", ActivationQuantization(), "the activation 'conf', which the file"),
        ("weights", "kernel", WeightQuantization(), "the weight 'kernel', which the file does not"),
        ("weights", None, WeightQuantization(bits=4), "4 bits, a scale or a zero point"),
        ("weights", None, WeightQuantization(scale=0.1), "8 bits, a scale or a zero point"),
    ],
)
def test_plans_that_do_not_fit_are_refused(
    plain: bytes, plan: QuantizationPlan, part: str, name: Any, entry: Any, said: str
) -> None:
    entries = dict(getattr(plan, part))
    entries[name or next(iter(entries))] = entry
    with pytest.raises(UsageError, match=said):
        convert(plain, Convert(plan=plan.model_copy(update={part: entries})), DATA)


def test_operators_without_16_bits_are_refused() -> None:
    keras = LIBRARIES["keras"]
    given = keras.Input((4,), name="x")
    model = keras.Model(given, keras.layers.Dense(2)(keras.layers.PReLU(name="p")(given)))
    plain = convert(model, verification=None).tflite
    with pytest.raises(UnsupportedError, match="has no PRELU for activations of 16 bits"):
        convert(
            plain, Convert(quantize="int8", keep_int16=("x",)), {"x_train": IMAGES[:, 0, :4, 0]}
        )
