"""Twins of folded networks: what they compute, train, save, and what their files hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.quantization.folding import folded, scale_and_shift, unfolded
from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)
from tflite_squeeze.network.quantization.twin import (
    float_model,
    is_twin,
    plan_for,
    plan_of_twin,
    quantized_layers,
    twin_of,
)

SAMPLES = np.random.default_rng(0).uniform(-1, 1, (32, 8, 8, 3)).astype(np.float32)
LABELS = np.arange(32) % 4


@pytest.fixture(params=LIBRARIES, scope="module")
def library(request: pytest.FixtureRequest) -> Any:
    return LIBRARIES[request.param]


def _varied(model: Any) -> Any:
    """The model with statistics and scales that are not those of a new one."""
    random = np.random.default_rng(1)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([random.uniform(0.5, 1.5, one.shape) for one in layer.get_weights()])
    return model


def _mixed(library: Any) -> Any:
    """Normalisations of every kind, an addition, a join, activations inside layers."""
    library.utils.set_random_seed(3)
    layers = library.layers
    given = library.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv")(given)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="after_conv")(x))
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise", depth_multiplier=2)(x)
    y = layers.ReLU(6.0, name="relu6")(layers.BatchNormalization(name="after_depthwise")(y))
    y = layers.BatchNormalization(name="after_point")(layers.Conv2D(4, 1, name="point")(y))
    x = layers.Activation("relu", name="sum")(layers.Add(name="add")([x, y]))
    x = layers.BatchNormalization(name="alone")(x)
    y = layers.SeparableConv2D(3, 3, padding="same", activation="tanh", name="separable")(x)
    x = layers.Concatenate(name="join")([layers.MaxPooling2D(name="pool")(x),
                                         layers.MaxPooling2D(name="pool_2")(y)])  # fmt: skip
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(4, activation="softmax", name="scores")(layers.Dropout(0.1)(x))
    return _varied(library.Model(given, x, name="mixed"))


@pytest.fixture(scope="module")
def trained(library: Any) -> Any:
    """A twin after two epochs."""
    model = folded(_mixed(library))
    twin = twin_of(model, plan_for(model))
    twin.compile("sgd", "sparse_categorical_crossentropy")
    twin.fit(SAMPLES, LABELS, batch_size=8, epochs=2, verbose=0)
    return twin


def test_folding_keeps_what_a_network_computes(library: Any) -> None:
    model = _mixed(library)
    plain = folded(model)
    assert unfolded(plain) == ()
    np.testing.assert_allclose(
        plain.predict(SAMPLES, verbose=0), model.predict(SAMPLES, verbose=0), atol=2e-6
    )
    assert type(plain.get_layer("alone")).__name__ == "DepthwiseConv2D"
    assert not any(layer.name == "after_conv" for layer in plain.layers)


def test_a_shared_convolution_keeps_its_normalisations(library: Any) -> None:
    layers = library.layers
    given = library.Input((4, 4, 2))
    shared = layers.Conv2D(2, 1)
    ends = [layers.BatchNormalization()(shared(given)), layers.BatchNormalization()(shared(given))]
    model = _varied(library.Model(given, layers.Add()(ends)))
    plain = folded(model)
    samples = SAMPLES[:, :4, :4, :2]
    kinds = [type(layer).__name__ for layer in plain.layers]
    assert kinds.count("DepthwiseConv2D") == 2
    np.testing.assert_allclose(
        plain.predict(samples, verbose=0), model.predict(samples, verbose=0), atol=2e-6
    )


def test_scale_and_shift_are_those_of_inference(library: Any) -> None:
    layer = library.layers.BatchNormalization(epsilon=0.0, scale=False)
    layer.build((None, 2))
    layer.set_weights([np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([4.0, 0.25])])
    scale, shift = scale_and_shift(layer)  # beta - mean / sqrt(variance)
    np.testing.assert_allclose(scale, [0.5, 2.0])
    np.testing.assert_allclose(shift, [1 - 3 / 2, 2 - 4 * 2])


def test_points_are_where_operators_end(library: Any) -> None:
    plan = plan_for(folded(_mixed(library)))
    # Not: conv (its ReLU is applied by it), add likewise, pools (the steps of their inputs).
    assert list(plan.activations) == [
        "image", "relu", "relu6", "point", "sum", "alone", "separable_depthwise",
        "separable_linear", "separable", "join", "mean", "scores_linear", "scores",
    ]  # fmt: skip
    assert plan.activations["scores"] == ActivationQuantization(low=0, high=255 / 256)
    assert plan.activations["separable"] == ActivationQuantization(low=-1, high=127 / 128)
    assert plan.activations["relu"].low is None
    assert plan.weights["depthwise/kernel"] == WeightQuantization(axis=-2)


def test_a_twin_without_ranges_rounds_weights_only(library: Any) -> None:
    model = folded(_mixed(library))
    twin = twin_of(model, QuantizationPlan(weights={"conv/kernel": WeightQuantization(axis=-1)}))
    kernel = np.asarray(model.get_layer("conv").kernel)
    steps = np.abs(kernel).max((0, 1, 2)) / 127
    np.testing.assert_allclose(
        quantized_layers(twin)["conv"].rounded_values(), np.rint(kernel / steps) * steps, atol=1e-6
    )
    assert [type(layer).__name__ for layer in twin.layers].count("QuantizedConv2D") == 1


def test_four_bits_leave_fifteen_values(library: Any) -> None:
    model = folded(tiny_models.dense(library))
    twin = twin_of(model, plan_for(model, weights=4))
    kernel = np.asarray(quantized_layers(twin)["hidden"].rounded_values())
    assert all(len(np.unique(column.round(6))) <= 15 for column in kernel.T)
    assert not np.allclose(kernel, np.asarray(model.get_layer("hidden").kernel), atol=1e-3)


def test_training_finds_ranges_and_keeps_fixed_ones(trained: Any) -> None:
    plan = plan_of_twin(trained)
    assert all(one.low is not None for one in plan.activations.values())
    assert plan.activations["scores"].high == 255 / 256
    assert plan.activations["relu"].low == 0 < (plan.activations["relu"].high or 0)
    assert all(one.scale for one in plan.weights.values())


def test_saved_twins_load_and_compute_the_same(trained: Any, tmp_path: Path) -> None:
    path = tmp_path / "twin.keras"
    trained.save(path)
    loaded = load_model(path).model
    assert is_twin(loaded)
    assert plan_of_twin(loaded) == plan_of_twin(trained)
    np.testing.assert_array_equal(
        loaded.predict(SAMPLES, verbose=0), trained.predict(SAMPLES, verbose=0)
    )


def test_the_float_model_has_the_trained_weights(trained: Any) -> None:
    model = float_model(trained)
    assert not is_twin(model)
    np.testing.assert_array_equal(
        np.asarray(model.get_layer("conv").kernel),
        np.asarray(quantized_layers(trained)["conv"].kernel_variable),
    )
    again = twin_of(model, plan_of_twin(trained))
    np.testing.assert_allclose(
        again.predict(SAMPLES, verbose=0), trained.predict(SAMPLES, verbose=0), atol=1e-6
    )


def test_learned_bounds_and_scales_have_gradients(library: Any) -> None:
    model = folded(tiny_models.dense(library))
    plan = plan_for(model)
    ranges = {
        name: one if one.low is not None else one.model_copy(update={"low": -1.0, "high": 1.0})
        for name, one in plan.activations.items()
    }
    plan = plan.model_copy(update={"activations": ranges})
    twin = twin_of(model, plan, estimator="learned", learned_scale=True)
    before = plan_of_twin(twin)
    twin.compile("sgd", "sparse_categorical_crossentropy")
    twin.fit(4 * SAMPLES[:, 0, 0, :1] * np.ones((1, 8)), LABELS % 3, epochs=2, verbose=0)
    after = plan_of_twin(twin)
    assert after.weights["hidden/kernel"].scale != before.weights["hidden/kernel"].scale
    assert after.activations["hidden"] != before.activations["hidden"]
    assert after.activations["scores"] == before.activations["scores"]
    assert not is_twin(float_model(twin))


def test_learned_bounds_begin_with_the_first_batch(library: Any) -> None:
    model = folded(tiny_models.dense(library))
    twin = twin_of(model, plan_for(model), estimator="learned")
    twin.compile("sgd", "sparse_categorical_crossentropy")
    inputs = SAMPLES[:, 0, 0, :1] * np.ones((1, 8), np.float32)
    twin.fit(inputs, LABELS % 3, batch_size=32, verbose=0)
    found = plan_of_twin(twin).activations
    assert (found["x"].low, found["x"].high) == pytest.approx((inputs.min(), inputs.max()))
    assert all(one.low is not None for one in found.values())
    twin.fit(inputs, LABELS % 3, batch_size=32, verbose=0)
    assert plan_of_twin(twin).activations["hidden"] != found["hidden"]


def test_ranges_follow_in_a_base_that_is_called_without_training(library: Any) -> None:
    layers = library.layers
    base = library.Sequential(
        [library.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()],
        name="base",
    )
    base.trainable = False
    photo = library.Input((8, 8, 3), name="photo")
    features = layers.GlobalAveragePooling2D()(base(photo, training=False))
    model = folded(library.Model(photo, layers.Dense(4)(features)))
    twin = twin_of(model, plan_for(model))
    twin.compile("sgd", "mse")
    twin.fit(SAMPLES, np.ones((32, 4)), verbose=0)
    assert all(one.low is not None for one in plan_of_twin(twin).activations.values())


def test_what_a_model_does_not_have_cannot_be_planned(library: Any) -> None:
    model = folded(tiny_models.dense(library))
    with pytest.raises(UsageError, match=r"weight 'nowhere/kernel', which model 'dense'.*hidden"):
        twin_of(model, QuantizationPlan(weights={"nowhere/kernel": WeightQuantization()}))
    with pytest.raises(UsageError, match="activation 'nowhere'"):
        twin_of(model, QuantizationPlan(activations={"nowhere": ActivationQuantization()}))


def test_outputs_keep_their_names_for_losses_of_several(library: Any) -> None:
    model = tiny_models.two_ended(library)
    losses = {"classes": "sparse_categorical_crossentropy", "value": "mse"}
    model.compile("sgd", losses)
    twin = twin_of(folded(model), plan_for(folded(model)))
    assert list(twin.output_names) == list(model.output_names) == ["classes", "value"]
    inputs = [tiny_models.examples(8, *one.shape[1:]) for one in model.inputs]
    answers = {"classes": np.arange(8) % 3, "value": np.ones((8, 1))}
    assert twin.fit(inputs, answers, verbose=0).history["loss"]
    assert set(plan_of_twin(twin).weights) == set(plan_for(folded(model)).weights)
    plain = float_model(twin)
    assert {layer.name for layer in plain.layers} == {one.name for one in folded(model).layers}
