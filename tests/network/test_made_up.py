"""Inputs that stand for samples: every type that a model takes."""

import numpy as np
import tensorflow as tf

from tflite_squeeze.network.made_up import made_up


def test_every_type_gets_values_that_a_model_takes() -> None:
    specs = [
        tf.TensorSpec((None, 3), tf.float32),
        tf.TensorSpec((None, 2), tf.float16),
        tf.TensorSpec((2, None), tf.int64),
        tf.TensorSpec((None, 1), tf.bool),
        tf.TensorSpec((None, 1), tf.string),
    ]
    values = made_up(specs)
    assert [one.dtype for one in values] == [spec.dtype for spec in specs]
    assert [tuple(one.shape) for one in values] == [(16, 3), (16, 2), (2, 1), (16, 1), (16, 1)]
    assert float(np.std(values[0])) > 0.5
    assert values[4].numpy().tolist() == [[b""]] * 16
