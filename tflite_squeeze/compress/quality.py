"""How good a model is on data: the one number that techniques trade against size."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze import flavors
from tflite_squeeze.compress.finetune import classifies, loss_of
from tflite_squeeze.io.data import Data

Array = NDArray[Any]


def metric_name(model: Any) -> str:
    """What quality means for a model: "accuracy" for classifiers, else "loss"."""
    return "accuracy" if classifies(model) else "loss"


def quality(model: Any, inputs: dict[str, Array], labels: Any, *, batch: int = 256) -> float:
    """Accuracy of a classifier, or the loss of any other model.

    Args:
        model: a Keras model of either flavour.
        inputs: (N, ...) by input name.
        labels: (N, ...) class ids or targets.
        batch: examples at a time.
    """
    outputs = predict(model, inputs, batch=batch)
    if not classifies(model):
        return float(tf.reduce_mean(loss_of(model)(labels, outputs)))
    if outputs.shape[-1] == 1:
        return float(np.mean((outputs[:, 0] >= 0.5) == np.asarray(labels).ravel()))
    return float(np.mean(np.argmax(outputs, axis=-1) == np.asarray(labels).ravel()))


def predict(model: Any, inputs: dict[str, Array], *, batch: int = 256) -> Any:
    """Runs a model in inference mode on inputs by name.

    Args:
        model: a Keras model of either flavour.
        inputs: (N, ...) by input name.
        batch: examples at a time.

    Returns:
        The model's own structure of outputs, (N, ...).
    """
    structure = flavors.input_structure(model)
    names = [spec.name for spec in tf.nest.flatten(structure)]
    packed = tf.nest.pack_sequence_as(structure, [inputs[name] for name in names])
    return model.predict(packed, batch_size=batch, verbose=0)


def validation_quality(model: Any, data: Data | None, count: int | None = None) -> float | None:
    """The same on the validation part of labelled data; None where there is none.

    Args:
        model: a Keras model.
        data: data fitted to it.
        count: examples; None for all.
    """
    if data is None or not data.labelled:
        return None
    sample = data.sample("validation", count)
    return quality(model, sample.inputs, sample.labels)
