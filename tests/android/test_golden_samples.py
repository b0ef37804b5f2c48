"""Real samples for golden vectors."""

import numpy as np
import pytest

from tests.android.android_files import two_ended_file
from tests.runtime.runtime_files import named_dense_file, quantized_file
from tflite_squeeze.android.export import export_android
from tflite_squeeze.android.golden_samples import golden_samples
from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError

X = np.arange(18, dtype=np.float32).reshape(6, 3)


def test_cases_are_preprocessed_samples() -> None:
    data = load_data(X, preprocessing=Preprocessing(scale=0.5))
    cases = golden_samples(named_dense_file(), data)
    assert len(cases) == 4
    assert all(case["features"].shape == (1, 3) for case in cases)
    taken = np.concatenate([case["features"] for case in cases])
    assert all(row in (X / 2).tolist() for row in taken.tolist())
    record = export_android(named_dense_file(), samples=cases).record
    assert (record.cases, record.real_samples) == (4, True)


def test_a_file_of_integers_gets_reals() -> None:
    data = load_data(np.float32([[1, 2, 3, 4]]))
    (case,) = golden_samples(quantized_file("int8", 0.5, -3), data)
    np.testing.assert_array_equal(case["q"], np.float32([[1, 2, 3, 4]]))


def test_several_inputs_are_named() -> None:
    data = load_data({"a b": X[:2, :2], "class": X[2:4, :2]})
    cases = golden_samples(two_ended_file(), data)
    assert [sorted(case) for case in cases] == [["a b", "class"]] * 2


def test_data_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError):
        golden_samples(named_dense_file(), load_data(np.zeros((4, 5), np.float32)))
    with pytest.raises(InputError, match="give samples of that shape"):
        export_android(named_dense_file(), samples=[{"features": X}])
