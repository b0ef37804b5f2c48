"""Whole tensors in, whole tensors out."""

import numpy as np
import pytest

from tests.runtime.runtime_files import named_dense_file
from tests.tiny_files import dense_file
from tflite_squeeze.errors import InputError
from tflite_squeeze.runtime.run import run_cases

X = np.float32([[1, 2, 3]])
# w = [[1, 0, -2], [0.5, 0, 1]], b = [1, -1], ReLU.
Y = np.float32([[0, 2.5]])


@pytest.mark.parametrize("delegate", [True, False])
def test_each_case_is_one_run(delegate: bool) -> None:
    found = run_cases(dense_file(), [{"x": X}, {"x": -X}], delegate=delegate)
    np.testing.assert_array_equal(found[0]["y"], Y)
    np.testing.assert_array_equal(found[1]["y"], np.float32([[6, 0]]))


def test_names_are_those_of_the_signature() -> None:
    (found,) = run_cases(named_dense_file(), [{"features": X}], signature="serve")
    assert list(found) == ["scores"]


@pytest.mark.parametrize("feeds", [{"z": X}, {"x": X.astype(np.float64)}, {}])
def test_what_does_not_fit_is_refused(feeds: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match=r"the file takes \{'x': 'float32'\}; got"):
        run_cases(dense_file(), [feeds])
