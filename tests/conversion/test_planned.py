"""Models that become the file of a plan, and plans that no file can follow."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)
from tflite_squeeze.network.quantization.plan_files import load_plan, written_plan
from tflite_squeeze.network.quantization.twin import plan_for, twin_of
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.quantization_plan import plan_of
from tflite_squeeze.tflite.signatures import quantization_name

IMAGES = np.random.default_rng(0).uniform(-1, 1, (48, 8, 8, 1)).astype(np.float32)
DATA = {"x_train": IMAGES}


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_models.convolutional(LIBRARIES["keras"])


@pytest.fixture(scope="module")
def plan(model: Any) -> QuantizationPlan:
    return plan_for(folded(model))


def changed(
    plan: QuantizationPlan, *, weights: Any = None, activations: Any = None
) -> QuantizationPlan:
    """A plan with some entries replaced; None takes one out."""
    fields: dict[str, dict[str, Any]] = {}
    for part, new in (("weights", weights or {}), ("activations", activations or {})):
        entries = {**getattr(plan, part), **new}
        fields[part] = {name: one for name, one in entries.items() if one is not None}
    return QuantizationPlan(**fields)


def test_ranges_and_scales_of_the_plan_are_in_the_file(library: Any) -> None:
    model = tiny_models.convolutional(library)
    scale = (0.004, 0.005, 0.006, 0.007)
    plan = changed(
        plan_for(folded(model)),
        weights={"conv/kernel": WeightQuantization(axis=-1, scale=scale)},
        activations={"conv": ActivationQuantization(low=0, high=1.5)},
    )
    converted = convert(model, Convert(plan=plan, io_dtype="int8"), DATA)
    record, file = converted.record, plan_of(converted.tflite)
    assert record.passed
    assert quantization_name(converted.tflite) == "int8"
    assert record.calibration_examples == 48
    kernel, _ = file.weights.values()
    np.testing.assert_allclose(kernel.scale or (), scale, rtol=1e-6)
    given = record.config.plan
    assert given is not None
    assert given.activations["conv"].high == 1.5
    wanted = given.activations["image"].scale
    steps = [one.scale for one in file.activations.values() if one.scale is not None]
    for step in (wanted, 1.5 / 255, 1 / 256):
        assert step is not None
        assert min(abs(one / step - 1) for one in steps) < 1e-5


def test_a_whole_plan_needs_no_samples(model: Any, plan: QuantizationPlan) -> None:
    one = {"conv/kernel": WeightQuantization(axis=3, scale=0.003)}
    ranges = {
        name: ActivationQuantization(low=-1, high=1)
        for name, one in plan.activations.items()
        if one.low is None
    }
    config = Convert(quantize="int8", plan=changed(plan, weights=one, activations=ranges))
    converted = convert(model, config, verification=None)
    assert quantization_name(converted.tflite) == "int8"
    assert converted.record.calibration_examples == 0
    kernel, _ = plan_of(converted.tflite).weights.values()
    np.testing.assert_allclose(kernel.scale or (), [0.003] * 4, rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "activations", "said"),
    [
        ({"conf/kernel": WeightQuantization()}, {}, r"weight 'conf/kernel', which model "
         r"'convolutional' does not have: the nearest are 'conv/kernel'"),
        ({}, {"immage": ActivationQuantization()}, "'immage', .* the nearest are 'image', "),
        ({"conv/kernel": WeightQuantization(axis=0)}, {}, "on axis 0, and the runtime on axis -1"),
        ({"conv/kernel": WeightQuantization(axis=3, scale=(1, 2))}, {}, "2 scales to the 4 chan"),
        ({"conv/kernel": WeightQuantization(zero_point=3)}, {}, "'conv/kernel' the zero point 3"),
        ({}, {"scores": ActivationQuantization(low=0, high=2)},
         "'scores' the range from 0 to 2, and the runtime fixes it from 0 to 0.996"),
        ({}, {}, r"range of 'image', 'conv', 'scores_linear' open, .*: pass --data"),
    ],
)  # fmt: skip
def test_what_no_file_can_follow_is_one_line(
    model: Any, plan: QuantizationPlan, weights: Any, activations: Any, said: str
) -> None:
    config = Convert(plan=changed(plan, weights=weights, activations=activations))
    with pytest.raises((UsageError, InputError), match=said) as error:
        convert(model, config)
    assert "\n" not in str(error.value)


def test_activations_of_16_bits_beside_8(library: Any) -> None:
    model = tiny_models.convolutional(library)
    wide = ActivationQuantization(bits=16)
    plan = changed(plan_for(folded(model)), activations={"conv": wide, "scores": wide})
    converted = convert(model, Convert(plan=plan), DATA)
    assert converted.record.passed
    # Operators around 16 bits compute in them, and others would stay int8.
    assert quantization_name(converted.tflite) == "int16x8"
    given, steps = converted.record.config.plan, plan_of(converted.tflite).activations.values()
    assert given is not None
    assert given.activations["scores"].scale == pytest.approx(1 / 32768, rel=1e-6)
    found = [one.scale for one in steps if one.bits == 16 and one.scale is not None]
    for name in ("conv", "scores"):
        wanted = given.activations[name].scale
        assert wanted is not None
        assert min(abs(one / wanted - 1) for one in found) < 1e-6
    whole = changed(plan, activations={"image": wide})
    with pytest.raises(UsageError, match=r"--io-dtype int8, .* of 16 bits: leave --io-dtype out"):
        convert(model, Convert(plan=whole, io_dtype="int8"), DATA)


def test_layers_of_16_bits_by_pattern(model: Any) -> None:
    config = Convert(quantize="int8", keep_int16=("type:Conv2D",))
    converted = convert(model, config, DATA)
    assert converted.record.passed
    given = converted.record.config.plan
    assert given is not None
    bits = {name: one.bits for name, one in given.activations.items()}
    assert bits == {"image": 8, "conv": 16, "scores_linear": 8, "scores": 8}
    strange = config.model_copy(update={"keep_int16": ("conf",)})
    with pytest.raises(UsageError, match="keep_int16 names 'conf', which matches none of conv"):
        convert(model, strange, DATA)
    with pytest.raises(UsageError, match="'type:Conv2D', and nothing of that is rounded"):
        convert(model, config.model_copy(update={"keep_float": ("conv",)}), DATA)
    with pytest.raises(ValidationError, match="keep_int16 conv needs quantize='int8', not 'mixed'"):
        Convert(quantize="mixed", keep_int16=("conv",))


@pytest.mark.parametrize("calibrate", [None, "auto"])
def test_layers_kept_in_float_with_and_without_calibration(library: Any, calibrate: Any) -> None:
    model = tiny_models.convolutional(library)
    config = Convert(quantize="int8", keep_float=("image", "type:Conv2D"), calibrate=calibrate)
    record = convert(model, config, DATA).record
    assert record.passed
    assert (record.calibration is None) == (calibrate is None)
    kinds = {one.split(" ")[0] for one in record.float_operators}
    assert kinds == {"CONV_2D", "RESHAPE", "FULLY_CONNECTED", "QUANTIZE"}
    assert record.config.plan is not None
    assert record.config.plan.weights.keys() == {"scores_linear/kernel"}
    assert record.config.plan.activations.keys() == {"scores_linear", "scores"}


def test_what_calibration_finds_is_what_a_float_part_answers(model: Any) -> None:
    config = Convert(quantize="int8", keep_float=("conv",), calibrate="auto")
    converted = convert(model, config, DATA)
    assert converted.record.verification is not None
    assert converted.record.verification.outputs[0].sqnr_db > 40
    plain = convert(model, config.model_copy(update={"keep_float": ()}), DATA)
    assert plain.record.float_operators == ()


def test_kernels_in_float_between_integers_have_no_file(model: Any, plan: QuantizationPlan) -> None:
    given = changed(plan, weights={"conv/kernel": WeightQuantization(bits=None)})
    with pytest.raises(
        UsageError, match=r"'conv/kernel' in float between .*: keep 'conv' in float"
    ):
        convert(model, Convert(plan=given), DATA)


def test_a_plan_keeps_layers_in_float(model: Any, plan: QuantizationPlan) -> None:
    given = changed(
        plan,
        weights={"scores_linear/kernel": WeightQuantization(bits=None)},
        activations={"scores": None, "scores_linear": ActivationQuantization(bits=None)},
    )
    converted = convert(model, Convert(plan=given), DATA)
    assert converted.record.passed
    floats = {one.split(" ")[0] for one in converted.record.float_operators}
    assert "FULLY_CONNECTED" in floats
    assert "CONV_2D" not in floats


def test_models_that_take_no_plan(model: Any, plan: QuantizationPlan) -> None:
    network = folded(model)
    with pytest.raises(UsageError, match="has a plan of its own: leave --plan out"):
        convert(twin_of(network, plan), Convert(plan=plan))
    function = tf.function(tf.abs).get_concrete_function(tf.TensorSpec((1, 2)))
    with pytest.raises(UsageError, match="--plan quantizes Keras models"):
        convert(function, Convert(plan=plan))
    with pytest.raises(UsageError, match="--keep-float quantizes Keras models"):
        convert(function, Convert(quantize="int8", keep_float=("abs",)), np.zeros((4, 2)))
    with pytest.raises(ValidationError, match="keep_float conv needs quantize='int8', not 'none'"):
        Convert(keep_float=("conv",))
    with pytest.raises(ValidationError, match="not float16 for litert: leave quantize"):
        Convert(plan=plan, quantize="float16")
    with pytest.raises(ValidationError, match="not none for larq: leave quantize and runtime out"):
        Convert(plan=plan, runtime="larq")


@pytest.mark.parametrize(
    ("name", "low_bit"), [("keras", "auto"), ("tf_keras", "int4"), ("keras", "off")]
)
def test_weights_of_4_bits_with_a_scale_for_each_output(name: str, low_bit: Any) -> None:
    model = tiny_models.convolutional(LIBRARIES[name])
    whole = plan_for(folded(model))
    four = {name: one.model_copy(update={"bits": 4}) for name, one in whole.weights.items()}
    config = Convert(plan=changed(whole, weights=four), low_bit=low_bit, sparsity="dense")
    converted = convert(model, config, DATA, verification=None)
    convolution, dense = plan_of(converted.tflite).weights.values()
    assert (dense.bits, len(dense.scale or ())) == (8 if low_bit == "off" else 4, 4)
    assert convolution.bits == (4 if low_bit == "int4" else 8)
    told = {one.operator: one.reason for one in converted.record.narrowed}
    assert told.get("FULLY_CONNECTED", "off") == ("off" if low_bit == "off" else "")
    assert ("slow on x86" in told.get("CONV_2D", "")) == (low_bit == "auto")
    assert converted.record.config.plan is not None
    twin = twin_of(folded(model), converted.record.config.plan)
    (answers,) = run_file(converted.tflite, {"image": IMAGES}).outputs.values()
    assert np.abs(answers - twin.predict(IMAGES, verbose=0)).max() < 2 / 256


def test_calibration_may_do_more_than_ranges(model: Any, plan: QuantizationPlan) -> None:
    dense = {"scores_linear/kernel": WeightQuantization()}
    config = Convert(plan=changed(plan, weights=dense), calibrate="minmax")
    record = convert(model, config, DATA, verification=None).record
    assert record.calibration is not None
    assert record.config.plan is not None
    assert record.config.plan.weights["scores_linear/kernel"].axis is None
    scaled = {"conv/kernel": WeightQuantization(axis=-1, scale=0.01)}
    given = changed(plan, weights=scaled)
    with pytest.raises(UsageError, match="gives scales to 'conv/kernel': leave the scales out"):
        convert(model, Convert(plan=given, calibrate="minmax"), DATA)
    with pytest.raises(InputError, match="got none: pass --data"):
        convert(model, Convert(plan=plan, calibrate="minmax"))


@pytest.mark.parametrize("name", ["lenet_5.keras", "lenet_5.h5"])
@pytest.mark.slow
def test_from_a_model_to_a_plan_to_a_file(
    run: Any, models: Path, samples: Path, tmp_path: Path, name: str
) -> None:
    plan, out = tmp_path / "plan.yaml", tmp_path / "q.tflite"
    assert run("inspect", models / name, "--plan", plan).code == 0
    options = ("--plan", plan, "--data", samples / "fashion-mnist.npz", "--samples", "64")
    outcome = run("convert", models / name, "-o", out, *options)
    assert (outcome.code, outcome.err) == (0, "")
    assert quantization_name(out.read_bytes()) == "int8"
    strange = load_plan(plan).model_copy(
        update={"weights": {"conv_3/kernel": WeightQuantization()}}
    )
    plan.write_text(written_plan(strange))
    line = run("convert", models / name, "-o", tmp_path / "b.tflite", *options).refused()
    assert "'conv_3/kernel'" in line
    assert "'conv_2/kernel'" in line
    line = run("convert", models / name, "-o", plan, "--force", *options).refused()
    assert "is the input itself" in line
