"""Ranges by hand: of every method, of constants, zeros and outliers, of 8 and of 16 bits."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.emission.calibration.histogram import Histogram
from tflite_squeeze.emission.calibration.ranges import (
    METHODS,
    entropy,
    minmax,
    mse,
    percentile,
    quantized,
    squared_error,
)
from tflite_squeeze.errors import InputError


def histogram(*batches: Any) -> Histogram:
    values = Histogram("x")
    for batch in batches:
        values.add(np.asarray(batch, np.float64))
    return values


def outliers() -> Histogram:
    """100,000 normal values, and one of 1,000."""
    normal = np.random.default_rng(0).normal(size=100_000)
    return histogram(normal, [1000.0])


def test_histogram_by_hand() -> None:
    values = histogram([0.0, 1.0, 1.0], [-3.0])
    assert (values.low, values.high, values.count) == (-3.0, 1.0, 4)
    assert values.means.tolist() == [-3.0, 0.0, 1.0]
    assert values.counts.tolist() == [1, 1, 2]


def test_a_histogram_keeps_its_memory_while_values_grow() -> None:
    values = histogram(*([10.0**power] for power in range(-20, 21)))
    assert values.count == values.counts.sum() == 41
    assert values.high == 1e20
    assert len(values.counts) < 30  # the small ones share the bin above 0
    assert float(values.means @ values.counts) == pytest.approx(
        sum(10.0**p for p in range(-20, 21))
    )


def test_batches_make_no_difference() -> None:
    data = np.random.default_rng(1).normal(size=(8, 500))
    whole, parts = histogram(data * [[4]] * 8), histogram(*(4 * row * 8 for row in data))
    assert minmax(whole) == minmax(parts)
    assert mse(whole) == pytest.approx(mse(parts), rel=0.05)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_by_name(bad: float) -> None:
    with pytest.raises(InputError, match="tensor 'x' is NaN or infinite"):
        histogram([1.0, bad])


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.0, 0.0], (0, 1)), ([3.0, 3.0], (0, 3)), ([-2.0], (-2, 0)), ([], (0, 1))],
)
def test_constant_tensors_have_ranges(method: Any, bits: Any, values: Any, expected: Any) -> None:
    found = METHODS[method](histogram(values), bits)
    assert found == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_range_holds_0(method: Any) -> None:
    for shift in (-50.0, 0.0, 50.0):
        values = histogram(np.random.default_rng(2).normal(shift, 1, 5_000))
        low, high = METHODS[method](values, 8)
        assert low <= 0 <= high
        assert low < high


def test_quantized_by_hand() -> None:
    # scale 1/51, zero point 51: from -1 to 4
    values = np.array([-2.0, -1.0, 0.0, 0.0099, 0.5, 9.0])
    np.testing.assert_allclose(
        quantized(values, -1.0, 4.0), [-1, -1, 0, 1 / 51, 26 / 51, 4], atol=1e-9
    )
    np.testing.assert_allclose(quantized(values, -1.0, 2.0, 16), [-2, -1, 0, 0.0099, 0.5, 2], 1e-2)


def test_quantized_is_what_tensorflow_computes() -> None:
    values = np.random.default_rng(3).normal(size=1_000).astype(np.float32)
    for low, high in ((-1.0, 2.0), (0.0, 1.7), (-0.3, 0.0)):
        theirs = tf.quantization.fake_quant_with_min_max_args(values, low, high)
        differing = np.abs(quantized(values, low, high) - theirs) > 1e-6
        assert differing.mean() < 0.01  # halves are rounded to the other side


def test_squared_error_by_hand() -> None:
    assert squared_error(histogram([0.0, 0.0, 0.0, 300.0]), 0.0, 255.0) == 45**2 / 4


def test_percentile_by_hand() -> None:
    values = histogram(np.arange(-100, 101))
    assert percentile(values, percent=100) == (-100, 100)
    low, high = percentile(values, percent=95)  # 10 of 201 are above 90
    assert (low, high) == pytest.approx((-90, 90), abs=0.1)


def test_percentile_of_what_is_nearly_always_zero() -> None:
    assert percentile(histogram(np.zeros(100_000), [5.0])) == (0, 5)


def test_outliers_are_clipped_by_all_but_minmax() -> None:
    values = outliers()
    assert minmax(values)[1] == 1000
    for find in (percentile, entropy):
        assert find(values)[1] < 80
    # A thousandth of a share of the error is worth 1,000² / 100,000 = 10 to the mean error.
    assert squared_error(values, *mse(values)) <= squared_error(values, *minmax(values))


def test_mse_finds_the_least_error() -> None:
    heavy = histogram(np.random.default_rng(4).standard_t(3, size=50_000))
    low, high = mse(heavy)
    best = squared_error(heavy, low, high)
    assert best < 0.95 * squared_error(heavy, *minmax(heavy))
    for share in (0.7, 0.85, 1.15, 1.3):
        assert best <= squared_error(heavy, low * share, high * share)


def test_no_method_has_less_error_than_mse() -> None:
    heavy = histogram(np.random.default_rng(5).standard_t(3, size=50_000))
    best = squared_error(heavy, *mse(heavy))
    assert all(best <= squared_error(heavy, *find(heavy)) for find in METHODS.values())
    grid = histogram(np.arange(256) / 255)
    assert mse(grid) == minmax(grid) == (0, 1)
