"""Bytes of indices and tables."""

import numpy as np
import pytest

from tflite_squeeze.tflite.lut import entropy_bytes, index_bits, lut_bytes


def test_index_bits() -> None:
    assert [index_bits(n) for n in (0, 1, 2, 3, 16, 17, 256)] == [0, 0, 1, 2, 4, 5, 8]


def test_look_up_bytes_by_hand() -> None:
    assert lut_bytes(10, 16) == 5 + 16
    assert lut_bytes(9, 3, 4) == 3 + 12  # 18 bits are 2.25 bytes
    assert lut_bytes(100, 4, tables=10) == 25 + 40


def test_entropy_by_hand() -> None:
    # A half at 1 bit, two quarters at 2 bits: 1.5 bits of 16 numbers.
    assert entropy_bytes(np.repeat([1.0, 2.0, 3.0], [8, 4, 4])) == pytest.approx(3.0)
    assert entropy_bytes(np.zeros((3, 4))) == 0.0
