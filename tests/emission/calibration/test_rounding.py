"""Rounding with compensation: by hand, against the nearest, and what must stay as it is."""

import numpy as np
import pytest

from tflite_squeeze.emission.calibration.rounding import compensated
from tflite_squeeze.emission.calibration.weight_scales import largest, rounded


def test_equal_inputs_by_hand() -> None:
    # x W = 0.4 + 0.4 with equal x: the first becomes 0, which the second makes up for.
    moments = np.ones((2, 2))
    found = compensated(np.array([[0.4], [0.4]]), moments, np.array([1.0]), 7, damping=1e-9)
    assert found.tolist() == [[0.0], [1.0]]


def test_independent_inputs_are_rounded_to_the_nearest() -> None:
    weights = np.random.default_rng(0).normal(size=(300, 5))  # more than one block
    scale = largest(weights, 7)
    found = compensated(weights, np.diag(np.arange(300.0)), scale, 7)
    np.testing.assert_allclose(found, rounded(weights, scale, 7))


@pytest.mark.parametrize("inputs", [20, 150, 300])
def test_answers_are_nearer_than_by_the_nearest(inputs: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2_000, 12)) @ rng.normal(size=(12, inputs)) + 0.1 * rng.normal(
        size=(2_000, inputs)
    )
    weights = rng.normal(size=(inputs, 8))
    scale = largest(weights, 7)
    found = compensated(weights, x.T @ x / len(x), scale, 7)
    assert np.allclose(found / scale, np.round(found / scale))
    assert np.abs(found / scale).max() <= 7 + 1e-9

    def error(other: np.ndarray) -> float:
        return float(np.mean(np.square(x @ (other - weights))))

    assert error(found) < 0.4 * error(rounded(weights, scale, 7))


def test_a_depthwise_kernel_is_one_matrix_a_channel() -> None:
    rng = np.random.default_rng(2)
    mixed = rng.normal(size=(4, 9, 9))
    moments = mixed @ mixed.swapaxes(1, 2)
    weights = rng.normal(size=(4, 9, 2))
    scale = np.abs(weights).max(axis=1) / 7
    found = compensated(weights, moments, scale, 7)
    for channel in range(4):
        alone = compensated(weights[channel], moments[channel], scale[channel], 7)
        np.testing.assert_allclose(found[channel], alone)


def test_zeros_stay_zeros_and_inputs_without_power_are_rounded() -> None:
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(10, 4)) * (rng.random((10, 4)) < 0.5)
    moments = np.ones((10, 10))
    moments[3], moments[:, 3] = 0, 0
    scale = largest(weights, 127)
    found = compensated(weights, moments, scale, 127)
    assert np.all(found[weights == 0] == 0)
    np.testing.assert_allclose(found[3], rounded(weights[3], scale, 127))
    assert np.isfinite(compensated(weights, np.zeros((10, 10)), scale, 127)).all()
