"""Data as a model takes it, refused before any work where its labels are not of the model."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.data.raw_data import RawPart, reading
from tflite_squeeze.network import flavors
from tflite_squeeze.training.objective import objective_of
from tflite_squeeze.training.quality import class_ids

_BATCH, _LOOKED_AT = 256, 1_024


def fitted(model: Any, data: Any) -> Data:
    """Opens data for a model that is trained or judged on it.

    Labels are looked at before any work: all of those that are in memory, and of a stream the
    first 1,024.

    Args:
        model: a Keras model of either version.
        data: `Data` or anything that `load_data` takes.

    Raises:
        InputError: it does not fit, or a label is no class of the model.

    Example:
        >>> fitted(load_model("models/lenet_5.keras").model, "mnist").labelled
        True
    """
    samples = load_data(data).fitted_to(flavors.input_specs(model))
    objective = objective_of(model)
    if objective.classifies:
        classes = objective.goals[0].shape[-1] or 1
        if classes == 1:
            check_class_ids(samples, 2)
        else:
            _each(samples, lambda labels: class_ids(labels, classes))
    return samples


def check_class_ids(data: Data, classes: int) -> None:
    """Refuses integers for labels that are no classes; one-hot rows and other numbers pass.

    Args:
        data: labelled or not.
        classes: how many there are.

    Raises:
        InputError: a label is none of them.
    """

    def checked(labels: Any) -> None:
        given = np.asarray(labels)
        if given.dtype.kind in "iu" and given.size == len(given):
            class_ids(given, classes)

    _each(data, checked)


def _each(data: Data, check: Callable[[Any], object]) -> None:
    """Has the labels of the one output looked at, as far as they are cheap to know."""
    parts = {id(part): part for part in (data.raw.train, data.raw.validation) if part}
    for part in parts.values():
        for labels in _labels_of(data.source, part):
            if not isinstance(labels, Mapping):
                check(labels)
            elif len(labels) == 1:
                check(next(iter(labels.values())))


def _labels_of(source: str, part: RawPart) -> Iterator[Any]:
    if not part.labelled:
        return
    if part.labels is not None:
        yield part.labels
        return
    with reading(source, part):
        examples = part.dataset.take(_LOOKED_AT).map(lambda _, labels: labels)
        yield from examples.batch(_BATCH).as_numpy_iterator()
