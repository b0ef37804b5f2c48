import numpy as np

from tests.runtime.runtime_files import int8_dense_file, named_dense_file
from tflite_squeeze.microcontrollers.export.tensors import _C_TYPES, c_tensors
from tflite_squeeze.microcontrollers.graph import HANDED_OVER
from tflite_squeeze.tflite.flatbuffer import read_model


def test_c_has_a_word_for_every_type_that_tflm_hands_over() -> None:
    assert tuple(_C_TYPES) == HANDED_OVER


def test_an_integer_tensor_in_c() -> None:
    (x,), (y,) = c_tensors(read_model(int8_dense_file()))
    assert (x.name, x.c_type, x.role, x.elements, x.n_bytes) == ("x", "int8_t", "INPUT0", 16, 16)
    assert y.described == "y: int8 1x8, real = (q - 0) * 0.125"
    assert y.tolerance(np.int8([[100]])) == 1


def test_a_real_tensor_in_c() -> None:
    (x,), (y,) = c_tensors(read_model(named_dense_file()))
    assert (x.name, x.c_type, x.n_bytes) == ("features", "float", 12)
    assert y.tolerance(np.float32([[1, -100]])) == 0.01
