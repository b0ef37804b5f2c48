"""Zeros and shared values of kernels that are trained on a grid."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.network.quantization.kept import (
    Sharing,
    has_zeros,
    shared_kernel,
    shared_table,
    sharing_of,
    values_shared,
    with_zeros,
)

# Two outputs; the second was multiplied by 3 when normalisation was folded in.
ORIGINAL = np.array([[1.0, 0.0], [1.0, 2.0], [2.0, 1.0]])
FACTORS = np.array([[1.0, 3.0]])


@pytest.fixture
def sharing() -> Sharing:
    found = sharing_of(ORIGINAL, ORIGINAL * FACTORS, (-1,))
    assert found is not None
    return found


def test_a_folded_kernel_is_factor_times_value(sharing: Sharing) -> None:
    np.testing.assert_array_equal(sharing.segments, [[1, 0], [1, 2], [2, 1]])
    np.testing.assert_allclose(sharing.factors, FACTORS)
    # of value 1: 1 + 1 + 9; of value 2: 9 + 1
    np.testing.assert_allclose(sharing.means, [[0, 1 / 11, 1 / 10], [1, 3**0.5, 2**0.5]], rtol=1e-6)


def test_kernels_of_many_values_and_other_kernels_share_none() -> None:
    assert sharing_of(np.arange(6.0).reshape(3, 2), np.arange(6.0).reshape(3, 2), (-1,)) is None
    assert sharing_of(ORIGINAL, ORIGINAL + 1, (-1,)) is None
    assert values_shared(np.array([0.5] * 4 + [0.0])) == 1
    assert values_shared(np.array([0.5, 0.25])) == 0


def _kernel(weights: Any, sharing: Sharing) -> Any:
    table = shared_table(weights, sharing.segments, sharing.factors, tf.constant(sharing.means))
    return shared_kernel(table, tf.constant(sharing.segments), sharing.factors)


def test_members_are_replaced_by_their_mean(sharing: Sharing) -> None:
    moved = tf.constant([[1.0, 5.0], [2.1, 6.0], [2.0, 3.0]])  # the second 1 has become 2.1
    kernel = np.asarray(_kernel(moved, sharing))
    value = (1.0 + 2.1 + 3 * 3.0) / 11
    np.testing.assert_allclose(kernel, [[value, 0], [value, 6], [2, 3 * value]], rtol=1e-6)


def test_members_have_the_gradient_of_their_value(sharing: Sharing) -> None:
    weights = tf.constant(ORIGINAL * FACTORS, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = tf.reduce_sum(_kernel(weights, sharing) * [[1.0, 9.0], [1.0, 1.0], [1.0, 1.0]])
    gradient = np.asarray(tf.convert_to_tensor(tape.gradient(loss, weights)))
    one = (1 + 1 + 3) / 11 * 3**0.5  # the sum over members, times its factor for each
    two = (3 + 1) / 10 * 2**0.5
    np.testing.assert_allclose(gradient, [[one, 0], [one, 3 * two], [two, 3 * one]], rtol=1e-6)


def test_zeros_have_no_gradient() -> None:
    weights = tf.constant([0.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = tf.reduce_sum(with_zeros(weights) * 5.0)
    np.testing.assert_array_equal(tape.gradient(loss, weights), [0, 5])
    assert has_zeros(np.array([0.0, 1.0]))
    assert not has_zeros(np.zeros(2))
    assert not has_zeros(np.ones(2))
