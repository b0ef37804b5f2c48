"""Files of twins: integer, with the twin's steps, and answers that differ by one step at most."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import ActivationQuantization, QuantizationPlan
from tflite_squeeze.network.quantization.twin import plan_for, plan_of_twin, twin_of
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.signatures import float_operators


@pytest.fixture(params=LIBRARIES, scope="module")
def twin(request: pytest.FixtureRequest) -> Any:
    """An image through a convolution and a Dense layer; trained for two steps."""
    model = folded(tiny_models.convolutional(LIBRARIES[request.param]))
    made = twin_of(model, plan_for(model))
    made.compile("sgd", "sparse_categorical_crossentropy")
    made.fit(_images(), np.arange(32) % 4, batch_size=16, verbose=0)
    return made


def _images() -> Any:
    return np.random.default_rng(0).uniform(-1, 1, (32, 8, 8, 1)).astype(np.float32)


def _differences(made: Any, tflite: bytes, step: float, inputs: Any) -> Any:
    """Between a file and its twin, in steps of the output."""
    (answers,) = run_file(tflite, inputs).outputs.values()
    (given,) = inputs.values()
    return np.abs(answers - made.predict(given, verbose=0)) / step


def test_a_file_equals_its_twin_without_any_samples(twin: Any) -> None:
    converted = convert(twin)
    assert converted.record.passed
    assert float_operators(converted.tflite) == ()
    differences = _differences(twin, converted.tflite, 1 / 256, {"image": _images()})
    assert differences.max() <= 1.001


def test_a_file_has_the_steps_of_its_plan(twin: Any) -> None:
    from ai_edge_litert.interpreter import Interpreter

    plan = plan_of_twin(twin)
    reader = Interpreter(model_content=convert(twin, verification=None).tflite)
    steps = [
        float(detail["quantization_parameters"]["scales"][0])
        for detail in reader.get_tensor_details()
        if detail["dtype"] == np.int8 and len(detail["quantization_parameters"]["scales"]) == 1
    ]
    for name in ("image", "conv", "scores_linear", "scores"):
        wanted = plan.activations[name].scale
        assert wanted is not None
        assert any(abs(step / wanted - 1) < 1e-5 for step in steps), name


@pytest.mark.parametrize("bits", [4, 8])
def test_fewer_bits_and_steps_of_the_plan_are_in_the_file(twin: Any, bits: Any) -> None:
    plan = plan_of_twin(twin)
    weights = {
        name: one.model_copy(
            update={
                "bits": bits,
                "scale": tuple(0.9 * 127 / (2 ** (bits - 1) - 1) * s for s in one.scale or ()),
            }
        )
        for name, one in plan.weights.items()
        if name.startswith("conv")
    }
    plan = plan.model_copy(update={"weights": {**plan.weights, **weights}})
    from tflite_squeeze.network.quantization.twin import float_model

    made = twin_of(float_model(twin), plan)
    tflite = convert(made, verification=None).tflite
    assert _differences(made, tflite, 1 / 256, {"image": _images()}).max() <= 1.001


def test_a_twin_takes_no_other_quantization(twin: Any) -> None:
    with pytest.raises(UsageError, match="leave --quantize float16 out"):
        convert(twin, Convert(quantize="float16"))


def test_a_twin_without_ranges_is_refused() -> None:
    model = folded(tiny_models.dense(LIBRARIES["keras"]))
    with pytest.raises(InputError, match=r"without ranges for 3 .*\(x, hidden, scores_linear\)"):
        convert(twin_of(model, plan_for(model)))


def test_ranges_inside_of_layers_need_samples() -> None:
    model = folded(tiny_models.normalized(LIBRARIES["keras"]))
    made = twin_of(model, plan_for(model))
    made.compile("sgd", "mse")
    shape = [size or 4 for size in made.input_shape[1:]]
    images = tiny_models.examples(16, *shape)
    made.fit(images, made.predict(images, verbose=0), verbose=0)
    with pytest.raises(InputError, match=r"LayerNormalization\).*pass --data"):
        convert(made)
    assert convert(made, data={"x_train": images}).record.passed


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["same", "valid", "causal"])
def test_convolutions_over_time_have_steps_of_their_own(library: Any, padding: str) -> None:
    layers = library.layers
    steps = library.Input((20, 3), name="steps")
    x = layers.Conv1D(8, 3, 2, padding=padding, activation="relu", name="conv")(steps)
    if padding != "causal":
        x = layers.DepthwiseConv1D(3, padding=padding, name="depthwise")(x)
    x = layers.Conv1D(4, 2, dilation_rate=2, padding=padding, name="dilated")(x)
    model = folded(library.Model(steps, layers.Flatten()(x), name="over_time"))
    plan = plan_for(model)
    weights = {
        name: weight.model_copy(update={"scale": (0.004,) * (4 if "dilated" in name else 8)})
        for name, weight in plan.weights.items()
    }
    given = ActivationQuantization(low=-4.0, high=4.0)
    plan = QuantizationPlan(weights=weights, activations=dict.fromkeys(plan.activations, given))
    twin = twin_of(model, plan)
    inputs = {"steps": tiny_models.examples(16, 20, 3)}
    tflite = convert(twin, verification=None).tflite
    assert float_operators(tflite) == ()
    assert _differences(twin, tflite, 8 / 255, inputs).max() <= 1.001
