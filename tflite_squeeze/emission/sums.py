"""Sums of tensors, which Keras 3 takes for biases where a batch of 1 makes them look like some."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

_BACKEND = "keras.src.backend.tensorflow.numpy"  # whose functions layers and operations call


@contextmanager
def broadcast_sums() -> Iterator[None]:
    """Within it, Keras 3 adds as shapes say, and traces a BiasAdd along the last axis alone.

    Its `add` calls the second tensor a bias where all its sizes are 1 but one that the first
    tensor has as its second or last. With a fixed batch of 1 that is true of the signals
    (1, n, 1) + (1, n, 1), and the converter cannot lower a BiasAdd along the second axis of three
    or five; and (1, n, n) + (1, n, 1) would be added along the wrong axis.
    """
    backend: Any = sys.modules.get(_BACKEND)
    if backend is None:  # then no model is one of Keras 3
        yield
        return
    with_biases = backend.add

    def add(x1: Any, x2: Any) -> Any:
        dense = all(isinstance(one, tf.Tensor) for one in (x1, x2)) and x1.dtype == x2.dtype
        if not dense or _is_bias(x1.shape.as_list(), x2.shape.as_list()):
            return with_biases(x1, x2)
        return tf.add(x1, x2)

    backend.add = add
    try:
        yield
    finally:
        backend.add = with_biases


def _is_bias(shape: list[int | None], bias: list[int | None]) -> bool:
    """Whether a shape has nothing but as many numbers as the last axis of another."""
    return (
        len(bias) <= len(shape)
        and shape != bias
        and set(bias[:-1]) <= {1}
        and bias[-1:] == shape[-1:]
    )
