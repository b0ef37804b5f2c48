"""Quantization-aware training: by the verb, in a fit of one's own, and in chains."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.quantization.twin import (
    float_model,
    is_twin,
    plan_of_twin,
    quantized_layers,
)
from tflite_squeeze.recipes.claims_in_file import ActivationClaim, check_activations
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.squeezing.squeeze import squeeze
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.quantization import claims as claims_module
from tflite_squeeze.techniques.quantization.aware import quantization_aware
from tflite_squeeze.techniques.quantization.config import QuantizationAware
from tflite_squeeze.techniques.quantization.quantize import quantize
from tflite_squeeze.techniques.quantization.record import QuantizeRecord
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.training.config import FineTune

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (192, 8, 8, 1)).astype(np.float32)
Y = ((X[:, 2, 2, 0] > 0) * 2 + (X[:, 5, 5, 0] > 0)).astype(np.int64)
DATA = {"x_train": X, "y_train": Y, "x_test": X[:64], "y_test": Y[:64]}
SHORT = FineTune(epochs=4, batch=32, learning_rate=3e-3)


@pytest.fixture(scope="module", params=LIBRARIES)
def model(request: pytest.FixtureRequest) -> Any:
    return tiny_models.convolutional(LIBRARIES[request.param])


def _apart(twin: Any, tflite: bytes) -> float:
    """Between a file and its twin, in steps of the output."""
    (answers,) = run_file(tflite, {"image": X}).outputs.values()
    return float(np.abs(answers - twin.predict(X, verbose=0)).max() * 256)


@pytest.mark.slow
def test_it_trains_and_its_file_has_its_integers(model: Any) -> None:
    twin, record = quantize(model, QuantizationAware(layers={"last": 4}), DATA, SHORT)
    assert is_twin(twin)
    assert not is_twin(model)
    assert record.after is not None
    assert record.calibrated is not None
    assert record.after > record.calibrated
    assert len(record.history["loss"]) == 4
    bits = {one.name: record.plan.weights[one.planned].bits for one in record.weights}
    assert bits == {"conv/kernel": 8, "scores_linear/kernel": 4}
    assert record.weights[1].was == "scores/kernel"
    assert _apart(twin, convert(twin).tflite) <= 1.001
    assert QuantizeRecord.model_validate_json(record.model_dump_json()) == record


@pytest.mark.slow
def test_without_labels_the_original_teaches(model: Any) -> None:
    how = SHORT.model_copy(update={"teacher": "original", "epochs": 1})
    _, record = quantize(model, QuantizationAware(weights=2), {"x_calibration": X}, how)
    assert record.before is None
    assert record.calibrated_divergence is not None
    assert record.history["loss"]
    told = " ".join(record.notes)
    assert "chosen for" in told
    assert "batch normalization" not in told  # it is folded


def test_one_shot_is_calibration_alone(model: Any) -> None:
    twin, record = quantize(model, QuantizationAware(), DATA, one_shot=True)
    assert (record.finetune, record.calibrated) == (None, record.after)
    assert all(one.low is not None for one in plan_of_twin(twin).activations.values())


@pytest.mark.slow
def test_zeros_and_shared_values_stay_in_a_fit_of_ones_own(model: Any) -> None:
    sparse, _ = prune(model, Prune(sparsity=0.5), one_shot=True)
    shared, _ = cluster(sparse, Cluster(clusters=8), one_shot=True)
    twin = quantization_aware(shared, QuantizationAware(delay=3))
    twin.compile("adam", "sparse_categorical_crossentropy")
    twin.fit(X, Y, batch_size=32, epochs=2, verbose=0)
    before = shared.get_layer("scores").get_weights()[0]
    layer = quantized_layers(twin)["scores_linear"]
    after = np.asarray(layer.kept_kernel())
    np.testing.assert_array_equal(after == 0, before == 0)
    assert len(np.unique(after)) == len(np.unique(before)) <= 9
    assert not np.allclose(after, before, atol=1e-4)
    plain = float_model(twin)
    np.testing.assert_array_equal(plain.get_layer("scores_linear").get_weights()[0], after)
    assert _apart(twin, convert(twin, verification=None).tflite) <= 1.001


@pytest.mark.slow
@pytest.mark.usefixtures("fixed_times")
def test_all_claims_of_a_chain_hold_in_the_bytes() -> None:
    model = tiny_models.convolutional(LIBRARIES["tf_keras"])
    once = {"finetune": False}
    steps = [
        {"prune": {"sparsity": 0.5}, **once},
        {"cluster": {"clusters": 8}, **once},
        {"quantize": {}, "finetune": SHORT},
    ]
    result = squeeze(model, Recipe(steps=steps), DATA)
    assert result.report.outcome is not None
    claims = {(one.weight, one.kind): one for one in result.report.outcome.claims}
    assert all(one.passed for one in claims.values())
    kinds = ("bits", "scale", "zeros", "distinct values")
    assert {("scores_linear/kernel", kind) for kind in kinds} <= set(claims)
    assert ("conv", "scale") in claims


@pytest.mark.slow
@pytest.mark.usefixtures("fixed_times")
def test_claims_that_do_not_hold_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: steps of 1 % more, and fewer bits."""
    model = tiny_models.convolutional(LIBRARIES["keras"])

    def boasting(record: Any, _: Any) -> Any:
        scale = record.plan.activations["conv"].scale * 1.01
        return {
            "conv": claims_module.Claimed(bits=8, scales=(scale,), activation=True),
            "conv/kernel": claims_module.Claimed(bits=4),
        }

    monkeypatch.setattr(claims_module, "claimed", boasting)
    result = squeeze(model, Recipe(steps=[{"quantize": {}, "finetune": False}]), DATA)
    assert result.report.outcome is not None
    failed = {(one.weight, one.kind) for one in result.report.outcome.claims if not one.passed}
    assert failed == {("conv", "scale"), ("conv/kernel", "bits")}


def test_rounding_is_delayed_in_training_alone(model: Any) -> None:
    twin, _ = quantize(model, QuantizationAware(weights=2, delay=2), DATA, one_shot=True)
    layer = quantized_layers(twin)["conv"]
    kept, rounded = np.asarray(layer.kept_kernel()), np.asarray(layer.rounded_values())
    assert not np.allclose(kept, rounded)
    np.testing.assert_array_equal(layer.rounded_kernel(False), rounded)
    for wanted in (kept, kept, rounded, rounded):
        np.testing.assert_array_equal(layer.rounded_kernel(True), wanted)


def test_probabilities_are_not_rounded_in_training(model: Any) -> None:
    twin = quantization_aware(model)
    training, inference = (np.asarray(twin(X[:8], training=how)) for how in (True, False))
    np.testing.assert_allclose(inference * 256, np.rint(inference * 256), atol=1e-4)
    assert not np.allclose(training * 256, np.rint(training * 256), atol=1e-2)


def test_refusals() -> None:
    model = tiny_models.convolutional(LIBRARIES["keras"])
    with pytest.raises(UsageError, match="calibrated on real samples: pass data"):
        quantize(model)
    with pytest.raises(UsageError, match="'nowhere', which matches none"):
        quantization_aware(model, QuantizationAware(layers={"nowhere": 4}))
    library = LIBRARIES["keras"]
    empty = library.Sequential([library.Input((4,)), library.layers.ReLU()])
    with pytest.raises(UsageError, match="no convolution and no Dense layer"):
        quantization_aware(empty)


def test_a_quantized_network_is_the_last(model: Any) -> None:
    twin = quantization_aware(model)
    with pytest.raises(UsageError, match="go on training it with fit"):
        quantization_aware(twin)
    with pytest.raises(UsageError, match=r"is a quantized network.*float_model"):
        prune(twin, Prune(sparsity=0.5), one_shot=True)
    with pytest.raises(ValidationError, match="prune cannot follow quantize: put quantize last"):
        Recipe(steps=[{"quantize": {}}, {"prune": {"sparsity": 0.5}}])


def test_what_stays_post_training_is_named() -> None:
    library = LIBRARIES["keras"]
    layers = library.layers
    given = library.Input((6, 3), name="signal")
    net = library.Model(given, layers.Dense(2)(layers.LSTM(4, name="memory")(given)))
    signals = {"x_calibration": RNG.normal(size=(16, 6, 3)).astype(np.float32)}
    _, record = quantize(net, QuantizationAware(), signals)
    assert [(one.layer, one.layer_type) for one in record.skipped] == [("memory", "LSTM")]
    assert "calibrated on samples" in record.skipped[0].reason


def test_recipes_leave_the_type_of_the_file_to_it() -> None:
    with pytest.raises(ValidationError, match="after quantize is int8, not float16: set convert"):
        Recipe(steps=[{"quantize": {}}], convert={"quantize": "float16"})
    assert (
        Recipe(steps=[{"quantize": {}}], convert={"quantize": "int8"}).steps[0].config.weights == 8
    )


def test_wrappers_of_other_tools_are_refused_by_name() -> None:
    layers = LIBRARIES["tf_keras"].layers
    wrapper = type("QuantizeWrapperV2", (layers.Wrapper,), {"call": lambda self, x: self.layer(x)})
    net = LIBRARIES["tf_keras"].Sequential(
        [LIBRARIES["tf_keras"].Input((4,)), wrapper(layers.Dense(2), name="quant_dense")]
    )
    with pytest.raises(UsageError, match=r"'quant_dense'.*QuantizeWrapperV2\): pass the float"):
        quantization_aware(net)


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
def test_layers_are_named_as_in_the_model_that_was_given(library: Any) -> None:
    layers = library.layers
    net = library.Sequential(
        [
            library.Input((8, 8, 1)),
            layers.SeparableConv2D(4, 3, activation="relu", name="separable"),
            layers.Conv2DTranspose(2, 3, activation="relu", name="up"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(4, activation="softmax", name="scores"),
        ]
    )

    def bits(**config: Any) -> list[int | None]:
        weights = plan_of_twin(quantization_aware(net, QuantizationAware(**config))).weights
        return [one.bits for one in weights.values()]

    assert bits(layers={"scores": 4}) == [8, 8, 8, 4]
    assert bits(layers={"SeparableConv2D": 4}) == bits(layers={"separable": 4}) == [4, 4, 8, 8]
    assert bits(weights=2, layers={"up": 8}) == [2, 2, 8, 2]
    with pytest.raises(UsageError, match=r"^layers names 'nowhere', which matches none of separ"):
        bits(layers={"nowhere": 4})
    with pytest.raises(UsageError, match=r"\(Conv2DTranspose\) has 8 bits in every file"):
        bits(weights=4)


def test_learned_steps_start_at_the_least_error(model: Any) -> None:
    twin = quantization_aware(model, QuantizationAware(weights=2))
    layer = quantized_layers(twin)["conv"]
    assert layer.learned_scale
    kernel = np.asarray(layer.kept_kernel())
    greatest = np.abs(kernel).max((0, 1, 2))
    assert np.all(np.asarray(layer.largest_values()) < greatest)
    by_greatest = quantized_layers(
        quantization_aware(model, QuantizationAware(weights=2, learned_scale=False))
    )["conv"]
    np.testing.assert_allclose(by_greatest.largest_values(), greatest, rtol=1e-6)
    errors = [np.square(one.rounded_values() - kernel).sum() for one in (layer, by_greatest)]
    assert errors[0] < errors[1]
    assert not QuantizationAware(weights=4).learns_scales


def test_activations_of_16_bits_layer_by_layer() -> None:
    model = tiny_models.convolutional(LIBRARIES["keras"])
    config = QuantizationAware(activations=16, layers={"conv": "w4a8", "last": "a8"})
    plan = plan_of_twin(quantization_aware(model, config))
    assert {name: one.bits for name, one in plan.activations.items()} == {
        "image": 16, "conv": 8, "scores_linear": 8, "scores": 16
    }  # fmt: skip
    assert plan.weights["conv/kernel"].bits == 4
    assert plan.weights["scores_linear/kernel"].bits == 8
    # A plan in place of them.
    again = quantization_aware(model, QuantizationAware(plan=plan))
    assert plan_of_twin(again).activations == plan.activations
    with pytest.raises(ValidationError, match="a plan gives bits to everything, and so do weights"):
        QuantizationAware(plan=plan, weights=4)
    with pytest.raises(UsageError, match="layers names 'conf', which matches none of conv"):
        quantization_aware(model, QuantizationAware(layers={"conf": "a16"}))


@pytest.mark.slow
def test_a_twin_of_16_bits_trains_and_its_claims_hold(library: Any) -> None:
    model = tiny_models.convolutional(library)
    images = RNG.uniform(-1, 1, (32, 8, 8, 1)).astype(np.float32)
    data = {"x_train": images, "y_train": np.arange(32) % 4}
    twin, record = quantize(model, QuantizationAware(activations=16), data, FineTune(epochs=1))
    converted = convert(twin)
    assert converted.record.passed
    claims = [
        ActivationClaim(activation=name, bits=one.bits, scale=one.scale)
        for name, one in record.plan.activations.items()
        if one.bits and one.scale
    ]
    assert {one.bits for one in claims} == {16}
    assert all(one.passed for one in check_activations(converted.tflite, claims))
