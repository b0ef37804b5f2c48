"""A file's answers beside its Keras model's answers, judged."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tflite_squeeze.convert.config import Quantization
from tflite_squeeze.errors import InputError
from tflite_squeeze.measure.fidelity import (
    are_probabilities,
    cosine,
    largest_difference,
    mean_difference,
    paired_difference,
    predicted_classes,
    sqnr_db,
)

Array = NDArray[Any]


class _Record(BaseModel):
    """Infinite decibels survive JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Verify(_Record):
    """What a file is held to; None leaves the choice to the quantization.

    Attributes:
        max_drop: largest loss of accuracy, as a fraction; without it, a loss of more than 0.01
            fails only when its 95 % interval excludes zero.
        min_sqnr_db: least signal to noise ratio of an output, in dB.
        min_agreement: least share of examples with the same predicted class.
        samples: examples that are run; None for all there are.
        threads: threads of the interpreter.

    Example:
        >>> Verify(max_drop=0.01).samples
        256
    """

    max_drop: float | None = Field(default=None, ge=0, lt=1)
    min_sqnr_db: float | None = None
    min_agreement: float | None = Field(default=None, ge=0, le=1)
    samples: int | None = Field(default=256, ge=1)
    threads: int = Field(default=1, ge=1)


class Tolerance(_Record):
    """The limits that were applied; `strict` when the loss of accuracy was limited by the user."""

    max_drop: float
    strict: bool
    min_sqnr_db: float
    min_agreement: float


# Float32 differs by the order of sums only. The others are about 10 dB below what sound
# conversions of the reference models reach; a wrong tensor or scale costs far more than that.
_LEAST_SQNR_DB = {
    Quantization.NONE: 60.0,
    Quantization.FLOAT16: 40.0,
    Quantization.DYNAMIC: 15.0,
    Quantization.INT8: 8.0,
    Quantization.INT16X8: 15.0,
}
_LEAST_AGREEMENT = {
    Quantization.NONE: 0.99,
    Quantization.FLOAT16: 0.98,
    Quantization.DYNAMIC: 0.90,
    Quantization.INT8: 0.85,
    Quantization.INT16X8: 0.90,
}
_MAX_DROP = 0.01


class Accuracy(_Record):
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


class OutputFidelity(_Record):
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


class TensorFidelity(_Record):
    """One tensor inside the file beside the same tensor of a float conversion."""

    tensor: str
    operator: str
    sqnr_db: float
    max_abs_difference: float


class VerifyRecord(_Record):
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


def tolerance_of(verify: Verify, quantization: Quantization) -> Tolerance:
    """The limits for a quantization, each replaced by the user's own where given."""

    def given(value: float | None, default: float) -> float:
        return default if value is None else value

    return Tolerance(
        max_drop=given(verify.max_drop, _MAX_DROP),
        strict=verify.max_drop is not None,
        min_sqnr_db=given(verify.min_sqnr_db, _LEAST_SQNR_DB[quantization]),
        min_agreement=given(verify.min_agreement, _LEAST_AGREEMENT[quantization]),
    )


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
    signature: str, output: str, reference: Array, values: Array, labels: Array | None = None
) -> OutputFidelity:
    """Compares what the file puts out with what the model puts out.

    Args:
        signature: the signature's name.
        output: the output's name.
        reference: (examples, ...) from the Keras model.
        values: the same from the file.
        labels: (examples,) class ids, if there are any.

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
    classifies = labels is not None or are_probabilities(reference)
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
        if not item.sqnr_db >= tolerance.min_sqnr_db:
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
