"""Divergences of layers that alone are changed, and what lies between the measured ones."""

from typing import Any

import numpy as np

from tests import tiny_models
from tflite_squeeze.network.observing import call_shapes
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorable import find, weighed
from tflite_squeeze.techniques.low_rank.sensitivity import Sensitivity, interpolated, probed


def test_between_and_beyond_the_measured() -> None:
    losses = np.array([0.0, 0.05, 0.1, np.sqrt(0.1 * 0.4), 0.4, 0.8])
    found = interpolated(losses, [(0.4, 0.8), (0.1, 0.2)])
    np.testing.assert_allclose(found, [0, 0.1, 0.2, 0.4, 0.8, 1.6], rtol=1e-6)
    # A divergence that falls where more is lost is noise.
    falling = interpolated(np.array([0.1, 0.4]), [(0.1, 0.3), (0.4, 0.2)])
    np.testing.assert_allclose(falling, [0.3, 0.3], rtol=1e-6)


def test_options_are_measured_at_some_shares_of_the_whole_cost() -> None:
    assert probed(np.array([10.0, 20, 30, 50, 70, 80, 100])) == [0, 2, 3, 5]
    assert probed(np.array([90.0, 100.0])) == [0]


def test_one_layer_at_a_lower_rank_by_hand(library: Any) -> None:
    model, x = tiny_models.dense(library), tiny_models.examples(64, 8)
    found = find(model, Factorize(rank=1), call_shapes(model))
    layer = weighed(found.layers[0], None)
    probe = Sensitivity(model, {"x": x})
    kept = model.get_weights()
    one, three, full = (
        probe.of([(layer, layer.one.choice("channel", (rank,)))]) for rank in (1, 3, 8)
    )
    assert one > three > 1e-4
    assert full < 1e-9
    for before, after in zip(kept, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    p = np.asarray(model(x), np.float64)
    u, s, v = np.linalg.svd(kept[0], full_matrices=False)
    model.layers[0].kernel.assign(s[0] * np.outer(u[:, 0], v[0]))
    q = np.asarray(model(x), np.float64)
    np.testing.assert_allclose(one, np.mean(np.sum(p * np.log(p / q), axis=1)), rtol=1e-3)
