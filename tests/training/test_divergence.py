"""Divergence of answers: by hand for classes, labels and numbers, in both versions of Keras."""

from typing import Any

import numpy as np
import pytest

from tflite_squeeze.training.divergence import Divergence


def model_with(library: Any, activation: str, units: int) -> Any:
    layers = library.layers
    return library.Sequential([library.Input((4,)), layers.Dense(units, activation=activation)])


@pytest.mark.parametrize(
    ("activation", "units", "before", "after", "expected"),
    [
        ("softmax", 2, [[0.5, 0.5]], [[0.25, 0.75]], 0.5 * np.log(2) + 0.5 * np.log(2 / 3)),
        ("softmax", 2, [[1.0, 0.0]], [[0.5, 0.5]], np.log(2)),
        ("linear", 2, [[0.0, 0.0]], [[np.log(0.25), np.log(0.75)]], np.log(2 / np.sqrt(3))),
        ("sigmoid", 1, [[0.5]], [[0.25]], np.log(2 / np.sqrt(3))),
        ("relu", 1, [[0.0], [2.0]], [[1.0], [2.0]], 0.5),
    ],
)
def test_by_hand(
    library: Any, activation: str, units: int, before: Any, after: Any, expected: float
) -> None:
    model = model_with(library, activation, units)
    compared = Divergence(model, [np.array(before, np.float32)])
    assert compared.of([np.array(before, np.float32)]) == pytest.approx(0, abs=1e-6)
    assert compared.of([np.array(after, np.float32)]) == pytest.approx(expected, abs=1e-5)
    assert compared.of([np.full_like(np.array(after), np.nan)]) == np.inf
