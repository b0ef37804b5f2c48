"""Components of a graph, by hand."""

import numpy as np

from tflite_squeeze.techniques.narrowing.following import components


def test_components() -> None:
    """A chain that is named backwards, a pair, and one alone."""
    first, second = np.array([6, 5, 4, 1]), np.array([5, 4, 3, 2])
    assert components(8, first, second).tolist() == [0, 1, 1, 3, 3, 3, 3, 7]
    assert components(3, np.zeros(0, int), np.zeros(0, int)).tolist() == [0, 1, 2]
