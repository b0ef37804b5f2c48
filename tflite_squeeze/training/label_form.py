"""Labels in the form that a model's own loss takes them in."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tflite_squeeze.network.variables import output_shape

# Keras's losses that compare numbers with as many numbers: class ids mean nothing to them.
_OF_ROWS = frozenset(
    {
        "categoricalcrossentropy", "categoricalfocalcrossentropy", "categoricalhinge",
        "binarycrossentropy", "binaryfocalcrossentropy", "kldivergence",
        "kullbackleiblerdivergence", "meansquarederror", "mse", "meanabsoluteerror", "mae",
        "huber", "poisson", "cosinesimilarity",
    }
)  # fmt: skip


def label_form(model: Any) -> Callable[[Any], Any]:
    """What turns labels as data holds them, class ids, into what a model's own loss takes.

    Args:
        model: a Keras model of either flavour, compiled or not.

    Returns:
        A function of a batch of labels. It makes one-hot rows of class ids where the model was
        compiled with a loss of such rows and has several scores in one output; it returns all
        other labels, and None for none, as they are.
    """
    if loss_name(model) not in _OF_ROWS:
        return lambda labels: labels
    shape = output_shape(model)
    if isinstance(shape, dict | list) or shape[-1] in (None, 1):
        return lambda labels: labels

    def rows(labels: Any) -> Any:
        if labels is None:
            return None
        rank = len(labels.shape)
        if rank == len(shape) and labels.shape[-1] == 1:
            labels, rank = labels[..., 0], rank - 1
        return tf.one_hot(tf.cast(labels, tf.int32), shape[-1]) if rank < len(shape) else labels

    return rows


def loss_name(model: Any) -> str:
    """The name of the loss that a model was compiled with, small and joined; "" without one.

    Example:
        >>> loss_name(load_model("models/lenet_5.keras").model)
        ''
    """
    loss = getattr(model, "loss", None)
    if loss is None:
        return ""
    name = str(getattr(loss, "name", None) or getattr(loss, "__name__", loss))
    return name.lower().replace("_", "")
