"""MultiHeadAttention with fewer dimensions for each head, and separable convolutions."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.network.observing import call_shapes
from tflite_squeeze.techniques.low_rank.attention import FactorableAttention, HeadPairs
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorable import find, weighed
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.low_rank.sensitivity import Sensitivity


def attending(library: Any, *, bias: bool = True, cross: bool = False) -> Any:
    """Two heads of four dimensions over five steps, with a shortcut around them."""
    library.utils.set_random_seed(5)
    layers = library.layers
    x = library.Input((5, 12), name="x")
    given = layers.Dense(7, name="given")(x) if cross else x
    attention = layers.MultiHeadAttention(2, key_dim=4, value_dim=3, use_bias=bias, name="heads")
    y = layers.Add(name="add")([x, attention(x, given)])
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    model = library.Model(x, layers.Dense(3, activation="softmax", name="scores")(y))
    random = np.random.default_rng(0)
    attention.set_weights([random.normal(size=one.shape) for one in attention.get_weights()])
    return model


def _heads(model: Any) -> FactorableAttention:
    found = find(model, Factorize(rank=1, only=("heads",)), call_shapes(model))
    (one,) = found.layers
    assert isinstance(one, FactorableAttention)
    return one


def _difference(one: Any, other: Any, x: np.ndarray) -> float:
    return float(np.abs(np.asarray(one(x)) - np.asarray(other(x))).max())


def test_costs_by_hand(library: Any) -> None:
    one = _heads(attending(library, cross=True))
    assert one.full_ranks("heads") == (4, 3)
    assert one.size == 2 * (12 * 4 + 7 * 4 + 7 * 3 + 3 * 12)
    asked, given = 5, 5
    assert one.macs == asked * 2 * (12 * 4 + 3 * 12) + given * 2 * 7 * (4 + 3) + 25 * 2 * (4 + 3)
    way = one.choice("heads", (2, 9))
    assert way.ranks == (2, 3)
    assert way.parameters == 2 * (12 * 2 + 7 * 2 + 7 * 3 + 3 * 12)


@pytest.mark.parametrize("bias", [True, False])
def test_what_has_a_low_rank_is_kept_exactly(library: Any, bias: bool) -> None:
    model = attending(library, bias=bias)
    x = tiny_models.examples(64, 5, 12)
    layer = model.get_layer("heads")
    weights = {id(one): np.array(one) for one in layer.weights}
    query, value = layer._query_dense, layer._value_dense
    kernel = weights[id(query.kernel)]
    kernel[:, :, 2:] = kernel[:, :, :2] @ [[1.0, 2.0], [-1.0, 0.5]]
    query.kernel.assign(kernel)
    if bias:
        short = weights[id(query.bias)]
        short[:, 2:] = short[:, :2] @ [[1.0, 2.0], [-1.0, 0.5]]
        query.bias.assign(short)
    kernel = weights[id(value.kernel)]
    kernel[:, :, 2:] = kernel[:, :, :2].sum(axis=-1, keepdims=True)
    value.kernel.assign(kernel)
    for data in (None, {"x": x}):
        made, record = factorize(model, Factorize(rank=2, only=("heads",)), data, one_shot=True)
        (split,) = record.layers
        assert (split.scheme, split.ranks, split.full_ranks) == ("heads", (2, 2), (4, 3))
        assert split.error < 1e-4
        assert type(made.get_layer("heads")).__name__ == "MultiHeadAttention"
        assert made.get_layer("heads").get_config()["key_dim"] == 2
        assert _difference(model, made, x) < 1e-4
        saved = record.macs_before - record.macs_after
        assert saved == split.macs_before - split.macs_after
    worse, _ = factorize(model, Factorize(rank=1, only=("heads",)))
    assert _difference(model, worse, x) > 1e-3


def test_products_are_approximated_as_well_as_an_svd_can(library: Any) -> None:
    one = _heads(attending(library))
    pairs = one.unfolded(None)
    assert isinstance(pairs, HeadPairs)
    chain = pairs.factors("heads", (2, 2))
    for at in range(2):
        product = pairs.heads.query[:, at] @ pairs.heads.key[:, at].T
        u, s, v = np.linalg.svd(product)
        found = chain.query[:, at] @ chain.key[:, at].T
        np.testing.assert_allclose(found, (u[:, :2] * s[:2]) @ v[:2], atol=1e-8)


def test_a_budget_covers_attention_and_the_repair_solves_it(library: Any) -> None:
    model, x = attending(library, cross=True), tiny_models.examples(160, 5, 12)
    before = model.get_layer("heads").get_weights()
    probe = Sensitivity(model, {"x": x})
    layer = weighed(_heads(model), None)
    full, low = (
        probe.of([(layer, layer.one.choice("heads", ranks))]) for ranks in ((4, 3), (1, 1))
    )
    assert full < 1e-7 < low
    for one, other in zip(before, model.get_layer("heads").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    config = Factorize(budget="macs", keep=0.6, only=("heads",))
    made, record = factorize(model, config, {"x": x}, one_shot=True)
    assert record.reached
    assert record.macs_ratio <= 0.6
    assert record.repair is not None
    assert record.repair.layers == 2  # the attention and the scores behind it
    assert made.get_layer("heads").get_config()["key_dim"] < 4


@pytest.mark.slow
def test_an_attention_of_fewer_dimensions_converts(library: Any) -> None:
    model, x = attending(library), tiny_models.examples(32, 5, 12)
    made, _ = factorize(model, Factorize(rank=2), {"x": x}, one_shot=True)
    converted = convert(made, data=x)
    assert converted.record.verification is not None
    assert converted.record.verification.passed


@pytest.mark.parametrize("kind", ["SeparableConv1D", "SeparableConv2D"])
def test_the_pointwise_half_of_a_separable_convolution(library: Any, kind: str) -> None:
    library.utils.set_random_seed(2)
    layers = library.layers
    shape = (9, 4) if kind.endswith("1D") else (9, 9, 4)
    x = library.Input(shape, name="x")
    options = {"strides": 2, "padding": "same", "depth_multiplier": 3, "activation": "relu"}
    y = getattr(layers, kind)(16, 3, name="separable", **options)(x)
    model = library.Model(x, layers.Flatten()(y))
    layer = model.get_layer("separable")
    depthwise, pointwise, bias = layer.get_weights()
    samples = tiny_models.examples(64, *shape)
    made, record = factorize(model, Factorize(rank=3), {"x": samples}, one_shot=True)
    assert [one.name for one in made.layers[1:3]] == ["separable_factor_1", "separable"]
    assert record.layers[0].error > 1e-3
    u, s, v = np.linalg.svd(pointwise.reshape(12, 16), full_matrices=False)
    low = ((u[:, :3] * s[:3]) @ v[:3]).reshape(pointwise.shape)
    layer.set_weights([depthwise, low, bias + 0.1])
    for data in (None, {"x": samples}):
        made, record = factorize(model, Factorize(rank=3, repair=False), data, one_shot=True)
        assert _difference(model, made, samples) < 1e-4
        (split,) = record.layers
        assert (split.parameters_before, split.parameters_after) == (12 * 16, 3 * (12 + 16))
