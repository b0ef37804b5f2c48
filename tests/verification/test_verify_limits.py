"""What a file is held to, and what breaks it."""

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.signatures import matched_names
from tflite_squeeze.verification.record import (
    Accuracy,
    OutputFidelity,
    Tolerance,
    Verify,
    VerifyRecord,
    compare_output,
    failures_of,
    lost_notes,
    refused_record,
    tolerance_of,
)

LIMITS = Tolerance(max_drop=0.01, strict=False, min_sqnr_db=20, min_agreement=0.9)


def _output(**values: Any) -> OutputFidelity:
    sound: dict[str, Any] = {
        "signature": "serving_default",
        "output": "y",
        "max_abs_difference": 0.1,
        "mean_abs_difference": 0.01,
        "sqnr_db": 30.0,
        "cosine": 0.999,
    }
    return OutputFidelity(**{**sound, **values})


def _accuracy(difference: float, high: float) -> Accuracy:
    return Accuracy(
        reference=0.9, file=0.9 + difference, difference=difference, low=-0.5, high=high,
        examples=100,
    )  # fmt: skip


@pytest.mark.parametrize("quantization", Quantization)
def test_each_quantization_has_limits_and_the_users_go_before(quantization: Quantization) -> None:
    usual = tolerance_of(Verify(), quantization)
    assert usual.min_sqnr_db > 0
    assert 0.5 < usual.min_agreement < 1
    assert (usual.max_drop, usual.strict) == (0.01, False)
    own = tolerance_of(Verify(max_drop=0.0, min_sqnr_db=-3, min_agreement=0), quantization)
    assert own == Tolerance(
        max_drop=0.0, strict=True, min_sqnr_db=-3, min_agreement=0, min_part_db=-3, max_moved=1
    )
    # A stricter limit for whole outputs says nothing of their weakest parts.
    strict = tolerance_of(Verify(min_sqnr_db=99), quantization)
    assert strict.min_part_db == usual.min_part_db


def test_limits_loosen_with_coarser_numbers() -> None:
    sqnr = [tolerance_of(Verify(), Quantization(name)).min_sqnr_db for name in
            ("none", "float16", "dynamic", "int8")]  # fmt: skip
    assert sqnr == sorted(sqnr, reverse=True)


@pytest.mark.parametrize(
    "values",
    [{"max_drop": 1}, {"max_drop": -0.1}, {"min_agreement": 1.1}, {"samples": 0}, {"threads": 0},
     {"max_dorp": 0.1}],
)  # fmt: skip
def test_limits_that_make_no_sense_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Verify(**values)


def test_comparison_of_one_output() -> None:
    reference = np.float32([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    values = np.float32([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    found = compare_output("s", "y", reference, values, np.array([0, 1, 0, 0]))
    assert found.agreement == 0.75
    assert found.max_abs_difference == pytest.approx(0.2)
    # the labels are right thrice in the model, twice in the file
    assert found.accuracy is not None
    assert (found.accuracy.reference, found.accuracy.file) == (0.75, 0.5)
    assert (found.accuracy.difference, found.accuracy.examples) == (-0.25, 4)


def test_scores_that_are_no_distribution_are_judged_as_classes_only_with_labels() -> None:
    logits = np.float32([[5, -3], [-2, 4]])
    assert compare_output("s", "y", logits, logits).agreement is None
    labelled = compare_output("s", "y", logits, logits, np.array([0, 0]))
    assert labelled.agreement == 1.0
    assert labelled.accuracy is not None
    assert labelled.accuracy.file == 0.5


def test_another_shape_is_another_model() -> None:
    with pytest.raises(InputError, match=r"\(3,\) in the file and \(2,\) in the model"):
        compare_output("s", "y", np.zeros((4, 2)), np.zeros((4, 3)))


def test_a_sound_output_fails_nothing() -> None:
    assert failures_of((_output(agreement=0.95),), LIMITS) == ()


@pytest.mark.parametrize("sqnr_db", [19.9, -math.inf, math.nan])
def test_too_much_noise_fails(sqnr_db: float) -> None:
    (line,) = failures_of((_output(), _output(output="z", sqnr_db=sqnr_db)), LIMITS)
    assert line.startswith("output z: SQNR")
    assert line.endswith("is below 20 dB")


def test_too_little_agreement_fails() -> None:
    (line,) = failures_of((_output(agreement=0.8),), LIMITS)
    assert "agrees on 80.0%" in line
    assert failures_of((_output(agreement=0.9),), LIMITS) == ()


@pytest.mark.parametrize(
    ("difference", "high", "strict", "fails"),
    [
        (-0.05, -0.02, False, True),
        (-0.05, 0.01, False, False),  # may be chance
        (-0.05, 0.01, True, True),  # chance or not
        (-0.01, -0.001, True, False),  # exactly the limit
        (-0.005, -0.001, False, False),
        (0.03, 0.05, True, False),
    ],
)
def test_a_loss_of_accuracy(difference: float, high: float, strict: bool, fails: bool) -> None:
    limits = LIMITS.model_copy(update={"strict": strict})
    lines = failures_of((_output(accuracy=_accuracy(difference, high)),), limits)
    assert bool(lines) is fails
    if fails:
        assert "accuracy falls from 90.00% to 85.00%, by more than 1.00%" in lines[0]


def test_a_lost_column_fails_unless_all_is_noise_or_predictions_judge() -> None:
    reference = np.outer([1.0, -1.0], [640, 1])
    found = compare_output("s", "y", reference, reference * [1, 0], least_part_db=6)
    (line,) = failures_of((found,), LIMITS, Quantization.INT8)
    assert line.startswith("output y: column 1 varies in the model and is constant in the file: ")
    noisy = found.model_copy(update={"sqnr_db": 3.0})
    (line,) = failures_of((noisy,), LIMITS, Quantization.INT8)
    assert line == "output y: SQNR 3.0 dB is below 20 dB"
    predicted = found.model_copy(update={"agreement": 1.0})
    by_prediction = LIMITS.model_copy(update={"by_prediction": True})
    assert failures_of((predicted,), by_prediction, Quantization.INT8) == ()


def test_a_few_lost_features_are_a_note() -> None:
    reference = np.outer([1.0, -1.0], np.ones(100))
    values = reference * (np.arange(100) > 1)
    found = compare_output("s", "y", reference, values, least_part_db=6)
    limits = LIMITS.model_copy(update={"min_sqnr_db": 10.0})
    assert failures_of((found,), limits, Quantization.INT8) == ()
    (line,) = lost_notes((found,), limits, Quantization.INT8)
    assert line.startswith("output y: columns 0, 1 of 100 are lost")


def test_probability_on_other_classes_fails() -> None:
    reference = np.float32([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    values = np.float32([[0.3, 0.3, 0.4], [0.3, 0.2, 0.5]])
    found = compare_output("s", "y", reference, values)
    assert found.moved == pytest.approx(0.2)
    (line,) = failures_of((found.model_copy(update={"agreement": 1.0, "sqnr_db": 30}),), LIMITS)
    assert line.startswith(
        "output y: 20.0% of the probability moved to other classes, more than 15"
    )
    assert compare_output("s", "y", 9 * reference, values).moved is None


def test_errors_against_labels_that_rise_fail() -> None:
    labels = np.random.default_rng(0).standard_normal((50, 2))
    sound = compare_output("s", "y", labels, labels + np.array([0.05, 0.0]), labels)
    assert failures_of((sound,), LIMITS) == ()
    worse = compare_output("s", "y", labels, labels + np.array([0.0, 0.5]), labels)
    (line,) = (one for one in failures_of((worse,), LIMITS) if "labels" in one)
    assert line.startswith("output y: the error of column 1 against the labels rises from 0 to 0.5")


def test_names_match_themselves_whatever_their_order() -> None:
    assert matched_names({"a": (2,), "b": (3,)}, {"b": (3,), "a": (2,)}, "input") == {
        "a": "a",
        "b": "b",
    }


def test_names_that_differ_match_by_shape_then_by_order() -> None:
    assert matched_names({"a": (2,), "b": (3,)}, {"x": (3,), "y": (2,)}, "input") == {
        "a": "y",
        "b": "x",
    }
    assert matched_names({"a": (2,), "b": (2,)}, {"x": (2,), "y": (2,)}, "input") == {
        "a": "x",
        "b": "y",
    }
    assert matched_names({"a": (-1, 2)}, {"x": (5, 2)}, "input") == {"a": "x"}


@pytest.mark.parametrize("present", [{"x": (3,)}, {"x": (2,), "y": (2,)}, {}, {"x": (2, 1)}])
def test_names_that_cannot_match_are_an_error(present: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(InputError, match=r"the model's inputs .* do not match the file's"):
        matched_names({"a": (2,)}, present, "input")


def test_a_record_with_infinite_decibels_survives_json() -> None:
    record = VerifyRecord(
        passed=True,
        failures=(),
        tolerance=LIMITS,
        quantization=Quantization.NONE,
        examples=4,
        real_samples=True,
        data={"source": "x.npz"},
        outputs=(_output(sqnr_db=math.inf), _output(sqnr_db=-math.inf, agreement=1.0)),
        seconds=0.1,
    )
    assert VerifyRecord.model_validate_json(record.model_dump_json()) == record


def test_a_file_that_the_runtime_refuses_has_failed() -> None:
    record = refused_record(Verify(max_drop=0.5), Quantization.INT8, "it crashed")
    assert (record.passed, record.failures, record.outputs) == (False, ("it crashed",), ())
    assert record.tolerance.max_drop == 0.5
    assert VerifyRecord.model_validate_json(record.model_dump_json()) == record
