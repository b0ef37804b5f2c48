import numpy as np
import pytest

from tflite_squeeze.comparison.limits import file_accuracy

LABELS = np.array([0, 0, 0, 0, 2, 2, 2, 2])
FIRST = np.array([0, 0, 0, 1, 2, 2, 2, 2])
FILE = np.array([0, 0, 0, 0, 2, 2, 0, 0])


def test_accuracies_by_hand() -> None:
    judged = file_accuracy("scores", FIRST, FILE, LABELS, ("cat", "dog"))
    assert judged.accuracy == 6 / 8
    assert judged.drop == pytest.approx(1 / 8)
    assert judged.low < judged.drop < judged.high
    assert judged.agreement == 5 / 8
    assert judged.p_value == 1.0  # two lost, one won
    assert [one.name for one in judged.classes] == ["cat", "2"]
    assert [(one.examples, one.first, one.file) for one in judged.classes] == [
        (4, 0.75, 1.0),
        (4, 1.0, 0.5),
    ]
    assert judged.worst_class.name == "2"
    assert judged.worst_class.drop == 0.5
    assert judged.worst_class.p_value == 0.5


def test_a_file_beside_itself_loses_nothing() -> None:
    judged = file_accuracy("scores", FIRST, FIRST, LABELS)
    assert (judged.drop, judged.p_value, judged.agreement) == (0, 1, 1)
    assert str(judged.drop) == "0.0"
    assert judged.low < 0 < judged.high
