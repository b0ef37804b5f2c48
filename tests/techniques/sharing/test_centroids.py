"""One-dimensional k-means on numbers that can be checked by hand."""

import itertools
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_squeeze.techniques.sharing import centroids
from tflite_squeeze.techniques.sharing.centroids import (
    centroids_of,
    fewest,
    lloyd,
    nearest,
    optimum_of_bins,
    relative_error,
)
from tflite_squeeze.techniques.sharing.config import Init

RNG = np.random.default_rng(0)


def best_cost(values: np.ndarray, clusters: int) -> float:
    """The least squared error of all ways to cut sorted numbers into so many runs."""
    ordered = np.sort(values)
    costs = []
    for cuts in itertools.combinations(range(1, len(ordered)), clusters - 1):
        runs = np.split(ordered, cuts)
        costs.append(sum(float(np.sum((run - run.mean()) ** 2)) for run in runs))
    return min(costs)


def cost(values: np.ndarray, found: np.ndarray) -> float:
    return float(np.sum((values - found[nearest(values, found)]) ** 2))


def test_the_optimum_of_three_groups() -> None:
    values = np.array([1.0, 1.2, 5.0, 5.4, -3.0], np.float32)
    np.testing.assert_allclose(centroids_of(values, 3), [-3.0, 1.1, 5.2], rtol=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.floats(-100, 100), min_size=5, max_size=10, unique=True),
    st.integers(2, 4),
)
def test_no_other_way_is_better_than_the_optimum(values: list[float], clusters: int) -> None:
    numbers = np.array(values)
    best = best_cost(numbers, clusters)
    assert cost(numbers, centroids_of(numbers, clusters)) <= best * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("init", get_args(Init))
def test_every_start_rests_at_means_of_its_members(init: Any) -> None:
    values = np.concatenate([RNG.normal(size=400), RNG.normal(4.0, 0.1, size=100)])
    found = centroids_of(values, 8, init, seed=3)
    assert len(found) <= 8
    assert (np.diff(found) > 0).all()
    members = nearest(values, found)
    means = [values[members == index].mean() for index in range(len(found))]
    np.testing.assert_allclose(found, means, rtol=1e-9)
    assert cost(values, found) >= cost(values, centroids_of(values, 8)) * (1 - 1e-9)
    np.testing.assert_array_equal(found, centroids_of(values, 8, init, seed=3))


def test_where_each_start_is() -> None:
    ordered = np.array([0.0, 0, 0, 0, 0, 1, 2, 10])
    rng = np.random.default_rng(0)
    assert centroids.linear(ordered, 3, rng).tolist() == [0, 5, 10]
    # Quantiles at heights 1/4 and 3/4 of eight numbers, at positions 1.75 and 5.25.
    assert centroids.density(ordered, 2, rng).tolist() == [0, 1.25]
    assert sorted(centroids.random(ordered, 4, rng)) == [0, 1, 2, 10]
    # What was drawn has distance 0 and is never drawn again.
    assert sorted(centroids.kmeans_plus_plus(ordered, 4, rng)) == [0, 1, 2, 10]


def test_lloyd_by_hand() -> None:
    # From 0 and 4: the middle is 2, members {0, 1} and {3, 8}; then 0.5 and 5.5 with 3 at their
    # middle, which goes up; they rest.
    assert lloyd(np.array([0.0, 1, 3, 8]), np.array([0.0, 4.0])).tolist() == [0.5, 5.5]
    # A value that nothing is nearest to goes.
    assert lloyd(np.array([0.0, 1.0]), np.array([0.0, 1.0, 100.0])).tolist() == [0, 1]


def test_few_distinct_numbers_are_themselves() -> None:
    values = np.array([0.5, 0.25, 0.5, -1.0], np.float32)
    assert centroids_of(values, 3).tolist() == [-1.0, 0.25, 0.5]
    assert centroids_of(values, 16, "kmeans++").tolist() == [-1.0, 0.25, 0.5]


def test_the_error_by_hand() -> None:
    # (3, 4) as 3.5 each: sqrt(0.5) over 5.
    assert relative_error(np.array([3.0, 4.0]), np.array([3.5])) == pytest.approx(0.5**0.5 / 5)
    assert relative_error(np.zeros(3), np.array([0.0])) == 0.0


@pytest.mark.slow
def test_the_fewest_that_stay_within_a_bound() -> None:
    values = RNG.normal(size=20_000)
    count = fewest(values, 0.1, 256)
    assert relative_error(values, centroids_of(values, count)) <= 0.1
    assert relative_error(values, centroids_of(values, count - 1)) > 0.1
    assert fewest(values, 0.9999, 256) == 2
    assert fewest(values, 1e-9, 4) == 4


def _squared_error(numbers: np.ndarray, centroids: np.ndarray) -> float:
    return float(np.sum((numbers - centroids[nearest(numbers, centroids)]) ** 2))


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: rng.normal(size=20_000),
        lambda rng: rng.laplace(size=20_000),
        lambda rng: np.concatenate([rng.normal(size=20_000), [50, 51, 60, -80, -81, -80.5, 300]]),
        lambda rng: np.concatenate([rng.normal(-3, 0.1, 10_000), rng.normal(3, 2, 10_000)]),
        lambda rng: np.concatenate([np.zeros(20_000), rng.normal(size=100)]),
    ],
    ids=["normal", "laplace", "outliers", "two hills", "zeros"],
)
@pytest.mark.parametrize(("clusters", "excess"), [(2, 1e-4), (16, 1e-4), (64, 2e-2)])
def test_bins_of_many_numbers_end_at_the_optimum(make: Any, clusters: int, excess: float) -> None:
    numbers = np.sort(make(np.random.default_rng(3)))
    least = _squared_error(numbers, centroids_of(numbers, clusters))
    found = lloyd(numbers, optimum_of_bins(numbers, clusters))
    assert len(found) <= clusters
    assert np.all(np.diff(found) > 0)
    assert _squared_error(numbers, found) <= (1 + excess) * least


def test_of_so_many_numbers_the_bins_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(3).normal(size=5_000)
    exact = centroids_of(numbers, 8)
    monkeypatch.setattr(centroids, "_MOST_EXACT", 4_999)
    monkeypatch.setattr(centroids.kmeans1d, "cluster", lambda *args: pytest.fail("exact"))
    np.testing.assert_allclose(centroids_of(numbers, 8), exact, atol=0.01)


def test_bins_of_fewer_numbers_than_values() -> None:
    found = optimum_of_bins(np.array([1.0, 1.0, 2.0, 5.0]), 8)
    np.testing.assert_allclose(found, [1.0, 2.0, 5.0])
