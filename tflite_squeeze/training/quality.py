"""How good a model is on data: the one number that techniques trade against size."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.data import Data
from tflite_squeeze.errors import InputError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.save import quietly
from tflite_squeeze.training.objective import Objective, objective_of

Array = NDArray[Any]


def metric_name(model: Any) -> str:
    """The measure of quality of a model: "accuracy" for classifiers, else "loss"."""
    return "accuracy" if objective_of(model).classifies else "loss"


def quality(model: Any, inputs: dict[str, Array], labels: Any, *, batch: int = 256) -> float:
    """Accuracy of a classifier, or the loss of any other model.

    Args:
        model: a Keras model of either version.
        inputs: (N, ...) by input name.
        labels: (N, ...) class ids, one-hot rows or targets.
        batch: examples at a time.

    Raises:
        InputError: a label is no class of the model.
    """
    return quality_of(objective_of(model), predict(model, inputs, batch=batch), labels)


def quality_of(objective: Objective, answers: Any, labels: Any) -> float:
    """The same of what a model has answered already.

    Args:
        objective: of the model.
        answers: its own, in its structure.
        labels: (N, ...) class ids, one-hot rows or targets.

    Raises:
        InputError: a label is no class of the model.
    """
    if not objective.classifies:
        return float(objective.loss(labels, answers))
    return float(np.mean(right_answers(objective, answers, labels)))


def right_answers(objective: Objective, answers: Any, labels: Any) -> Array:
    """Which examples a classifier has answered right.

    Args:
        objective: of the model, which classifies.
        answers: its own, in its structure.
        labels: (N, ...) class ids or one-hot rows.

    Returns:
        (N,) booleans.

    Raises:
        InputError: a label is no class of the model.
    """
    (outputs,), (known,) = objective.flat(answers), objective.split(labels)
    if outputs.shape[-1] == 1:
        return np.asarray((outputs[:, 0] >= 0.5) == np.asarray(known).ravel())
    ids = class_ids(known, outputs.shape[-1])
    return np.asarray(np.argmax(outputs, axis=-1) == ids)


def class_ids(labels: Any, classes: int) -> Array:
    """The class of each example.

    Args:
        labels: ids of shape (N,) or (N, 1), or one-hot rows of shape (N, classes).
        classes: how many classes the model has.

    Returns:
        Ids of shape (N,).

    Raises:
        InputError: a label is no class of the model.

    Example:
        >>> class_ids([[0, 1], [1, 0]], 2)
        array([1, 0])
    """
    given = np.asarray(labels)
    if given.ndim == 2 and given.shape[1] == classes:
        return np.asarray(np.argmax(given, axis=1))
    ids = given.reshape(len(given), -1)
    if ids.shape[1] != 1:
        raise InputError(
            f"labels have shape {given.shape}, but the model has {classes} classes: give one class "
            f"id per example, or one-hot rows of {classes}"
        )
    if ids.min() < 0 or ids.max() >= classes:
        raise InputError(
            f"labels run from {ids.min()} to {ids.max()}, but the model has {classes} classes: "
            f"pass the labels of this model"
        )
    return np.asarray(ids[:, 0])


def predict(model: Any, inputs: dict[str, Array], *, batch: int = 256, like: Any = None) -> Any:
    """Runs a model in inference mode on inputs by name.

    Args:
        model: a Keras model of either version.
        inputs: (N, ...) by input name.
        batch: examples at a time.
        like: a model with the same inputs, where this one has it inside.

    Returns:
        The model's own structure of outputs, (N, ...).
    """
    packed = flavors.arranged(model if like is None else like, inputs)
    if max(map(len, inputs.values())) <= batch:  # to trace a graph takes longer than to run it once
        given = tf.nest.map_structure(tf.convert_to_tensor, packed)
        return tf.nest.map_structure(np.asarray, model.predict_step((given,)))
    with quietly():  # one model after another is traced anew, which TensorFlow warns of
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
