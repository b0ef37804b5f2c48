"""Ranks from singular values, by hand; the analytic rank on made-up matrices."""

import numpy as np
import pytest

from tflite_squeeze.techniques.low_rank.rank_budget import rank_for_loss, rank_for_ratio, rounded_up
from tflite_squeeze.techniques.low_rank.vbmf import evbmf_rank


@pytest.mark.parametrize(
    ("loss", "rank"), [(0.0, 3), (0.0019, 3), (0.002, 2), (0.2, 2), (0.21, 1), (0.999, 1)]
)
def test_energy(loss: float, rank: int) -> None:
    # Shares of the energy: 4, 1 and 0.01 of 5.01.
    assert rank_for_loss(np.array([2.0, 1.0, 0.1]), loss) == rank


def test_ratio_and_multiples() -> None:
    assert [rank_for_ratio(20, ratio) for ratio in (0.01, 0.5, 0.99)] == [1, 10, 20]
    assert (rounded_up(13, 20, 8), rounded_up(16, 20, 8), rounded_up(17, 20, 8)) == (16, 16, 20)


@pytest.mark.parametrize(("shape", "rank"), [((60, 90), 4), ((90, 60), 9), ((50, 50), 0)])
def test_what_stands_out_of_noise(shape: tuple[int, int], rank: int) -> None:
    random = np.random.default_rng(0)
    signal = random.normal(size=(shape[0], rank)) @ random.normal(size=(rank, shape[1]))
    noisy = signal + 0.5 * random.normal(size=shape)
    values = np.linalg.svd(noisy, compute_uv=False)
    assert evbmf_rank(values, shape) == rank
    assert evbmf_rank(1e3 * values, shape) == rank


def test_no_noise_and_nothing_at_all() -> None:
    random = np.random.default_rng(1)
    exact = random.normal(size=(30, 3)) @ random.normal(size=(3, 20))
    assert evbmf_rank(np.linalg.svd(exact, compute_uv=False), exact.shape) == 3
    assert evbmf_rank(np.zeros(5), (5, 8)) == 0
    with pytest.raises(ValueError, match="pass all"):
        evbmf_rank(np.ones(3), (5, 8))
