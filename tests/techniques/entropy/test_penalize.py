"""Entropy-penalized training: what is trained, what is left, and what the file holds."""

import numpy as np
import pytest
from pydantic import ValidationError

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import select
from tflite_squeeze.recipes.claims import claims_after, file_claims
from tflite_squeeze.recipes.claims_in_file import check_claims
from tflite_squeeze.techniques.entropy.aware import entropy_penalized
from tflite_squeeze.techniques.entropy.config import EntropyPenalty
from tflite_squeeze.techniques.entropy.penalize import initialise, penalize_entropy
from tflite_squeeze.techniques.entropy.penalized import penalized_network, selected
from tflite_squeeze.techniques.entropy.record import EntropyRecord
from tflite_squeeze.techniques.registry import technique
from tflite_squeeze.tflite.lut import entropy_bytes
from tflite_squeeze.training.config import FineTune

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 8, 8, 1)).astype(np.float32)
# Four classes that two pixels tell apart: nearly all weights are of no use.
Y = ((X[:, 2, 2, 0] > 0) * 2 + (X[:, 5, 5, 0] > 0)).astype(np.int64)
DATA = {"x_train": X, "y_train": Y, "x_test": X[:128], "y_test": Y[:128]}
SHORT = FineTune(epochs=8, batch=16, learning_rate=1e-2)
STRONG = EntropyPenalty(penalty=1.0, ramp=0.2)


@pytest.fixture(scope="module", params=LIBRARIES)
def trained(request):
    """A model, the same with a price on its bytes, and the record."""
    model = tiny_models.convolutional(LIBRARIES[request.param])
    return model, *penalize_entropy(model, STRONG, DATA, SHORT)


@pytest.mark.slow
def test_it_leaves_a_plain_model_of_integers_times_steps(trained):
    model, priced, record = trained
    assert [type(layer) for layer in priced.layers] == [type(layer) for layer in model.layers]
    by_name = {one.name: one for one in record.weights}
    assert list(by_name) == ["conv/kernel", "scores/kernel", "conv/bias", "scores/bias"]
    for target in selected(priced, EntropyPenalty()).targets:
        weight, values = by_name[target.name], np.asarray(target.variable)
        integers = values / np.float32(weight.steps[0])
        np.testing.assert_array_equal(integers, np.rint(integers))
        assert int(np.max(np.abs(integers))) == weight.largest <= 127
        assert weight.zeros_after == int(np.sum(values == 0))
        assert weight.code_bytes == pytest.approx(entropy_bytes(values))
    assert len(record.curve) == 8
    assert record.curve[-1].code_bytes == pytest.approx(record.code_bytes, rel=1e-6)
    assert record.curve[-1].code_bytes < 0.8 * record.curve[0].code_bytes
    assert EntropyRecord.model_validate_json(record.model_dump_json()) == record


@pytest.mark.slow
def test_the_integers_arrive_in_the_file(trained):
    _, priced, record = trained
    converted = convert(priced, Convert(quantize="int8"), DATA)
    assert converted.record.passed
    claims = claims_after({}, technique("entropy"), record, priced)
    checks = check_claims(converted.tflite, file_claims(claims, priced, converted.record))
    assert {check.kind for check in checks} >= {"zeros", "integers", "code bytes"}
    assert all(check.passed for check in checks), checks
    # A file of the model with one weight moved off its grid has other integers.
    kernel = select(priced).targets[-1].variable
    kept = np.array(kernel)
    moved = kept.copy()
    moved.ravel()[np.argmax(np.abs(kept))] *= 1.3
    kernel.assign(moved)
    other = convert(priced, Convert(quantize="int8"), DATA, verification=None)
    kernel.assign(kept)
    failed = [
        check.kind
        for check in check_claims(other.tflite, file_claims(claims, priced, converted.record))
        if not check.passed
    ]
    assert "integers" in failed


@pytest.mark.slow
def test_a_target_is_met_and_its_price_found():
    config = EntropyPenalty(target_bytes=120)
    model = tiny_models.convolutional(LIBRARIES["keras"])
    _, record = penalize_entropy(model, config, DATA, SHORT)
    assert record.reached
    assert 40 <= record.code_bytes <= 120  # in few steps it cannot come back
    assert len({point.penalty for point in record.curve}) == 8


@pytest.mark.slow
def test_zeros_of_earlier_steps_stay():
    model = tiny_models.convolutional(LIBRARIES["keras"])
    kernel = select(model).targets[-1].variable
    mask = RNG.random(kernel.shape) < 0.5
    kernel.assign(np.asarray(kernel) * mask)
    priced, _ = penalize_entropy(
        model, EntropyPenalty(penalty=1e-6), DATA, SHORT.model_copy(update={"epochs": 1})
    )
    assert not np.asarray(select(priced).targets[-1].variable)[~mask].any()


def every_kind(library):
    layers = library.layers
    inputs = library.Input((12,), dtype="int32")
    x = layers.Embedding(10, 6, name="table")(inputs)
    x = layers.SeparableConv1D(4, 3, name="separable")(x)
    x = layers.Conv1DTranspose(4, 3, name="transposed")(x)
    x = layers.GRU(5, name="memory", return_sequences=True)(x)
    x = layers.LSTM(3, name="other_memory")(x)
    x = layers.Reshape((1, 3, 1))(x)
    x = layers.DepthwiseConv2D((1, 2), name="depthwise")(x)
    x = layers.Conv2D(3, 1, use_bias=False, name="conv")(x)
    return library.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x)))


@pytest.mark.parametrize("per_channel", [False, True])
def test_every_kind_of_weight_has_a_price(library, per_channel):
    model = every_kind(library)
    config = EntropyPenalty(per_channel=per_channel, group=1.0, ramp=0.0)
    network = entropy_penalized(model, config, examples=10, steps=2)
    names = [target.name for target in network.targets]
    wanted = {"table/embeddings", "memory/recurrent_kernel", "memory/bias", "separable/bias",
              "separable/depthwise_kernel", "transposed/kernel", "out/bias"}  # fmt: skip
    assert wanted <= set(names)
    assert len(names) == 17
    x = RNG.integers(0, 10, (4, 12)).astype(np.int32)
    network.compile("sgd", "mse", run_eagerly=True)  # loops over time take long to trace
    network.fit(x, np.zeros((4, 2), np.float32), epochs=1, verbose=0)
    answers = np.asarray(network(x))
    network.write()
    np.testing.assert_allclose(np.asarray(model(x)), answers, rtol=0.05, atol=0.02)
    for target, steps in zip(network.targets, network.steps(), strict=True):
        integers = np.asarray(target.variable) / steps
        np.testing.assert_allclose(integers, np.rint(integers), atol=1e-4)
        if per_channel and len(target.shape) == 2 and target.name != "memory/bias":
            assert max(steps.shape) > 1


def test_the_price_is_lambda_times_nats_over_examples(library):
    model = tiny_models.dense(library)
    config = EntropyPenalty(penalty=0.5, ramp=0.0, biases=False)
    network = penalized_network(model, select(model).targets, config, examples=20, steps=8)
    network(tiny_models.examples(2, *model.input_shape[1:]), training=True)
    nats = sum(float(np.asarray(rate[0])) for rate in network._rates)
    assert float(sum(network.losses)) == pytest.approx(0.5 * nats / 20, rel=1e-5)
    # Four values to a standard deviation take about log2(4 √(2πe)) = 4.05 bits each.
    count = sum(target.size for target in network.targets)
    assert 3.5 < nats / np.log(2) / count < 5.0


def test_the_price_rises(library):
    model = tiny_models.dense(library)
    network = penalized_network(
        model, select(model).targets, EntropyPenalty(ramp=0.5), examples=20, steps=8
    )
    x = tiny_models.examples(2, *model.input_shape[1:])
    prices = []
    for _ in range(6):
        network(x, training=True)
        prices.append(float(sum(network.losses)))
    np.testing.assert_allclose(np.array(prices) / prices[-1], [0.25, 0.5, 0.75, 1, 1, 1], rtol=1e-5)


def test_weights_are_made_anew(library):
    model = tiny_models.convolutional(library)
    before = [np.array(weight) for weight in model.get_weights()]
    initialise(model, seed=3)
    first = model.get_weights()
    initialise(model, seed=3)
    again = model.get_weights()
    assert not np.allclose(before[0], first[0])
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_refusals(library):
    model = library.Sequential([library.Input((8, 8, 1)), library.layers.Flatten()], name="flat")
    with pytest.raises(UsageError, match="no weight of model 'flat' can have a price"):
        penalize_entropy(model, EntropyPenalty(), DATA)
    with pytest.raises(UsageError, match="needs data"):
        penalize_entropy(tiny_models.dense(library), EntropyPenalty())


@pytest.mark.parametrize(
    "values",
    [{"penalty": 0}, {"ramp": 1.0}, {"target_bytes": 0}, {"penalty": 1, "target_bytes": 9}],
)
def test_values_that_make_no_price_are_refused(values):
    with pytest.raises(ValidationError):
        EntropyPenalty(**values)


def test_the_config_round_trips():
    config = EntropyPenalty(target_bytes=6000, protect=("last",))
    assert EntropyPenalty.model_validate_json(config.model_dump_json()) == config
