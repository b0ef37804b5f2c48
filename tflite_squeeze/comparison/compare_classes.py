"""Two files that classify the same labelled examples: how much is lost, and where."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.comparison.record import ClassAccuracy, FileAccuracy
from tflite_squeeze.runtime.fidelity import paired_difference
from tflite_squeeze.runtime.intervals import mcnemar

Classes = NDArray[np.int64]


def file_accuracy(
    output: str,
    first: Classes,
    file: Classes,
    labels: NDArray[Any],
    names: Sequence[str] = (),
) -> FileAccuracy:
    """Judges a file beside the first one.

    Args:
        output: the output that was judged.
        first: (examples,) the classes that the first file finds.
        file: (examples,) those that this one finds.
        labels: (examples,) the true ones.
        names: a name per class, or none at all.

    Returns:
        Both accuracies with a paired interval and test, over all and class by class.

    Example:
        >>> file_accuracy("y", np.array([0, 1]), np.array([0, 0]), np.array([0, 1])).drop
        0.5
    """
    before, after = first == labels, file == labels
    interval = paired_difference(before, after)
    return FileAccuracy(
        output=output,
        examples=len(labels),
        accuracy=float(np.mean(after)),
        drop=0.0 - interval.difference,
        low=-interval.high,
        high=-interval.low,
        p_value=mcnemar(before, after),
        agreement=float(np.mean(first == file)),
        classes=tuple(
            _class_accuracy(int(label), before[labels == label], after[labels == label], names)
            for label in np.unique(labels)
        ),
    )


def _class_accuracy(
    label: int, before: NDArray[np.bool_], after: NDArray[np.bool_], names: Sequence[str]
) -> ClassAccuracy:
    return ClassAccuracy(
        name=names[label] if label < len(names) else str(label),
        examples=len(before),
        first=float(np.mean(before)),
        file=float(np.mean(after)),
        p_value=mcnemar(before, after),
    )
