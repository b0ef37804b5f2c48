import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_squeeze.microcontrollers.export.names import byte_lines, number, number_lines


@given(st.binary(max_size=64))
def test_bytes_read_back(data: bytes) -> None:
    text = byte_lines(data)
    assert bytes(int(found, 16) for found in re.findall(r"0x(..),", text)) == data
    assert all(len(line) <= 100 for line in text.splitlines())


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_reals_read_back_to_the_same_bits(value: float) -> None:
    text = number(np.float32(value))
    assert text.endswith("f")
    assert np.float32(text[:-1]).tobytes() == np.float32(value).tobytes()


def test_numbers_by_type() -> None:
    assert number(np.int8(-128)) == "-128"
    assert number(np.bool_(True)) == "1"
    assert number(np.int64(2**40)) == "1099511627776LL"
    assert number(np.int32(-(2**31))) == "-2147483648LL"
    assert number(np.int64(-(2**63))) == "(-9223372036854775807LL - 1)"
    assert number_lines(np.arange(9, dtype=np.int8)) == "    0, 1, 2, 3, 4, 5, 6, 7,\n    8,"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_c_has_no_literal_for(value: float) -> None:
    with pytest.raises(ValueError, match="no literal"):
        number(np.float32(value))
