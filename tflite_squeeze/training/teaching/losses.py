"""Distances between what a teacher and a student answer, as pure functions of tensors.

Each takes (teacher, student) and returns one distance per example, so that examples can be
weighted. Logits are meant up to a constant per example: the logarithm of a softmax will do.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tflite_squeeze.errors import UsageError

Distance = Callable[[Any, Any], Any]

_TINY = 1e-8


def per_example(values: Any) -> Any:
    """The mean over every axis but the first.

    Args:
        values: (N, ...).

    Returns:
        (N,).
    """
    return tf.reduce_mean(tf.reshape(values, [tf.shape(values)[0], -1]), axis=-1)


def centred(logits: Any) -> Any:
    """Logits (..., K) without the constant that a softmax forgets: their mean becomes 0."""
    return logits - tf.reduce_mean(logits, axis=-1, keepdims=True)


def kl(teacher: Any, student: Any, temperature: float = 1.0) -> Any:
    """T² KL(p ‖ q) of the softened distributions.

    Args:
        teacher: logits (N, ..., K).
        student: logits of the same shape.
        temperature: T, which both are divided by. T² keeps the size of the gradients.

    Returns:
        (N,).

    Reference: Hinton et al. 2015, arXiv:1503.02531, section 2.

    Example:
        >>> kl(tf.constant([[1.0, 0.0]]), tf.constant([[1.0, 0.0]]), 4.0).numpy()
        array([0.], dtype=float32)
    """
    log_p = tf.nn.log_softmax(teacher / temperature)
    log_q = tf.nn.log_softmax(student / temperature)
    return temperature**2 * per_example(_relative_entropy(log_p, log_q))


def _relative_entropy(log_p: Any, log_q: Any) -> Any:
    return tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), axis=-1)


def kl_of_values(teacher: Any, student: Any) -> Any:
    """KL(N(t, 1) ‖ N(s, 1)) of plain numbers: half the mean squared error.

    Args:
        teacher: values (N, ...).
        student: of the same shape.

    Returns:
        (N,).

    Reference: Kullback 1959, Information Theory and Statistics, chapter 9.
    """
    return 0.5 * mse(teacher, student)


def mse(teacher: Any, student: Any) -> Any:
    """The mean squared error.

    Args:
        teacher: logits (`centred` where a softmax is behind either) or values (N, ...).
        student: of the same shape.

    Returns:
        (N,).

    Reference: Ba and Caruana 2014, arXiv:1312.6184, equation 1, for logits.
    """
    return per_example(tf.math.squared_difference(teacher, student))


def cosine(teacher: Any, student: Any) -> Any:
    """One minus the cosine of the angle between both, over the last axis.

    Args:
        teacher: (N, ..., K).
        student: of the same shape.

    Returns:
        (N,), from 0 to 2.
    """
    return per_example(1.0 - _cosine(teacher, student, axis=-1))


def _cosine(a: Any, b: Any, axis: int) -> Any:
    return tf.reduce_sum(_unit(a, axis) * _unit(b, axis), axis=axis)


def _unit(values: Any, axis: int) -> Any:
    return tf.math.l2_normalize(values, axis=axis, epsilon=_TINY**2)


def dkd(
    teacher: Any,
    student: Any,
    temperature: float = 1.0,
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    classes: Any = None,
) -> Any:
    """Decoupled distillation: T² (alpha TCKD + beta NCKD).

    TCKD compares how sure both are of the target class, NCKD how they rank the other classes.

    Args:
        teacher: logits (N, ..., K).
        student: logits of the same shape.
        temperature: T.
        alpha: weight of the target class's part.
        beta: weight of the other classes' part.
        classes: target class ids (N, ...); None for the classes that the teacher finds.

    Returns:
        (N,).

    Reference: Zhao et al. 2022, arXiv:2203.08679, equations 5 and 7.
    """
    if classes is None:
        classes = tf.argmax(teacher, axis=-1)
    target = tf.one_hot(classes, teacher.shape[-1], dtype=teacher.dtype)
    log_p = tf.nn.log_softmax(teacher / temperature)
    log_q = tf.nn.log_softmax(student / temperature)
    target_part = _relative_entropy(_binary(log_p, target), _binary(log_q, target))
    # Without the target class: its logit is so low that its share of the softmax is 0.
    others_p = tf.nn.log_softmax(teacher / temperature - 1e6 * target)
    others_q = tf.nn.log_softmax(student / temperature - 1e6 * target)
    other_part = tf.reduce_sum(
        (1 - target) * tf.exp(others_p) * (others_p - others_q), axis=-1
    )  # fmt: skip
    return temperature**2 * per_example(alpha * target_part + beta * other_part)


def _binary(log_p: Any, target: Any) -> Any:
    """(..., 2): log probability of the target class and of all others together."""
    target_log = tf.reduce_sum(target * log_p, axis=-1)
    other_log = tf.reduce_logsumexp(log_p - 1e6 * target, axis=-1)
    return tf.stack([target_log, other_log], axis=-1)


def dist(
    teacher: Any,
    student: Any,
    temperature: float = 1.0,
    *,
    inter: float = 1.0,
    intra: float = 1.0,
) -> Any:
    """T² (inter (1 - r over an example's classes) + intra (1 - r over a class's examples)).

    r is Pearson's correlation of probabilities, so that only relations have to match.

    Args:
        teacher: logits (N, ..., K).
        student: logits of the same shape.
        temperature: T.
        inter: the paper's beta.
        intra: the paper's gamma.

    Returns:
        (N,); the part over examples is the same for all.

    Reference: Huang et al. 2022, arXiv:2205.10536, equations 8 and 9.
    """
    p = tf.nn.softmax(teacher / temperature)
    q = tf.nn.softmax(student / temperature)
    over_classes = per_example(1.0 - _correlation(p, q, axis=-1))
    over_examples = tf.reduce_mean(1.0 - _correlation(p, q, axis=0))
    return temperature**2 * (inter * over_classes + intra * over_examples)


def _correlation(a: Any, b: Any, axis: int) -> Any:
    return _cosine(
        a - tf.reduce_mean(a, axis=axis, keepdims=True),
        b - tf.reduce_mean(b, axis=axis, keepdims=True),
        axis,
    )


def hint(teacher: Any, student: Any) -> Any:
    """Half the mean squared error of a hidden layer, after the student's was projected.

    Args:
        teacher: features (N, ..., C).
        student: projected features of the same shape.

    Returns:
        (N,).

    Reference: Romero et al. 2015, arXiv:1412.6550, equation 3.
    """
    return 0.5 * mse(teacher, student)


def attention_map(features: Any) -> Any:
    """Where a layer looks: the mean square over its channels, as a unit vector.

    Args:
        features: (N, ..., C).

    Returns:
        (N, positions), each row of length 1.

    Reference: Zagoruyko and Komodakis 2017, arXiv:1612.03928, section 3.1.
    """
    energy = tf.reduce_mean(tf.square(features), axis=-1)
    return _unit(tf.reshape(energy, [tf.shape(energy)[0], -1]), -1)


def attention(teacher: Any, student: Any) -> Any:
    """The squared distance of two attention maps.

    Args:
        teacher: features (N, H, W, C).
        student: features (N, h, w, c). The teacher's map is resized to the student's positions
            where they differ.

    Returns:
        (N,).

    Reference: Zagoruyko and Komodakis 2017, arXiv:1612.03928, equation 2 with p = 2, squared as
        in its authors' own code so that the gradient exists where both are equal.
    """
    if teacher.shape[1:-1] != student.shape[1:-1]:
        teacher = _resized(teacher, student)
    difference = tf.math.squared_difference(attention_map(teacher), attention_map(student))
    return tf.reduce_sum(difference, axis=-1)


def _resized(teacher: Any, student: Any) -> Any:
    """The root mean square over the teacher's channels, at the student's positions."""
    if teacher.shape.rank != 4 or student.shape.rank != 4:
        raise UsageError(
            f"attention of layers of shapes {tuple(teacher.shape)} and {tuple(student.shape)} "
            f"cannot be compared: pair layers with equally many positions, or two image layers"
        )
    energy = tf.reduce_mean(tf.square(teacher), axis=-1, keepdims=True)
    small = tf.image.resize(energy, student.shape[1:3], method="area")
    return tf.sqrt(tf.maximum(small, 0.0))
