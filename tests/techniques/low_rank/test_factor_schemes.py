"""Chains of kernels: counts by hand, factors against NumPy and against TensorFlow's convolution."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_models import examples
from tflite_squeeze.techniques.low_rank.factor_schemes import (
    SCHEMES,
    Places,
    SchemeName,
    Unfolded,
    full_ranks,
    macs_of,
    parameters_of,
    possible_ranks,
    recomposed,
    stages,
)

KERNEL = examples(3, 2, 5, 4).astype(np.float64)


def _patches(count: int = 400) -> np.ndarray:
    mixed = examples(count, 30).astype(np.float64) @ examples(30, 30, seed=3)
    return np.asarray(mixed)


def _error(kernel: np.ndarray, chain: tuple[np.ndarray, ...], patches: np.ndarray) -> float:
    lost = (kernel - recomposed(chain)).reshape(-1, kernel.shape[-1])
    return float(np.linalg.norm(patches @ lost))


def test_shapes_and_costs_by_hand() -> None:
    shape, places = (3, 3, 16, 32), Places(1, 28, 28, 14, 14)
    spatial = stages("spatial", shape, (8,))
    assert [stage.shape for stage in spatial] == [(3, 1, 16, 8), (1, 3, 8, 32)]
    assert parameters_of(spatial) == 384 + 768
    # The first steps down only: 14 rows of 28 columns.
    assert macs_of(spatial, places) == 14 * 28 * 384 + 14 * 14 * 768
    channel = stages("channel", shape, (8,))
    assert macs_of(channel, places) == 14 * 14 * (9 * 16 * 8 + 8 * 32)
    tucker = stages("tucker", shape, (4, 8))
    assert [stage.shape for stage in tucker] == [(1, 1, 16, 4), (3, 3, 4, 8), (1, 1, 8, 32)]
    assert macs_of(tucker, places) == 28 * 28 * 64 + 14 * 14 * (9 * 4 * 8 + 8 * 32)
    assert macs_of(tucker, places._replace(calls=2)) == 2 * macs_of(tucker, places)
    assert [stage.shape for stage in stages("tucker", shape, (16, 32))] == [(3, 3, 16, 32)]


def test_ranks_that_a_chain_cannot_have_are_lowered() -> None:
    assert possible_ranks("channel", (3, 3, 16, 32), (40,)) == (32,)
    assert possible_ranks("tucker", (3, 3, 16, 64), (2, 40)) == (2, 18)
    # Few inputs, and few outputs.
    assert full_ranks("tucker", (1, 3, 2, 9)) == (2, 6)
    assert full_ranks("tucker", (1, 3, 9, 2)) == (6, 2)
    chain = Unfolded(examples(3, 3, 16, 64)).factors("tucker", (2, 18))
    assert [one.shape for one in chain] == [(1, 1, 16, 2), (3, 3, 2, 18), (1, 1, 18, 64)]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("aware", [False, True])
def test_full_rank_is_exact(scheme: SchemeName, aware: bool) -> None:
    patches = _patches()
    second = patches.T @ patches / len(patches) if aware else None
    chain = Unfolded(KERNEL, second).factors(scheme, full_ranks(scheme, KERNEL.shape))
    np.testing.assert_allclose(recomposed(chain), KERNEL, atol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_chains_have_the_shapes_of_their_stages(scheme: SchemeName) -> None:
    ranks = (2, 3) if scheme == "tucker" else (3,)
    chain = Unfolded(KERNEL).factors(scheme, ranks)
    assert [one.shape for one in chain] == [s.shape for s in stages(scheme, KERNEL.shape, ranks)]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_chain_of_convolutions_is_the_recomposed_one(scheme: SchemeName) -> None:
    ranks = (2, 3) if scheme == "tucker" else (3,)
    chain = Unfolded(KERNEL).factors(scheme, ranks)
    image = examples(1, 7, 6, 5).astype(np.float64)
    stepwise = tf.constant(image)
    for kernel in chain:
        stepwise = tf.nn.conv2d(stepwise, kernel, 1, "SAME")
    at_once = tf.nn.conv2d(image, recomposed(chain), 1, "SAME")
    np.testing.assert_allclose(stepwise, at_once, atol=1e-9)


def test_spatial_pair_against_numpy() -> None:
    # Jaderberg's scheme 2 is the SVD of the kernel as (rows in) x (columns out).
    matrix = np.transpose(KERNEL, (0, 2, 1, 3)).reshape(15, 8)
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    for rank in (1, 4):
        truncated = (u[:, :rank] * s[:rank]) @ v[:rank]
        expected = np.transpose(truncated.reshape(3, 5, 2, 4), (0, 2, 1, 3))
        np.testing.assert_allclose(
            recomposed(Unfolded(KERNEL).factors("spatial", (rank,))), expected, atol=1e-9
        )
    np.testing.assert_allclose(Unfolded(KERNEL).spectra("spatial")[0], s)


def test_channel_pair_against_numpy() -> None:
    u, s, v = np.linalg.svd(KERNEL.reshape(30, 4), full_matrices=False)
    expected = ((u[:, :2] * s[:2]) @ v[:2]).reshape(KERNEL.shape)
    np.testing.assert_allclose(
        recomposed(Unfolded(KERNEL).factors("channel", (2,))), expected, atol=1e-9
    )


def test_tucker_against_numpy() -> None:
    # The higher-order SVD, one mode after the other.
    inputs = np.linalg.svd(np.transpose(KERNEL, (2, 0, 1, 3)).reshape(5, -1))[0][:, :3]
    narrowed = np.einsum("abio,ij->abjo", KERNEL, inputs)
    outputs = np.linalg.svd(narrowed.reshape(-1, 4))[2][:2].T
    core = np.einsum("abjo,op->abjp", narrowed, outputs)
    expected = np.einsum("abjp,ij,op->abio", core, inputs, outputs)
    chain = Unfolded(KERNEL).factors("tucker", (3, 2))
    np.testing.assert_allclose(recomposed(chain), expected, atol=1e-8)
    assert [one.shape for one in Unfolded(KERNEL).factors("tucker", (5, 2))] == [
        (3, 2, 5, 2),
        (1, 1, 2, 4),
    ]
    assert [one.shape for one in Unfolded(KERNEL).factors("tucker", (3, 4))] == [
        (1, 1, 5, 3),
        (3, 2, 3, 4),
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_data_every_scheme_loses_less(scheme: SchemeName) -> None:
    patches = _patches()
    ranks = (3, 2) if scheme == "tucker" else (2,)
    aware = Unfolded(KERNEL, patches.T @ patches / len(patches)).factors(scheme, ranks)
    plain = Unfolded(KERNEL).factors(scheme, ranks)
    assert _error(KERNEL, aware, patches) < 0.99 * _error(KERNEL, plain, patches)
