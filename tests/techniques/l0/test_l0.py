"""L0 regularisation: gates, what they cost, and the plain model that is left."""

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.observing import place_of, replaced
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.l0.config import L0
from tflite_squeeze.techniques.l0.gates import gated_network
from tflite_squeeze.techniques.l0.l0 import l0_prune
from tflite_squeeze.techniques.l0.record import L0Record
from tflite_squeeze.training.config import FineTune

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 8, 8, 1)).astype(np.float32)
# Four classes that two pixels tell apart: nearly all weights are of no use.
Y = ((X[:, 2, 2, 0] > 0) * 2 + (X[:, 5, 5, 0] > 0)).astype(np.int64)
STRONG = L0(lam=20.0, gate_learning_rate=0.5, settle=0.25)
SHORT = FineTune(epochs=8, batch=32, learning_rate=5e-3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "pixels.npz"
    np.savez(path, x_train=X, y_train=Y, x_test=X[:64], y_test=Y[:64])
    return path


def kernels(model):
    return [np.asarray(target.variable) for target in select(model).targets]


def test_it_leaves_a_plain_model_with_exact_zeros(library, data):
    model = tiny_models.convolutional(library)
    before = [kernel.copy() for kernel in kernels(model)]
    pruned, record = l0_prune(model, STRONG, data, SHORT)
    assert [type(layer) for layer in pruned.layers] == [type(layer) for layer in model.layers]
    zeros = sum(int(np.sum(kernel == 0)) for kernel in kernels(pruned))
    assert zeros == sum(weight.zeros_after for weight in record.weights)
    assert record.sparsity > 0.5
    assert record.metric == "accuracy"
    assert len(record.history["loss"]) == 8
    for kernel, was in zip(kernels(model), before, strict=True):
        np.testing.assert_array_equal(kernel, was)
    assert L0Record.model_validate_json(record.model_dump_json()) == record


def test_without_a_price_it_stays_dense(library, data):
    model = tiny_models.convolutional(library)
    _, record = l0_prune(model, STRONG.model_copy(update={"lam": 0.0}), data, SHORT)
    assert record.sparsity < 0.1


def test_the_zeros_are_in_the_converted_file(data):
    library = tiny_models.LIBRARIES["keras"]
    pruned, record = l0_prune(tiny_models.convolutional(library), STRONG, data, SHORT)
    converted = convert(pruned)
    assert converted.record.passed
    # The biases of a layer that nothing reaches may be zero too.
    written = converted.record.size.zeros
    assert 0 <= written - sum(weight.zeros_after for weight in record.weights) <= 8


def test_xla_trains_it_too(library, data):
    training = SHORT.model_copy(update={"jit": True, "epochs": 2})
    _, record = l0_prune(tiny_models.convolutional(library), STRONG, data, training)
    assert len(record.history["loss"]) == 2


def test_protected_layers_have_no_gates(library, data):
    config = STRONG.model_copy(update={"protect": ("Conv2D",)})
    _, record = l0_prune(tiny_models.convolutional(library), config, data, SHORT)
    assert [weight.name for weight in record.weights] == ["scores/kernel"]
    assert ("conv", "protected") in [(item.layer, item.reason) for item in record.skipped]


def test_the_price_is_lam_times_the_open_share(library):
    """At the beginning of a training without warm-up, of which nothing is random."""
    model = tiny_models.dense(library)
    network = gated_network(
        model, select(model).targets, L0(lam=3.0, init_keep=0.5), gain=1.0, warmup_steps=0, seed=0
    )
    network(tiny_models.examples(2, *model.input_shape[1:]), training=True)
    # Each gate has log alpha = 0, and is open with probability 11^(2/3) / (1 + 11^(2/3)).
    expected = 3.0 * 11 ** (2 / 3) / (1 + 11 ** (2 / 3))
    assert float(sum(network.losses)) == pytest.approx(expected, rel=1e-5)


def test_the_price_rises(library):
    model = tiny_models.dense(library)
    network = gated_network(
        model, select(model).targets, L0(lam=4.0), gain=1.0, warmup_steps=4, seed=0
    )
    x = tiny_models.examples(2, *model.input_shape[1:])
    prices = []
    for _ in range(6):
        network(x, training=True)
        prices.append(float(sum(network.losses)))
    np.testing.assert_allclose(np.array(prices) / prices[-1], [0.25, 0.5, 0.75, 1, 1, 1])


def test_gates_are_drawn_anew_each_step_and_alike_for_a_seed(library):
    model = tiny_models.dense(library)
    x = tiny_models.examples(2, *model.input_shape[1:])

    def outputs(seed):
        network = gated_network(
            model, select(model).targets, L0(), gain=1.0, warmup_steps=0, seed=seed
        )
        return [np.asarray(network(x, training=True)) for _ in range(2)]

    first, again, other = outputs(1), outputs(1), outputs(2)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[0], first[1])
    assert not np.allclose(first[0], other[0])


def test_layers_compute_with_what_replaces_their_weights(library):
    layers = library.layers
    model = library.Sequential(
        [
            library.Input((12, 4)),
            layers.Conv1D(4, 3, name="conv"),
            layers.SeparableConv1D(3, 2, name="separable"),
            layers.LSTM(3, name="memory"),
            layers.Dense(2, use_bias=False, name="out"),
        ]
    )
    targets = select(model).targets
    assert len(targets) == 6
    x = tiny_models.examples(2, 12, 4)
    before = [target.variable for target in targets]
    plain = np.asarray(model(x))
    with replaced(targets, [0.0 * np.asarray(target.variable) for target in targets]):
        np.testing.assert_array_equal(model(x), np.zeros((2, 2)))
    np.testing.assert_array_equal(model(x), plain)
    for target, variable in zip(targets, before, strict=True):
        holder, name = place_of(target)
        assert getattr(holder, name) is variable


def test_weights_come_back_after_an_error(library):
    model = tiny_models.dense(library)
    targets = select(model).targets
    kernel = targets[0].variable
    with (
        pytest.raises(ValueError, match="hidden"),
        replaced(targets, [tf.convert_to_tensor(target.variable) for target in targets]),
    ):
        model(np.zeros((1, 1)))
    holder, name = place_of(targets[0])
    assert getattr(holder, name) is kernel


def test_refusals(library, data):
    model = library.Sequential([library.Input((8, 8, 1)), library.layers.Flatten()], name="flat")
    with pytest.raises(UsageError, match="no layer of model 'flat' can have gates"):
        l0_prune(model, L0(), data)
    model = tiny_models.convolutional(library)
    with pytest.raises(InputError, match="no labelled training part"):
        l0_prune(model, L0(), load_data(X[:8]))


@pytest.mark.parametrize(
    "values",
    [{"lam": -1}, {"gamma": 0.1}, {"zeta": 0.9}, {"temperature": 0}, {"init_keep": 1}, {"x": 1}],
)
def test_values_that_make_no_gates_are_refused(values):
    with pytest.raises(ValidationError):
        L0(**values)


def test_the_config_round_trips():
    config = L0(lam=2.5, protect=("last",))
    assert L0.model_validate_json(config.model_dump_json()) == config
