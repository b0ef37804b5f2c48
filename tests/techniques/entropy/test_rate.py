"""Code lengths, their gradients and rounding on numbers worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.techniques.entropy.rate import (
    code_length,
    group_length,
    interval_mass,
    noisy_gradient,
    rate_of,
    rounded,
    uniform_noise,
    with_gradients,
)

ONE = np.float32([0.0])
SCALES, LOGITS = tf.constant([-1.0, 0.5, 2.0]), tf.constant([0.3, -0.2, 0.1])


def logistic(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, -2.0, 7.5])
@pytest.mark.parametrize("log_scale", [-1.5, 0.0, 2.0])
def test_the_mass_of_an_interval_is_that_of_two_sigmoids(value, log_scale):
    b = math.exp(log_scale)
    wanted = logistic((value + 0.5) / b) - logistic((value - 0.5) / b)
    assert float(interval_mass(value, log_scale)) == pytest.approx(wanted, rel=1e-4)


def test_the_masses_of_all_integers_are_one():
    integers = np.arange(-400, 401).astype(np.float32)
    assert float(tf.reduce_sum(interval_mass(integers, 2.0))) == pytest.approx(1, abs=1e-5)


def test_the_length_of_a_known_distribution():
    # b = 1: p(0) = tanh(1 / 4) = 0.244919, p(1) = sigmoid(1.5) - sigmoid(0.5) = 0.195115.
    wanted = -math.log(0.244919) - 2 * math.log(0.195115)
    assert float(code_length(np.float32([0, 1, -1]), ONE, ONE)) == pytest.approx(wanted, rel=1e-4)


def test_a_mixture_weighs_its_components():
    halves = 0.5 * float(interval_mass(1.0, 0.0)) + 0.5 * float(interval_mass(1.0, 1.0))
    found = code_length(np.float32([1.0]), np.float32([0, 1]), np.float32([0, 0]))
    assert float(found) == pytest.approx(-math.log(halves), rel=1e-5)


def test_the_gradient_of_the_length_points_away_from_zero():
    table = noisy_gradient(SCALES, LOGITS).numpy()
    assert table.shape == (2048,)
    # The cell of a value v is (v + 128) · 8.
    assert (table[1025:1100] > 0).all()
    np.testing.assert_allclose(table, -table[::-1], atol=1e-4)
    # The middle of the cell from 1 to 1.125, ± half a step.
    length = [float(code_length(np.float32([v]), SCALES, LOGITS)) for v in (1.5625, 0.5625)]
    assert table[(128 + 1) * 8] == pytest.approx(length[0] - length[1], rel=1e-4)


def test_the_gradient_is_that_of_the_mean_over_noise():
    value, noise = 1.0625, ((np.arange(4000) + 0.5) / 4000 - 0.5).astype(np.float32)
    x = tf.constant(np.float32(value))
    with tf.GradientTape() as tape:
        tape.watch(x)
        mean = code_length(x + noise, SCALES, LOGITS) / len(noise)
    table = noisy_gradient(SCALES, LOGITS).numpy()
    assert float(tape.gradient(mean, x)) == pytest.approx(table[(128 + 1) * 8], rel=1e-3)


def test_the_rate_and_its_gradients():
    # As many weights as are counted one by one, with a step of a half: values 2 and -3.
    weights, log_step = np.float32([[1.0, -1.5]]), np.full((1, 1), math.log(0.5), np.float32)
    nats, gradients = rate_of(weights, log_step, SCALES, LOGITS, tf.constant(3))
    of_weights, of_step, of_scales, of_logits = (np.asarray(one) for one in gradients)
    table = noisy_gradient(SCALES, LOGITS).numpy()
    two, three = table[(128 + 2) * 8], table[(128 - 3) * 8]
    np.testing.assert_allclose(of_weights, [[two / 0.5, three / 0.5]], rtol=1e-5)
    # A longer step makes values smaller: -(2 g(2) + (-3) g(-3)), below 0.
    np.testing.assert_allclose(of_step, [[-(2 * two - 3 * three)]], rtol=1e-5)
    assert of_step[0, 0] < 0
    noise = uniform_noise((2,), tf.constant(3), 2)
    assert float(nats) == pytest.approx(
        float(code_length(np.float32([2, -3]) + noise, SCALES, LOGITS)), rel=1e-5
    )
    assert of_scales.shape == of_logits.shape == (3,)
    assert abs(float(of_logits.sum())) < 1e-5  # shares of one whole


def test_a_sample_stands_for_many_values():
    weights = np.random.default_rng(0).laplace(size=(300, 100)).astype(np.float32)
    log_step = np.zeros((1, 1), np.float32)
    whole = float(code_length(weights + uniform_noise((300, 100), 0, 0), SCALES, LOGITS))
    found = [float(rate_of(weights, log_step, SCALES, LOGITS, tf.constant(n))[0]) for n in range(9)]
    assert np.mean(found) == pytest.approx(whole, rel=0.01)
    assert len(set(found)) > 3


def test_noise_is_even_over_values_and_over_steps():
    noise = np.stack([uniform_noise((500,), tf.constant(n), 7) for n in range(500)])
    assert -0.5 <= noise.min() < -0.499
    assert 0.499 < noise.max() < 0.5
    for axis in (0, 1):
        assert np.abs(noise.mean(axis)).max() < 0.01
        np.testing.assert_allclose(noise.var(axis), 1 / 12, rtol=0.02)


def test_rounding_to_a_grid_and_back():
    weights, log_step = np.float32([0.24, 0.26, -0.9, 100.0]), np.float32([math.log(0.5)])
    np.testing.assert_allclose(rounded(weights, log_step), [0.0, 0.5, -1.0, 63.5], rtol=1e-6)
    again = rounded(rounded(weights, log_step), log_step)
    np.testing.assert_array_equal(again, rounded(weights, log_step))


def test_gradients_pass_rounding_and_move_the_step():
    weights, log_step = tf.constant([0.2, 0.3]), tf.constant([math.log(0.5)])
    with tf.GradientTape() as tape:
        tape.watch((weights, log_step))
        loss = tf.reduce_sum(rounded(weights, log_step) * [3.0, 10.0])
    of_weights, of_step = tape.gradient(loss, (weights, log_step))
    np.testing.assert_allclose(of_weights, [3.0, 10.0])
    # Moved by -0.2 and by 0.2: -0.6 + 2.
    np.testing.assert_allclose(of_step, [1.4], rtol=1e-5)


def test_steps_of_channels():
    weights = tf.constant([[0.4, 4.0], [0.6, 6.0]])
    log_step = tf.constant(np.log(np.float32([[1.0, 10.0]])))
    with tf.GradientTape() as tape:
        tape.watch(log_step)
        found = rounded(weights, log_step)
        loss = tf.reduce_sum(found)
    np.testing.assert_allclose(found, [[0, 0], [1, 10]], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, log_step), [[0.0, 0.0]], atol=1e-6)


def test_known_gradients_are_passed_on():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = 2.0 * with_gradients(5.0, (tf.constant([3.0, 4.0]),), (x,))
    assert float(value) == 10.0
    np.testing.assert_array_equal(tape.gradient(value, x), [6.0, 8.0])


def test_the_price_of_filters():
    # Two filters, Σ|q| = 3 and 0: log 4 + log 1.
    values = np.float32([[1.0, 0.0], [-2.0, 0.0]])
    assert float(group_length(values, (-1,))) == pytest.approx(math.log(4))
    assert float(group_length(values, (0,))) == pytest.approx(math.log(2) + math.log(3))
