"""Compares a model and its file on labelled examples, output by output."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.runtime.fidelity import paired_difference, paired_means
from tflite_squeeze.runtime.parts import label_errors

Array = NDArray[Any]

_LISTED = 8


class Accuracy(Frozen):
    """Both accuracies on the same labelled examples.

    Attributes:
        reference: accuracy of the Keras model over examples, or over positions where an
            example has many.
        file: accuracy of the file.
        difference: file - reference.
        low: lower end of its 95 % interval (paired).
        high: upper end.
        examples: how many there were.
    """

    reference: float
    file: float
    difference: float
    low: float
    high: float
    examples: int


class ColumnError(Frozen):
    """Both mean absolute errors of one column against labels, in the units of the output.

    Attributes:
        column: which.
        reference: of the Keras model.
        file: of the file.
        rise: file - reference, as a share of the labels' standard deviation.
        low: lower end of the 95 % interval of `rise` (paired).
    """

    column: int
    reference: float
    file: float
    rise: float
    low: float


class ColumnErrors(Frozen):
    """The errors of an output of numbers against labels.

    Attributes:
        count: how many columns there are.
        worst: the columns whose error rises most, the worst first.
    """

    count: int
    worst: tuple[ColumnError, ...]


def labels_by_output(
    labels: Any, reference: dict[str, Array]
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Which labels belong to which output.

    Args:
        labels: (N, ...) for the first output that scores classes or else the first, or by output
            name; None for none.
        reference: the model's outputs by name.

    Returns:
        Labels by output name, and notes on those that belong to none.
    """
    if labels is None:
        return {}, ()
    if not isinstance(labels, dict):
        first = next((n for n, a in reference.items() if a.ndim == 2), next(iter(reference)))
        labels = {first: labels}
    unknown = sorted(set(labels) - set(reference))
    notes = (
        (f"labels of {', '.join(unknown)} were not used: outputs are {', '.join(reference)}",)
        if unknown
        else ()
    )
    return {name: np.asarray(labels[name]) for name in reference if name in labels}, notes


def right_answers(
    name: str, reference: Array, values: Array, labels: Array
) -> tuple[Array, Array] | None:
    """Which answers of model and file are right, or None where the labels are no classes.

    Args:
        name: the output's name, for the message.
        reference: (examples, ..., classes) scores of the model, one column for yes or no; or
            (examples, ...) class ids.
        values: the same from the file.
        labels: class ids without the axis of classes or with one of size 1; or one-hot rows.

    Returns:
        Two arrays of booleans, (examples, positions).

    Raises:
        InputError: a label is no class of the output.
    """
    classes = reference.shape[-1] if reference.ndim > 1 else 1
    if reference.dtype.kind in "iub":
        if labels.dtype.kind not in "iub" or labels.size != reference.size:
            return None
        truth, *answers = (array.reshape(len(array), -1) for array in (labels, reference, values))
    elif classes > 1:
        ids = _class_ids(labels, reference.shape)
        if ids is None:
            return None
        if ids.min() < 0 or ids.max() >= classes:
            raise InputError(
                f"labels run from {ids.min()} to {ids.max()}, but output {name!r} has {classes} "
                f"classes: pass the labels of this model"
            )
        truth = ids
        answers = [np.argmax(array, axis=-1).reshape(ids.shape) for array in (reference, values)]
    else:
        scores = np.all((reference >= 0) & (reference <= 1))
        if not scores or labels.size != reference.size or not np.isin(labels, (0, 1)).all():
            return None
        truth = labels.reshape(len(labels), -1) > 0
        answers = [(array >= 0.5).reshape(truth.shape) for array in (reference, values)]
    return answers[0] == truth, answers[1] == truth


def _class_ids(labels: Array, shape: tuple[int, ...]) -> Array | None:
    """(examples, positions) class ids for scores of a shape, or None where labels are no ids."""
    if labels.dtype.kind in "iu" and labels.shape in (shape[:-1], (*shape[:-1], 1)):
        return labels.reshape(len(labels), -1)
    one_hot = labels.shape == shape and np.isin(labels, (0, 1)).all()
    if one_hot and (labels.sum(axis=-1) == 1).all():
        ids: Array = np.argmax(labels, axis=-1).reshape(len(labels), -1)
        return ids
    return None


def accuracy_of(before: Array, after: Array) -> Accuracy:
    """The accuracies and the interval of their difference.

    Args:
        before: (examples, positions) which answers of the model are right.
        after: the same of the file.
    """
    single = before.shape[1] == 1
    interval = (
        paired_difference(before[:, 0], after[:, 0])
        if single
        else paired_means(before.mean(axis=1), after.mean(axis=1))
    )
    return Accuracy(
        reference=float(np.mean(before)),
        file=float(np.mean(after)),
        difference=interval.difference,
        low=interval.low,
        high=interval.high,
        examples=len(before),
    )


def column_errors(reference: Array, values: Array, labels: Array) -> ColumnErrors | None:
    """Mean absolute errors by column, or None where labels are no numbers of the output's shape.

    Args:
        reference: (examples, ...) from the model.
        values: the same from the file.
        labels: the same shape; an axis of size 1 may be missing or too many.
    """
    if labels.dtype.kind not in "iuf" or np.squeeze(labels).shape != np.squeeze(reference).shape:
        return None
    found = label_errors(reference, values, labels.reshape(reference.shape))
    unit = np.where(found.unit > 0, found.unit, np.inf)
    rise = (found.values - found.reference) / unit
    order = np.argsort(-rise, kind="stable")[:_LISTED]
    return ColumnErrors(
        count=len(rise),
        worst=tuple(
            ColumnError(
                column=int(at),
                reference=float(found.reference[at]),
                file=float(found.values[at]),
                rise=float(rise[at]),
                low=float(found.low[at] / unit[at]),
            )
            for at in order
        ),
    )
