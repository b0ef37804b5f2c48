"""Gradients of rounding, on numbers computed by hand."""

import numpy as np
import tensorflow as tf

from tflite_squeeze.network.quantization.fake import fake_weights, with_learned_steps
from tflite_squeeze.network.quantization.plan import WeightQuantization

TWO_BITS = WeightQuantization(bits=2, axis=-1)  # integers -1, 0, 1
# Steps of 1 and 2.
VALUES, LARGEST = [[0.3, 1.5], [-0.8, -5.0], [4.0, 0.4]], [1.0, 2.0]


def test_steps_have_the_gradients_of_lsq() -> None:
    values, largest = tf.constant(VALUES), tf.constant(LARGEST)
    with tf.GradientTape() as tape:
        tape.watch([values, largest])
        rounded = with_learned_steps(values, TWO_BITS, largest)
        loss = tf.reduce_sum(rounded)
    np.testing.assert_allclose(rounded, [[0, 2], [-1, -2], [1, 0]])
    of_values, of_largest = tape.gradient(loss, [values, largest])
    np.testing.assert_allclose(of_values, [[1, 1], [1, 0], [0, 1]])  # 0 where clipped
    first = (0 - 0.3) + (-1 + 0.8) + 1
    second = (1 - 0.75) + -1 + (0 - 0.2)
    np.testing.assert_allclose(of_largest, np.array([first, second]) / 3**0.5, rtol=1e-5)


def test_both_ways_of_rounding_agree() -> None:
    values = tf.constant(np.random.default_rng(0).normal(size=(3, 3, 4, 2)).astype(np.float32))
    for bits, largest in ((4, 1.5), (8, 2.5)):
        plan = WeightQuantization(bits=bits, axis=-2)
        scales = tf.fill([8], largest)
        one, other = (
            rounded(values, plan, scales, depthwise=True)
            for rounded in (fake_weights, with_learned_steps)
        )
        np.testing.assert_allclose(one, other, atol=1e-6)
