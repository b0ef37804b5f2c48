"""Files of 8 bits whose activations get 16: operators one by one, and constants."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.emission.chatter import Chatter, caught_chatter
from tflite_squeeze.emission.wide.constants import FloatConstants
from tflite_squeeze.emission.wide.widened import with_wide_activations
from tflite_squeeze.network.quantization.fake import COARSER
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.structure import structural_faults

RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(-1, 1, (1, 4, 4, 2)).astype(np.float32)
ONE_TO_FOUR = np.arange(1, 5, dtype=np.float32)


def of_16_bits(values: Any, largest: float, steps: set[float]) -> Any:
    """A tensor with the steps of 16 bits, for integers of 8."""
    step = largest / 32767
    steps.add(step)
    return tf.quantization.fake_quant_with_min_max_vars(
        values, -128 * COARSER * step, 127 * COARSER * step
    )


def _forms(apply: Callable[[Any], Any], largest: float) -> tuple[bytes, bytes, bytes]:
    """A function between two tensors of 16 bits: with these, with 8 bits and in float."""
    steps: set[float] = set()

    def both(x: Any) -> Any:
        return of_16_bits(apply(of_16_bits(x, 1.0, steps)), largest, steps)

    traced = tf.function(both, autograph=False).get_concrete_function(tf.TensorSpec(X.shape))
    with caught_chatter(Chatter()):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], tf.Module())
        in_float = converter.convert()
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        eight = converter.convert()
    return with_wide_activations(eight, steps, in_float), eight, in_float


APPLIED: dict[str, tuple[Callable[[Any], Any], int]] = {
    # Most steps of 16 bits that a kernel is off by.
    "ADD": (lambda x: x + ONE_TO_FOUR[:2], 1),
    "MUL": (lambda x: x * ONE_TO_FOUR[:2] / 7, 1),
    "PADV2": (lambda x: tf.pad(x, [(0, 0), (1, 1), (0, 0), (0, 0)], constant_values=0.5), 1),
    "MAXIMUM": (lambda x: tf.maximum(x, 0.3), 1),
    "BATCH_MATMUL": (lambda x: tf.matmul(x, x, transpose_b=True), 2),
    "AVERAGE_POOL_2D": (lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"), 3),
    "TANH": (tf.tanh, 5),
    "LOGISTIC": (tf.sigmoid, 2),
    "SOFTMAX": (tf.nn.softmax, 3),
    "LEAKY_RELU": (lambda x: tf.nn.leaky_relu(x, 0.2), 1),
    "SUM": (lambda x: tf.reduce_sum(x, [1, 2]), 2),
    "SPLIT": (lambda x: tf.concat(tf.split(x, 2, -1)[::-1], 1), 1),
    "SUB": (lambda x: x - x[:, ::-1], 2),
    "GELU": (tf.nn.gelu, 45),
}


@pytest.mark.parametrize("name", APPLIED)
def test_operators_compute_in_16_bits(name: str) -> None:
    apply, most = APPLIED[name]
    wanted = np.asarray(apply(tf.constant(X)))
    fixed = name in ("TANH", "LOGISTIC", "SOFTMAX")
    same = name in ("PADV2", "MAXIMUM", "SPLIT", "AVERAGE_POOL_2D")
    largest = 32767 / 32768 if fixed else 1.0 if same else float(np.abs(wanted).max())
    tflite, *_ = _forms(apply, largest)
    assert name in operator_names(tflite)[0]
    (answer,) = run_file(tflite, {"x": X}).outputs.values()
    assert np.abs(answer - wanted).max() <= (most + 0.5) * largest / 32767
    model = read_model(tflite)
    assert structural_faults(model) == ()


def test_eight_bits_are_not_as_near() -> None:
    apply, _ = APPLIED["ADD"]
    wanted = apply(X)
    wide, eight = (
        np.abs(next(iter(run_file(one, {"x": X}).outputs.values())) - wanted).max()
        for one in _forms(apply, float(np.abs(wanted).max()))[:2]
    )
    assert wide < eight / 50


def test_constants_are_found_by_nearly_the_same_values() -> None:
    tflite = _forms(lambda x: x * (ONE_TO_FOUR[:2] / 7), 1.0)[2]
    constants = FloatConstants(tflite)
    near = np.asarray([1.1, 2.1]) / 7
    np.testing.assert_allclose(constants.nearest(near, 0.1), ONE_TO_FOUR[:2] / 7, rtol=1e-6)
    np.testing.assert_array_equal(constants.nearest(near, 0.01), near)


def test_biases_far_beyond_32_bits_keep_the_weights() -> None:
    """The converter would make weights coarser for them, had it the steps of 16 bits."""
    kernel = np.asarray([[1e-4, 2.0], [3e-4, 1.0]], np.float32)
    apply = lambda x: tf.matmul(tf.reshape(x, (16, 2)), kernel) + np.float32([500.0, 1.0])  # noqa: E731
    tflite = _forms(apply, 510.0)[0]
    (answer,) = run_file(tflite, {"x": X}).outputs.values()
    assert np.abs(answer - np.asarray(apply(X))).max() < 3 * 510 / 32767


def test_without_steps_nothing_changes() -> None:
    _, eight, _ = _forms(tf.nn.relu, 1.0)
    assert with_wide_activations(eight, (), eight) is eight
