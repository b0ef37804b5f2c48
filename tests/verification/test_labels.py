"""Labels of every form, beside what model and file answer."""

import numpy as np
import pytest

from tflite_squeeze.errors import InputError
from tflite_squeeze.verification.labels import (
    accuracy_of,
    column_errors,
    labels_by_output,
    right_answers,
)

SCORES = np.float32([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
WORSE = np.float32([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 0]),
        np.array([[0], [1], [0]]),
        np.float32([[1, 0], [0, 1], [1, 0]]),
    ],
    ids=["ids", "a column of ids", "one-hot rows"],
)
def test_classes_in_any_form(labels: np.ndarray) -> None:
    right = right_answers("y", SCORES, WORSE, labels)
    assert right is not None
    found = accuracy_of(*right)
    assert (found.reference, found.examples) == (1.0, 3)
    assert found.file == pytest.approx(2 / 3)


@pytest.mark.parametrize("labels", [np.array([1, 0]), np.float32([[1], [0]])])
def test_yes_or_no(labels: np.ndarray) -> None:
    right = right_answers("y", np.float32([[0.9], [0.4]]), np.float32([[0.6], [0.7]]), labels)
    assert right is not None
    assert (right[0].tolist(), right[1].tolist()) == ([[True], [True]], [[True], [False]])


def test_class_ids_that_the_model_puts_out_itself() -> None:
    right = right_answers("y", np.array([3, 4]), np.array([3, 5]), np.array([3, 4]))
    assert right is not None
    assert right[1].tolist() == [[True], [False]]


def test_a_class_for_each_position() -> None:
    scores = np.eye(3)[[[0, 1, 2, 2], [1, 1, 0, 0]]]
    worse = np.eye(3)[[[0, 1, 2, 0], [1, 1, 0, 0]]]
    labels = np.array([[0, 1, 2, 2], [1, 1, 0, 1]])
    right = right_answers("y", scores, worse, labels)
    assert right is not None
    found = accuracy_of(*right)
    # 7 of 8 and 6 of 8; by example the change is -1/4 and 0: -1/8 ± 1.959964 / 8 / sqrt(2)
    assert (found.reference, found.file, found.difference) == (0.875, 0.75, -0.125)
    assert (found.low, found.high) == pytest.approx((-0.298238, 0.048238), abs=1e-6)
    assert found.examples == 2


@pytest.mark.parametrize("label", [2, -1])
def test_labels_of_other_classes_are_refused(label: int) -> None:
    with pytest.raises(InputError, match="but output 'y' has 2 classes"):
        right_answers("y", SCORES, WORSE, np.array([0, 1, label]))


def test_numbers_are_no_classes() -> None:
    numbers = np.float32([[10, 0.5], [20, 1.5], [30, 2.5]])
    assert right_answers("y", numbers, numbers, numbers) is None
    column = numbers[:, :1]
    assert right_answers("y", column, column, column[:, 0]) is None
    assert right_answers("y", SCORES[:, :1], WORSE[:, :1], np.float32([0.2, 0.3, 0.4])) is None


def test_errors_by_column_the_one_that_rises_most_first() -> None:
    labels = np.float64([[0, 0], [2, 20]])
    found = column_errors(labels, labels + np.array([0.1, 5]), labels)
    assert found is not None
    assert found.count == 2
    assert [(one.column, one.rise, one.low) for one in found.worst] == [
        (1, pytest.approx(0.5), pytest.approx(0.5)),
        (0, pytest.approx(0.1), pytest.approx(0.1)),
    ]


def test_a_column_of_labels_may_lack_its_axis() -> None:
    answers = np.float64([[1], [3]])
    found = column_errors(answers, answers + 1, answers[:, 0])
    assert found is not None
    assert found.worst[0].rise == 1.0
    assert column_errors(answers, answers, np.zeros((2, 3))) is None
    assert column_errors(answers, answers, np.array([["a"], ["b"]])) is None


def test_labels_that_do_not_vary_have_no_unit() -> None:
    five = np.full((2, 1), 5.0)
    found = column_errors(five, five + 1, five)
    assert found is not None
    assert found.worst[0].rise == 0.0


def test_labels_go_to_the_first_output_of_scores_or_by_name() -> None:
    reference = {"boxes": np.zeros((2, 3, 4)), "scores": np.zeros((2, 5))}
    labels, notes = labels_by_output([0, 1], reference)
    assert (list(labels), notes) == (["scores"], ())
    labels, notes = labels_by_output({"boxes": np.zeros(2), "mask": np.zeros(2)}, reference)
    assert list(labels) == ["boxes"]
    assert notes == ("labels of mask were not used: outputs are boxes, scores",)
    assert labels_by_output(None, reference) == ({}, ())
