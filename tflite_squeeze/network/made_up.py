"""Inputs for a model whose samples nobody gave."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.network import flavors

_EXAMPLES = 16


def made_up(specs: Iterable[tf.TensorSpec]) -> list[Any]:
    """Normal numbers of a few examples, as a model takes them.

    Where integers are taken they are zeros, which are valid in every table, and text is empty.

    Args:
        specs: of each input, batch axis first.
    """
    generator = np.random.default_rng(0)
    inputs = []
    for spec in specs:
        shape = [spec.shape[0] or _EXAMPLES, *(size or 1 for size in spec.shape[1:])]
        if spec.dtype == tf.string:
            values = np.full(shape, b"")
        else:
            values = generator.normal(size=shape) if spec.dtype.is_floating else np.zeros(shape)
        inputs.append(tf.constant(values, spec.dtype))
    return inputs


def made_up_by_name(model: Any) -> dict[str, Any]:
    """The same for every input of a Keras model, as arrays."""
    specs = flavors.input_specs(model)
    return {name: one.numpy() for name, one in zip(specs, made_up(specs.values()), strict=True)}
