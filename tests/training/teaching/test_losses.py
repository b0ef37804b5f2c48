"""Distances on numbers worked out by hand, and what each of them must not see."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_models import examples
from tflite_squeeze.errors import UsageError
from tflite_squeeze.training.teaching import losses as losses

LN3 = float(np.log(3.0))
TEACHER = tf.constant([[LN3, 0.0], [0.0, 0.0]])  # (3/4, 1/4) and (1/2, 1/2)
STUDENT = tf.constant([[0.0, 0.0], [LN3, 0.0]])
RANDOM = tf.constant(examples(5, 4)), tf.constant(examples(5, 4, seed=1))


def test_kl_by_hand() -> None:
    # 3/4 ln(3/2) + 1/4 ln(1/2), and 1/2 ln(2/3) + 1/2 ln 2
    expected = [0.75 * np.log(1.5) + 0.25 * np.log(0.5), 0.5 * np.log(2 / 3) + 0.5 * np.log(2)]
    np.testing.assert_allclose(losses.kl(TEACHER, STUDENT), expected, rtol=1e-5)


def test_kl_at_a_temperature_is_scaled_by_its_square() -> None:
    hot = losses.kl(2 * TEACHER, 2 * STUDENT, 2.0)
    np.testing.assert_allclose(hot, 4 * losses.kl(TEACHER, STUDENT), rtol=1e-5)


def test_kl_of_a_hot_softmax_is_half_the_squared_difference_of_centred_logits() -> None:
    """Hinton et al. 2015, equation 4, as gradients: here as values, over the classes."""
    teacher, student = RANDOM
    hot = losses.kl(teacher, student, 50.0)
    squares = losses.mse(losses.centred(teacher), losses.centred(student))
    np.testing.assert_allclose(hot, squares / 2, rtol=5e-2)


def test_mse_and_cosine_by_hand() -> None:
    teacher, student = tf.constant([[1.0, 2.0]]), tf.constant([[3.0, 5.0]])
    np.testing.assert_allclose(losses.mse(teacher, student), [(4 + 9) / 2])
    np.testing.assert_allclose(losses.centred(teacher), [[-0.5, 0.5]])
    right, opposite = tf.constant([[0.0, 2.0]]), tf.constant([[-3.0, 0.0]])
    axis = tf.constant([[1.0, 0.0]])
    np.testing.assert_allclose(losses.cosine(axis, right), [1.0])
    np.testing.assert_allclose(losses.cosine(axis, opposite), [2.0])
    np.testing.assert_allclose(losses.cosine(axis, 7 * axis), [0.0], atol=1e-6)


def test_decoupled_by_hand() -> None:
    """Three classes, target 0: (1/2, 1/4, 1/4) beside (1/3, 1/2, 1/6)."""
    p, q = np.array([1 / 2, 1 / 4, 1 / 4]), np.array([1 / 3, 1 / 2, 1 / 6])
    teacher, student = (tf.constant(np.log([row]), tf.float32) for row in (p, q))
    target = 0.5 * np.log(0.5 / (1 / 3)) + 0.5 * np.log(0.5 / (2 / 3))
    others = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
    for classes in (None, tf.constant([0])):  # the teacher finds class 0 by itself
        found = losses.dkd(teacher, student, alpha=2.0, beta=3.0, classes=classes)
        np.testing.assert_allclose(found, [2 * target + 3 * others], rtol=1e-4)


def test_decoupled_with_the_weights_of_the_teacher_is_kl() -> None:
    """Equation 6 of the paper: KL = TCKD + (1 - p_t) NCKD."""
    teacher, student = (values[:1] for values in RANDOM)
    p = tf.nn.softmax(teacher)
    other = float(1 - tf.reduce_max(p))
    found = losses.dkd(teacher, student, alpha=1.0, beta=other)
    np.testing.assert_allclose(found, losses.kl(teacher, student), rtol=1e-4)


def test_dist_sees_relations_only() -> None:
    teacher, student = RANDOM
    assert float(losses.dist(teacher, teacher)[0]) == pytest.approx(0.0, abs=1e-5)
    p, q = tf.nn.softmax(teacher).numpy(), tf.nn.softmax(student).numpy()
    over_classes = [1 - np.corrcoef(a, b)[0, 1] for a, b in zip(p, q, strict=True)]
    over_examples = np.mean([1 - np.corrcoef(p[:, k], q[:, k])[0, 1] for k in range(4)])
    np.testing.assert_allclose(
        losses.dist(teacher, student, inter=2.0, intra=0.0), 2 * np.array(over_classes), rtol=1e-4
    )
    np.testing.assert_allclose(
        losses.dist(teacher, student, inter=0.0, intra=3.0), 5 * [3 * over_examples], rtol=1e-4
    )


@pytest.mark.parametrize("name", ["kl", "dkd", "dist"])
def test_a_constant_added_to_logits_changes_nothing(name: str) -> None:
    teacher, student = RANDOM
    distance = getattr(losses, name)
    shifted = distance(teacher + 3.0, student - 2.0, 2.0)
    np.testing.assert_allclose(shifted, distance(teacher, student, 2.0), rtol=1e-3, atol=1e-5)
    # The negative control: these do see it, which is why logits are centred first.
    assert not np.allclose(losses.mse(teacher + 3.0, student), losses.mse(teacher, student))


@pytest.mark.parametrize("name", ["kl", "mse", "cosine", "dkd", "dist", "hint"])
def test_gradients_vanish_where_both_agree_and_are_finite(name: str) -> None:
    for teacher in (RANDOM[0], 100 * RANDOM[0]):
        student = tf.Variable(teacher)
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(getattr(losses, name)(teacher, student))
        np.testing.assert_allclose(tape.gradient(value, student), np.zeros((5, 4)), atol=1e-4)


def test_attention_by_hand() -> None:
    # Channels (3, 4) at one of two positions: energy 12.5 there, 0 elsewhere; a unit vector.
    looks_left = tf.constant([[[[3.0, 4.0], [0.0, 0.0]]]])
    looks_right = tf.constant([[[[0.0], [2.0]]]])
    np.testing.assert_allclose(losses.attention_map(looks_left), [[1.0, 0.0]])
    np.testing.assert_allclose(losses.attention(looks_left, looks_right), [2.0])
    np.testing.assert_allclose(losses.attention(looks_left, 5 * looks_left), [0.0], atol=1e-6)


def test_attention_of_another_size_is_averaged() -> None:
    teacher = np.zeros((1, 4, 4, 2), np.float32)
    teacher[0, :2, :2] = 1.0  # the upper left quarter
    student = np.zeros((1, 2, 2, 3), np.float32)
    student[0, 0, 0] = 2.0
    np.testing.assert_allclose(
        losses.attention(tf.constant(teacher), tf.constant(student)), [0.0], atol=1e-6
    )
    with pytest.raises(UsageError, match="cannot be compared"):
        losses.attention(tf.constant(teacher[0]), tf.constant(student))


def test_kl_of_values_is_half_the_squared_error() -> None:
    teacher, student = tf.constant([[1.0, 2.0]]), tf.constant([[3.0, 2.0]])
    np.testing.assert_allclose(losses.kl_of_values(teacher, student), [1.0])
