"""A file in a handful of numbers."""

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, dense, examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.weights import select
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.tflite.footprint import footprint, tensor_bytes
from tflite_squeeze.tflite.size import download_bytes


def _file(**options: object) -> bytes:
    model = dense(LIBRARIES["keras"])
    for target in select(model).targets:
        values = np.full(target.shape, 0.5, np.float32)
        values.reshape(-1)[: target.size * 3 // 4] = 0.0
        target.variable.assign(values)
    return convert(model, Convert(**options), examples(32, 8), verification=None).tflite


def test_numbers_of_a_file() -> None:
    tflite = _file()
    found = footprint(tflite)
    assert found.raw_bytes == len(tflite)
    assert found.download_bytes == download_bytes(tflite)
    assert found.parameters == 8 * 16 + 16 * 3  # biases of nothing are not written
    assert found.nonzeros == (8 * 16 + 16 * 3) // 4
    assert found.distinct == 2
    assert found.macs == 8 * 16 + 16 * 3


@pytest.mark.slow
def test_bytes_of_each_tensor() -> None:
    plain = tensor_bytes(_file())
    assert [one.bytes for one in plain] == [512, 192]
    assert {one.dtype for one in plain} == {"float32"}
    assert plain[0].zeros == 96
    sparse = tensor_bytes(_file(quantize="int8", sparsity="sparse"))
    first = next(one for one in sparse if one.sparse and one.parameters == 128)
    # 32 values in one block of 16 by 2 or the like, and where it lies.
    assert 32 < first.bytes < 128
    assert first.dtype == "int8"


@pytest.mark.slow
def test_times_of_two_files_in_turns() -> None:
    times = turn_by_turn({"float": _file(), "int8": _file(quantize="int8")}, turns=3)
    assert set(times) == {"float", "int8"}
    for values in times.values():
        assert values.shape == (3,)
        assert np.all(values > 0)
