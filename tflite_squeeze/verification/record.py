"""A file's answers beside its Keras model's answers, judged."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import InputError
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.runtime.fidelity import (
    are_probabilities,
    cosine,
    largest_difference,
    mean_difference,
    paired_difference,
    predicted_classes,
    sqnr_db,
)
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.verification.limits import Tolerance as Tolerance
from tflite_squeeze.verification.limits import Verify as Verify
from tflite_squeeze.verification.limits import tolerance_of as tolerance_of

Array = NDArray[Any]


class Accuracy(Frozen):
    """Both accuracies on the same labelled examples.

    Attributes:
        reference: share of examples that the Keras model gets right.
        file: share that the file gets right.
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


class OutputFidelity(Frozen):
    """One output of one signature.

    Attributes:
        signature: the signature's name.
        output: the output's name.
        max_abs_difference: largest absolute difference.
        mean_abs_difference: mean absolute difference.
        sqnr_db: signal to quantization noise ratio.
        cosine: cosine similarity.
        agreement: share of examples with the same predicted class; None where the output is no
            distribution over classes and no labels are known.
        accuracy: with labels, both accuracies.
    """

    signature: str
    output: str
    max_abs_difference: float
    mean_abs_difference: float
    sqnr_db: float
    cosine: float
    agreement: float | None = None
    accuracy: Accuracy | None = None


class TensorFidelity(Frozen):
    """One tensor inside the file beside the same tensor of a float conversion."""

    tensor: str
    operator: str
    sqnr_db: float
    max_abs_difference: float


class VerifyRecord(Displayed):
    """What the comparison of a file with its Keras model found.

    Attributes:
        passed: whether the file meets the tolerance.
        failures: in words, what it does not meet.
        tolerance: what it was held to.
        quantization: what the file is quantized to.
        examples: examples run.
        real_samples: whether they were real ones, or random numbers for want of data.
        data: where the samples come from and how they were preprocessed.
        outputs: the comparison, per output.
        tensors: when it failed, the comparison inside the file, in order of execution.
        diverges_at: when it failed, the first tensor whose SQNR collapses.
        notes: what else to know.
        seconds: how long it took.
    """

    tables_by = ".tables:verify_tables"

    passed: bool
    failures: tuple[str, ...]
    tolerance: Tolerance
    quantization: Quantization
    examples: int
    real_samples: bool
    data: dict[str, Any]
    outputs: tuple[OutputFidelity, ...]
    tensors: tuple[TensorFidelity, ...] = ()
    diverges_at: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float


def refused_record(verify: Verify, quantization: Quantization, reason: str) -> VerifyRecord:
    """The record of a file that the runtime refuses to run: it failed.

    Args:
        verify: what it would have been held to.
        quantization: what it is quantized to.
        reason: the runtime's own.
    """
    return VerifyRecord(
        passed=False,
        failures=(reason,),
        tolerance=tolerance_of(verify, quantization),
        quantization=quantization,
        examples=0,
        real_samples=False,
        data={},
        outputs=(),
        seconds=0.0,
    )


def compare_output(
    signature: str,
    output: str,
    reference: Array,
    values: Array,
    labels: Array | None = None,
    *,
    by_prediction: bool = False,
) -> OutputFidelity:
    """Compares what the file puts out with what the model puts out.

    Args:
        signature: the signature's name.
        output: the output's name.
        reference: (examples, ...) from the Keras model.
        values: the same from the file.
        labels: (examples,) class ids, if there are any.
        by_prediction: whether rows of scores count as predictions without labels, too.

    Raises:
        InputError: the file's output has another shape, so it is not this model's file.
    """
    if reference.shape != values.shape:
        raise InputError(
            f"output {output!r} is {values.shape[1:]} in the file and {reference.shape[1:]} in the "
            f"model, example for example: verify the file with the model that it came from"
        )
    classes = predicted_classes(reference), predicted_classes(values)
    agreement = accuracy = None
    classifies = labels is not None or by_prediction or are_probabilities(reference)
    if classes[0] is not None and classes[1] is not None and classifies:
        agreement = float(np.mean(classes[0] == classes[1]))
        if labels is not None:
            accuracy = _accuracy(classes[0] == labels, classes[1] == labels)
    return OutputFidelity(
        signature=signature,
        output=output,
        max_abs_difference=largest_difference(reference, values),
        mean_abs_difference=mean_difference(reference, values),
        sqnr_db=sqnr_db(reference, values),
        cosine=cosine(reference, values),
        agreement=agreement,
        accuracy=accuracy,
    )


def _accuracy(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Accuracy:
    interval = paired_difference(before, after)
    return Accuracy(
        reference=float(np.mean(before)),
        file=float(np.mean(after)),
        difference=interval.difference,
        low=interval.low,
        high=interval.high,
        examples=len(before),
    )


def failures_of(outputs: tuple[OutputFidelity, ...], tolerance: Tolerance) -> tuple[str, ...]:
    """What does not meet the tolerance, one line each."""
    lines = []
    for item in outputs:
        judged = tolerance.by_prediction and item.agreement is not None
        if not judged and not item.sqnr_db >= tolerance.min_sqnr_db:
            lines.append(
                f"output {item.output}: SQNR {item.sqnr_db:.1f} dB is below "
                f"{tolerance.min_sqnr_db:g} dB"
            )
        if item.agreement is not None and item.agreement < tolerance.min_agreement:
            lines.append(
                f"output {item.output}: the predicted class agrees on {item.agreement:.1%} of the "
                f"examples, below {tolerance.min_agreement:.1%}"
            )
        lost = item.accuracy
        if lost is not None and -lost.difference > tolerance.max_drop + 1e-12:
            by_chance = lost.high >= 0
            if tolerance.strict or not by_chance:
                lines.append(
                    f"output {item.output}: accuracy falls from {lost.reference:.2%} to "
                    f"{lost.file:.2%}, by more than {tolerance.max_drop:.2%}"
                )
    return tuple(lines)


def chance_notes(outputs: tuple[OutputFidelity, ...], max_drop: float) -> tuple[str, ...]:
    """Losses beyond the tolerance that so few examples cannot tell from chance."""
    return tuple(
        f"accuracy of {item.output} falls by {-item.accuracy.difference:.2%}, more than "
        f"{max_drop:.2%}, but on {item.accuracy.examples} examples that may be chance: verify on "
        f"more, or pass --max-drop to be strict"
        for item in outputs
        if item.accuracy is not None
        and -item.accuracy.difference > max_drop
        and item.accuracy.high >= 0
    )
