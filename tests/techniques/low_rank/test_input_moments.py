"""Moments of what kernels see, against NumPy; streaming; shapes of calls."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.observing import OPEN_SIZE, call_shapes
from tflite_squeeze.techniques.low_rank.factorable import factorable
from tflite_squeeze.techniques.low_rank.input_moments import input_moments, rows_of


def _all(model: Any) -> list[Any]:
    shapes = call_shapes(model)
    return [
        factorable(layer, shapes[id(layer)])
        for layer in model.layers
        if type(layer).__name__ in ("Dense", "Conv2D", "Embedding", "EinsumDense")
    ]


def test_streamed_moments_are_those_of_all_at_once(library: Any) -> None:
    model = tiny_models.dense(library)
    x = tiny_models.examples(50, 8)
    found = input_moments(model, _all(model), [x[:20], x[20:]])
    moment = found[id(model.layers[0])]
    np.testing.assert_allclose(moment.second, x.astype(np.float64).T @ x / 50, atol=1e-9)
    np.testing.assert_allclose(moment.mean, x.mean(axis=0), atol=1e-6)
    assert (moment.count, moment.second.dtype) == (50, np.float64)
    hidden = np.asarray(model.layers[0](x))
    np.testing.assert_allclose(found[id(model.layers[1])].second, hidden.T @ hidden / 50, atol=1e-6)


def test_patches_times_kernel_are_the_convolution(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [
            library.Input((7, 6, 2)),
            layers.Conv2D(3, (3, 2), strides=2, padding="same", use_bias=False),
            layers.Conv2D(4, 2, dilation_rate=(2, 1), padding="valid", use_bias=False),
        ]
    )
    x = tiny_models.examples(2, 7, 6, 2)
    for one in _all(model):
        y = np.asarray(one.layer(x))
        rows = rows_of(one.layer, x)
        np.testing.assert_allclose(
            (rows @ one.kernel.reshape(-1, one.shape[-1])).reshape(y.shape), y, atol=1e-5
        )
        x = y
    assert [one.places[3:] for one in _all(model)] == [(4, 3), (2, 2)]


def test_einsum_rows(library: Any) -> None:
    layer = library.layers.EinsumDense("abcd,cde->abe", output_shape=(3, 6))
    model = library.Sequential([library.Input((3, 4, 5)), layer])
    (one,) = _all(model)
    x = tiny_models.examples(2, 3, 4, 5)
    np.testing.assert_allclose(
        (rows_of(one.layer, x) @ one.kernel[0, 0]).reshape(2, 3, 6), np.asarray(layer(x)), atol=1e-5
    )
    assert one.macs == 3 * 4 * 5 * 6


def test_ids_are_counted(library: Any) -> None:
    model = library.Sequential([library.Input((3,), dtype="int32"), library.layers.Embedding(5, 2)])
    (one,) = _all(model)
    ids = np.array([[0, 0, 1], [4, 0, 1]])
    moment = input_moments(model, [one], [ids])[id(one.layer)]
    np.testing.assert_allclose(moment.second, np.array([4, 3, 1, 1, 2]) / 11)


def test_open_sizes_are_taken_for_some(library: Any) -> None:
    model = tiny_models.open_length(library)
    layer = next(layer for layer in model.layers if type(layer).__name__ == "Conv1D")
    assert call_shapes(model)[id(layer)] == [((1, OPEN_SIZE, 3), (1, OPEN_SIZE - 2, 4))]
    x = library.Input((None, 3))
    picky = library.Model(x, library.layers.Conv1D(2, OPEN_SIZE + 1)(x))
    with pytest.raises(InputError, match="fixed sizes"):
        call_shapes(picky)


def test_every_call_is_seen(library: Any) -> None:
    model = tiny_models.shared(library)
    layer = model.get_layer("both")
    assert call_shapes(model)[id(layer)] == [((1, 4), (1, 4))] * 2
    (one,) = _all(model)
    assert one.macs == 2 * 16
    a, b = tiny_models.examples(6, 4), tiny_models.examples(6, 4, seed=1)
    assert input_moments(model, [one], [[a, b]])[id(layer)].count == 12
    assert "call" not in vars(layer)
