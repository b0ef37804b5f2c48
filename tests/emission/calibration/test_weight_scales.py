"""Scales of weights by hand, for one scale and for one each channel."""

from typing import Any

import numpy as np
import pytest

from tflite_squeeze.emission.calibration.weight_scales import (
    as_columns,
    largest,
    least_error,
    rounded,
)


@pytest.mark.parametrize(
    ("axis", "expected"), [(None, [4]), (0, [2, 4]), (1, [4, 3]), (-1, [4, 3])]
)
def test_largest_by_hand(axis: Any, expected: Any) -> None:
    kernel = np.array([[1.0, -2.0], [4.0, 3.0]])
    np.testing.assert_allclose(largest(as_columns(kernel, axis), 127) * 127, expected)


def test_channels_of_zeros_have_a_scale() -> None:
    for find in (largest, least_error):
        assert np.all(find(np.zeros((3, 2)), 127) == 1 / 127)


def test_a_rare_large_weight_is_clipped() -> None:
    kernel = np.random.default_rng(0).normal(size=(2_000, 2))
    kernel[0, 0] = 6.0
    wide, found = (find(kernel, 7) for find in (largest, least_error))
    assert np.all(found <= wide)
    assert found[0] < 0.7 * wide[0]

    def error(scale: Any) -> Any:
        return np.square(rounded(kernel, scale, 7) - kernel).sum(axis=0)

    assert np.all(error(found) < error(wide))


def test_important_weights_decide() -> None:
    kernel = np.random.default_rng(0).normal(size=(2_000, 1))
    kernel[0, 0] = 6.0
    importance = np.ones((2_000, 1))
    importance[0, 0] = 1e6
    assert least_error(kernel, 7, importance)[0] == pytest.approx(6 / 7)


def test_weights_on_the_grid_keep_their_scale() -> None:
    kernel = np.array([[127.0, -3.0, 0.0, 64.0]]).T * 0.01
    np.testing.assert_allclose(least_error(kernel, 127), [0.01])
