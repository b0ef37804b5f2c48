"""FactorizedDense and FactorizedConv2D: trained, saved, loaded, merged, unfolded, converted."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.low_rank.layers import (
    FactorizedConv2D,
    FactorizedDense,
    merge,
    unfold,
)


def _network(library: Any) -> Any:
    library.utils.set_random_seed(3)
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8, 8, 3), name="image"),
            FactorizedConv2D(8, 3, 2, keras=library, padding="same", strides=2, activation="relu"),
            FactorizedConv2D(
                6, 3, (3, 4), "tucker", keras=library, use_bias=False, dilation_rate=2,
                padding="same", name="tucker",
            ),
            layers.BatchNormalization(),
            FactorizedConv2D(5, 2, 3, "channel", keras=library, name="channel"),
            layers.Flatten(),
            FactorizedDense(
                4, 3, keras=library, activation="softmax", kernel_regularizer="l2", name="scores"
            ),
        ],
        name="factors",
    )  # fmt: skip


def _kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def test_both_ways_to_plain_layers(library: Any) -> None:
    model, x = _network(library), tiny_models.examples(4, 8, 8, 3)
    merged, unfolded = merge(model), unfold(model)
    np.testing.assert_allclose(merged(x), model(x), atol=1e-6)
    np.testing.assert_allclose(unfolded(x), model(x), atol=1e-6)
    assert _kinds(merged) == ["Conv2D"] * 2 + ["BatchNormalization", "Conv2D", "Flatten", "Dense"]
    assert _kinds(unfolded) == [
        *["Conv2D"] * 2, *["Conv2D"] * 3, "BatchNormalization", *["Conv2D"] * 2, "Flatten",
        *["Dense"] * 2,
    ]  # fmt: skip
    assert merged.get_layer("tucker").dilation_rate == (2, 2)
    assert merged.get_layer("scores").kernel_regularizer is not None
    assert model.get_layer("tucker").compute_output_shape((None, 8, 8, 3)) == (None, 8, 8, 6)
    # There and back: a merged kernel has the rank that it was trained with.
    again, record = factorize(merged, Factorize(ranks={"scores": 3}, emit="factorized"))
    assert record.layers[0].error < 1e-6
    assert type(again.get_layer("scores")).__name__ == "FactorizedDense"
    np.testing.assert_allclose(again(x), model(x), atol=1e-5)


def test_convolutions_in_factors_and_back(library: Any) -> None:
    model, x = tiny_models.convolutional(library), tiny_models.examples(4, 8, 8, 1)
    for scheme in ("spatial", "channel", "tucker"):
        config = Factorize(rank=1, scheme=scheme, emit="factorized", only=("conv",))
        made, record = factorize(model, config)
        kept = [split.layer for split in record.layers]
        assert kept == (["conv"] if scheme != "tucker" else kept)
        np.testing.assert_allclose(merge(made)(x), made(x), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_trained_saved_and_loaded(library: Any, tmp_path: Any, suffix: str) -> None:
    model, x = _network(library), tiny_models.examples(8, 8, 8, 3)
    before = model.get_weights()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, np.arange(8) % 4, verbose=0)
    assert all(np.any(a != b) for a, b in zip(before[:2], model.get_weights()[:2], strict=True))
    save_model(model, tmp_path / f"model{suffix}")
    loaded = load_model(tmp_path / f"model{suffix}").model
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)
    assert loaded.get_layer("tucker").rank == (3, 4)


def test_factors_stay_in_factorize_and_say_so(library: Any) -> None:
    with pytest.raises(UsageError, match="already factorized"):
        factorize(_network(library), Factorize(rank=1))


def test_wrong_use(library: Any) -> None:
    for call, message in (
        (lambda: FactorizedDense(4, 0, keras=library), "rank is 0"),
        (lambda: FactorizedConv2D(4, 3, (1, 2), keras=library), "spatial takes one number"),
        (lambda: FactorizedConv2D(4, 3, 2, "tucker", keras=library), "takes two"),
        (lambda: FactorizedConv2D(4, 3, 2, "other", keras=library), "scheme is 'other'"),
        (lambda: FactorizedConv2D(4, 3, 2, keras=library, groups=2), "no groups"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
    layer = FactorizedConv2D(4, 3, (5, 2), "tucker", keras=library)
    with pytest.raises(UsageError, match="more than its 3 channels"):
        layer.build((None, 8, 8, 3))
    with pytest.raises(UsageError, match="is subclassed"):
        merge(tiny_models.subclassed(library))
