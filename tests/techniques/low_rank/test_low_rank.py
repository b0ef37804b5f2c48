"""Singular values and factors, by hand and against NumPy."""

import numpy as np
import pytest

from tests.tiny_models import examples
from tflite_squeeze.network.weight_error import relative_error
from tflite_squeeze.techniques.low_rank.low_rank import Moment, decompose, tail_energy


def test_by_hand() -> None:
    found = decompose(np.diag([3.0, 2.0, 1.0]))
    np.testing.assert_allclose(found.values, [3, 2, 1])
    left, right = found.pair(1)
    np.testing.assert_allclose(left @ right, np.diag([3.0, 0, 0]), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(left), np.linalg.norm(right))


@pytest.mark.parametrize("shape", [(20, 7), (7, 20)])
def test_the_error_is_the_tail_of_the_singular_values(shape: tuple[int, int]) -> None:
    matrix = examples(*shape).astype(np.float64)
    values = np.linalg.svd(matrix, compute_uv=False)
    found = decompose(matrix)
    np.testing.assert_allclose(found.values, values)
    for rank in (1, 3, 7):
        left, right = found.pair(rank)
        assert left.shape == (shape[0], rank)
        error = np.linalg.norm(matrix - left @ right)
        assert error == pytest.approx(np.sqrt(np.sum(values[rank:] ** 2)), abs=1e-10)


def test_on_data_the_error_of_the_outputs_is_the_tail() -> None:
    inputs = examples(200, 12).astype(np.float64) @ examples(12, 12, seed=1)
    matrix = examples(12, 9, seed=2).astype(np.float64)
    second = inputs.T @ inputs / len(inputs)
    found = decompose(matrix, second)
    whole = np.linalg.norm(inputs @ matrix) / np.sqrt(len(inputs))
    for rank in (2, 5):
        left, right = found.pair(rank)
        error = np.linalg.norm(inputs @ (matrix - left @ right)) / np.sqrt(len(inputs))
        assert error == pytest.approx(np.sqrt(np.sum(found.values[rank:] ** 2)), rel=1e-4)
        assert relative_error(matrix, left @ right, second) == pytest.approx(
            error / whole, rel=1e-4
        )
        # No other factors of this rank do better on these inputs: not those of the plain SVD.
        plain_left, plain_right = decompose(matrix).pair(rank)
        assert np.linalg.norm(inputs @ (matrix - plain_left @ plain_right)) > 1.01 * (
            np.linalg.norm(inputs @ (matrix - left @ right))
        )


def test_full_rank_is_exact_even_where_inputs_never_vary() -> None:
    inputs = examples(50, 8).astype(np.float64)
    inputs[:, :3] = 0.0
    matrix = examples(8, 12).astype(np.float64)
    left, right = decompose(matrix, inputs.T @ inputs / 50).pair(8)
    np.testing.assert_allclose(left @ right, matrix, atol=1e-6)


def test_one_hot_inputs_weigh_rows() -> None:
    matrix = np.array([[1.0, 0.0], [0.0, 1.0]])
    frequent_second = decompose(matrix, np.array([0.1, 0.9]))
    left, right = frequent_second.pair(1)
    np.testing.assert_allclose(left @ right, [[0, 0], [0, 1]], atol=1e-9)


def test_tails() -> None:
    np.testing.assert_allclose(tail_energy(np.array([2.0, 1.0])), [1.0, 0.2, 0.0])
    np.testing.assert_array_equal(tail_energy(np.zeros(2)), np.zeros(3))
    assert relative_error(np.zeros((2, 2)), np.zeros((2, 2))) == 0.0


def test_the_mean_is_left_to_the_bias() -> None:
    inputs = examples(100, 4).astype(np.float64) + 5
    moment = Moment(second=inputs.T @ inputs / 100, mean=inputs.mean(axis=0), count=100)
    np.testing.assert_allclose(moment.centred().second, np.cov(inputs.T, bias=True), atol=1e-9)
    with pytest.raises(ValueError, match="one-hot"):
        Moment(second=np.ones(3), mean=np.ones(3), count=1).centred()
