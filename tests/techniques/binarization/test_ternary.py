"""Ternary and binary values on hand-computed numbers, and their derivatives."""

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.techniques.binarization.ternary import (
    mean_scale,
    signs,
    straight_through,
    trained_values,
)

# Inputs along axis 0, two outputs. Mean magnitudes: 0.5 and 0.25; largest: 1 and 0.4.
WEIGHTS = np.float32([[1.0, 0.1], [-0.4, -0.4], [0.3, 0.2], [-0.3, 0.3]])


def test_ternary_signs_by_the_mean_of_each_channel() -> None:
    # Thresholds 0.7 * 0.5 = 0.35 and 0.7 * 0.25 = 0.175.
    codes = signs(tf.constant(WEIGHTS), "ternary", [0], 0.7, "mean")
    np.testing.assert_array_equal(codes, [[1, 0], [-1, -1], [0, 1], [0, 1]])


def test_ternary_signs_by_the_largest() -> None:
    # Thresholds 0.35 * 1 = 0.35 and 0.35 * 0.4 = 0.14.
    codes = signs(tf.constant(WEIGHTS), "ternary", [0], 0.35, "trained")
    np.testing.assert_array_equal(codes, [[1, 0], [-1, -1], [0, 1], [0, 1]])


def test_one_threshold_for_a_tensor() -> None:
    # 0.8 times the mean of all, 0.375, is 0.3, which is not above itself.
    codes = signs(tf.constant(WEIGHTS), "ternary", [0, 1], 0.8, "mean")
    np.testing.assert_array_equal(codes, [[1, 0], [-1, -1], [0, 0], [0, 0]])


def test_binary_signs_know_no_zero() -> None:
    codes = signs(tf.constant([[-0.1, 0.0, 2.0]]), "binary", [1], 0.7, "mean")
    np.testing.assert_array_equal(codes, [[-1, 1, 1]])


def test_the_scale_is_the_mean_of_what_is_kept() -> None:
    codes = signs(tf.constant(WEIGHTS), "ternary", [0], 0.7, "mean")
    scale = mean_scale(tf.constant(WEIGHTS), codes, [0])
    np.testing.assert_allclose(scale, [[0.7, 0.3]], rtol=1e-6)
    # It is the scale that brings the values nearest: any other is farther.
    for factor in (0.9, 1.1):
        nearest = np.sum((WEIGHTS - np.asarray(codes * scale)) ** 2, axis=0)
        assert np.all(np.sum((WEIGHTS - np.asarray(codes * scale * factor)) ** 2, axis=0) > nearest)


def test_a_channel_of_zeros_has_a_scale_of_one() -> None:
    weights = tf.zeros([3, 2])
    codes = signs(weights, "ternary", [0], 0.7, "mean")
    np.testing.assert_array_equal(codes, np.zeros((3, 2)))
    np.testing.assert_array_equal(mean_scale(weights, codes, [0]), [[1, 1]])


def test_straight_through_is_exact_and_lets_the_gradient_pass() -> None:
    weights = tf.constant([0.1, 1e8, -3.0])
    values = tf.constant([0.3, -0.7, 0.1])
    with tf.GradientTape() as tape:
        tape.watch(weights)
        passed = straight_through(weights, values)
        loss = tf.reduce_sum(passed * [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(passed, values)
    np.testing.assert_array_equal(tape.gradient(loss, weights), [1, 2, 3])


def test_a_trained_scale_and_its_derivative() -> None:
    weights, codes = tf.constant(WEIGHTS), tf.constant([[1.0, 0], [-1, -1], [0, 1], [0, 1]])
    scale, upstream = tf.constant([[0.5, 2.0]]), np.arange(1.0, 9.0, dtype=np.float32).reshape(4, 2)
    with tf.GradientTape() as tape:
        tape.watch([weights, scale])
        values = trained_values(weights, codes, scale)
        loss = tf.reduce_sum(values * upstream)
    np.testing.assert_array_equal(values, codes * scale)
    by_weight, by_scale = tape.gradient(loss, [weights, scale])
    # Upstream [[1, 2], [3, 4], [5, 6], [7, 8]]: 1 - 3 and -4 + 6 + 8.
    np.testing.assert_array_equal(by_scale, [[-2, 10]])
    np.testing.assert_array_equal(by_weight, [[0.5, 2], [1.5, 8], [5, 12], [7, 16]])


@pytest.mark.parametrize("cut", [0.7, 5.0])
def test_the_threshold_makes_the_zeros(cut: float) -> None:
    weights = tf.constant(np.random.default_rng(0).normal(size=(2000, 1)), tf.float32)
    share = np.mean(np.asarray(signs(weights, "ternary", [0], cut, "mean")) == 0)
    # P(|x| <= 0.7 sqrt(2 / pi)) of a normal number is 0.4235.
    assert share == pytest.approx(0.4235 if cut < 1 else 1.0, abs=0.03)
