"""The record of a verification: a file's outputs compared with its Keras model's."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import InputError
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.runtime.fidelity import (
    are_distributions,
    are_probabilities,
    cosine,
    largest_difference,
    mean_difference,
    moved_share,
    predicted_classes,
    sqnr_db,
)
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.verification.labels import Accuracy as Accuracy
from tflite_squeeze.verification.labels import (
    ColumnErrors,
    accuracy_of,
    column_errors,
    right_answers,
)
from tflite_squeeze.verification.limits import Tolerance as Tolerance
from tflite_squeeze.verification.limits import Verify as Verify
from tflite_squeeze.verification.limits import tolerance_of as tolerance_of
from tflite_squeeze.verification.parts import AxisFidelity, compare_parts, lost_parts

Array = NDArray[Any]


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
        moved: share of the probability that moved to other classes; None where the output is no
            distribution.
        accuracy: with labels that are classes, both accuracies.
        errors: with labels that are numbers, both errors by column.
        parts: the comparison of its columns, and of other axes along which scales differ.
    """

    signature: str
    output: str
    max_abs_difference: float
    mean_abs_difference: float
    sqnr_db: float
    cosine: float
    agreement: float | None = None
    moved: float | None = None
    accuracy: Accuracy | None = None
    errors: ColumnErrors | None = None
    parts: tuple[AxisFidelity, ...] = ()


class TensorFidelity(Frozen):
    """One tensor inside the file beside the same tensor of a float conversion.

    Attributes:
        tensor: its name.
        operator: what computes it.
        sqnr_db: signal to quantization noise ratio.
        max_abs_difference: largest absolute difference.
        part: its worst column, or index of another axis; "" where it has but one.
        part_db: the worst part's SQNR, its mean left out.
    """

    tensor: str
    operator: str
    sqnr_db: float
    max_abs_difference: float
    part: str = ""
    part_db: float = math.inf


class VerifyRecord(Displayed):
    """What the comparison of a file with its Keras model found.

    Attributes:
        passed: whether the file meets the tolerance.
        failures: the limits that it does not meet, in words.
        tolerance: the limits applied.
        quantization: what the file is quantized to.
        examples: examples run.
        real_samples: whether they were real samples, not random numbers.
        data: where the samples come from and how they were preprocessed.
        outputs: the comparison, per output.
        tensors: when it failed, the comparison inside the file, in order of execution.
        diverges_at: when it failed, the first tensor whose SQNR collapses.
        notes: further notes.
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
        verify: the limits requested.
        quantization: the file's quantization.
        reason: the runtime's own message.
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
    least_part_db: float = -math.inf,
) -> OutputFidelity:
    """Compares the file's outputs with the model's.

    Args:
        signature: the signature's name.
        output: the output's name.
        reference: (examples, ...) from the Keras model.
        values: the same from the file.
        labels: (examples, ...) class ids, one-hot rows or numbers, if there are any.
        by_prediction: whether rows of scores count as predictions without labels, too.
        least_part_db: parts below it are counted as lost.

    Raises:
        InputError: the file's output has another shape, so it is not this model's file; or a
            label is no class of the output.
    """
    if reference.shape != values.shape:
        raise InputError(
            f"output {output!r} is {values.shape[1:]} in the file and {reference.shape[1:]} in the "
            f"model, example for example: verify the file with the model that it came from"
        )
    right = None if labels is None else right_answers(output, reference, values, labels)
    classes = predicted_classes(reference), predicted_classes(values)
    agreement = None
    classifies = right is not None or by_prediction or are_probabilities(reference)
    if classes[0] is not None and classes[1] is not None and classifies:
        agreement = float(np.mean(classes[0] == classes[1]))
    errors = None
    if labels is not None and right is None:
        errors = column_errors(reference, values, labels)
    return OutputFidelity(
        signature=signature,
        output=output,
        max_abs_difference=largest_difference(reference, values),
        mean_abs_difference=mean_difference(reference, values),
        sqnr_db=sqnr_db(reference, values),
        cosine=cosine(reference, values),
        agreement=agreement,
        moved=moved_share(reference, values) if are_distributions(reference) else None,
        accuracy=None if right is None else accuracy_of(*right),
        errors=errors,
        parts=compare_parts(reference, values, least_part_db),
    )


def failures_of(
    outputs: tuple[OutputFidelity, ...],
    tolerance: Tolerance,
    quantization: Quantization = Quantization.NONE,
) -> tuple[str, ...]:
    """What does not meet the tolerance, one line each.

    Args:
        outputs: what was compared.
        tolerance: the limits applied.
        quantization: of the file, which decides on the remedy.
    """
    return tuple(
        f"output {item.output}: {line}"
        for item in outputs
        for line in _failures(item, tolerance, quantization)
    )


def without_remedy(failure: str) -> str:
    """Why an output fails, without what to do about it.

    Example:
        >>> without_remedy("output y: column 3 is lost: use --quantize float16")
        'output y: column 3 is lost'
    """
    return ": ".join(failure.split(": ")[:2])


def _failures(
    item: OutputFidelity, tolerance: Tolerance, quantization: Quantization
) -> Iterator[str]:
    judged = tolerance.by_prediction and item.agreement is not None
    noisy = not item.sqnr_db >= tolerance.min_sqnr_db
    if not judged and noisy:
        yield f"SQNR {item.sqnr_db:.1f} dB is below {tolerance.min_sqnr_db:g} dB"
    # Where all is noise, so is each part of it.
    if not judged and not noisy:
        yield from lost_parts(item.parts, tolerance.min_part_db, quantization)
        if item.moved is not None and not item.moved <= tolerance.max_moved:
            yield (
                f"{item.moved:.1%} of the probability moved to other classes, more than "
                f"{tolerance.max_moved:.1%}: leave the softmax to the app, or use --quantize "
                f"float16"
            )
    if item.agreement is not None and item.agreement < tolerance.min_agreement:
        yield (
            f"the predicted class agrees on {item.agreement:.1%} of the examples, below "
            f"{tolerance.min_agreement:.1%}"
        )
    lost = item.accuracy
    if lost is not None and -lost.difference > tolerance.max_drop + 1e-12:
        by_chance = lost.high >= 0
        if tolerance.strict or not by_chance:
            yield (
                f"accuracy falls from {lost.reference:.2%} to {lost.file:.2%}, by more than "
                f"{tolerance.max_drop:.2%}"
            )
    if item.errors is not None:
        worse = [
            one for one in item.errors.worst if one.rise > tolerance.max_error_rise and one.low > 0
        ]
        if worse:
            yield (
                f"the error of column {worse[0].column} against the labels rises from "
                f"{worse[0].reference:.3g} to {worse[0].file:.3g}, by {worse[0].rise:.1%} of what "
                f"the labels vary by, more than {tolerance.max_error_rise:.1%}"
            )


def lost_notes(
    outputs: tuple[OutputFidelity, ...], tolerance: Tolerance, quantization: Quantization
) -> tuple[str, ...]:
    """Parts that are lost, but too few of their kind to fail a file."""
    return tuple(
        f"output {item.output}: {line}"
        for item in outputs
        for line in lost_parts(item.parts, tolerance.min_part_db, quantization, few=True)
        if item.sqnr_db >= tolerance.min_sqnr_db
    )


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
