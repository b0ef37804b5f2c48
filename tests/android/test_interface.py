"""How a file is called, and what Android cannot run."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.android.android_files import identity_file, two_ended_file
from tests.runtime.runtime_files import (
    constant_file,
    counter_file,
    custom_file,
    fft_scale_file,
    named_dense_file,
    quantized_file,
    relu_file,
    svdf_file,
    two_signatures_file,
    with_signature,
)
from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.android.interface import Runtime, State, android_interface
from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.tflite.flatbuffer import with_metadata


def test_a_signature_gives_names_order_and_shapes() -> None:
    found = android_interface(named_dense_file())
    assert (found.signature, found.signatures, found.main_subgraph) == ("serve", 1, True)
    (one,) = found.inputs
    assert (one.name, one.identifier, one.shape, one.dtype) == (
        "features",
        "features",
        (1, 3),
        "float32",
    )
    assert (one.array, one.elements, one.bytes, one.quantized) == ("FloatArray", 3, 12, False)
    assert (found.runtime, found.state) == (Runtime.LITERT, State.NONE)


def test_without_signatures_tensors_stand_where_they_stand() -> None:
    found = android_interface(two_ended_file())
    assert found.signature is None
    assert [(one.name, one.identifier, one.position) for one in found.inputs] == [
        ("a b", "aB", 0),
        ("class", "input1", 1),
    ]
    assert [(one.name, one.identifier, one.position) for one in found.outputs] == [
        ('$"run\\', "output0", 0),
        ("a b", "aB2", 1),
    ]


def test_integers_that_stand_for_reals_do_so_in_kotlin() -> None:
    (one,) = android_interface(quantized_file("int8", 0.5, -3)).inputs
    assert (one.array, one.scale, one.zero_point, one.bytes) == ("FloatArray", 0.5, -3, 4)


@pytest.mark.parametrize(
    ("dtype", "array"),
    [
        ("uint8", "ByteArray"),
        ("int16", "ShortArray"),
        ("int32", "IntArray"),
        ("int64", "LongArray"),
        ("bool", "BooleanArray"),
    ],
)
def test_other_types_have_arrays_of_their_own(dtype: str, array: str) -> None:
    assert android_interface(identity_file(dtype)).outputs[0].array == array


def test_state_is_seen() -> None:
    assert android_interface(svdf_file()).state is State.CELLS
    assert android_interface(counter_file()).state is State.VARIABLES


def test_the_first_of_several_signatures_is_taken() -> None:
    found = android_interface(two_signatures_file())
    assert (found.signature, found.signatures) == ("relu", 2)


def test_an_open_batch_is_one_and_other_open_sizes_are_refused() -> None:
    assert android_interface(relu_file((1, 3), (-1, 3))).inputs[0].shape == (1, 3)
    with pytest.raises(UnsupportedError, match=r"open shape \(1,\?\).*--input-shape"):
        android_interface(relu_file((1, 1), (1, -1)))


def test_operators_that_no_android_library_has_are_named() -> None:
    with pytest.raises(UnsupportedError, match=r"Larq's operators LceBconv2d, which LiteRT's"):
        android_interface(custom_file("LceBconv2d"))
    with pytest.raises(UnsupportedError, match=r"does not have \(MyOp\): replace the layers"):
        android_interface(custom_file("MyOp"))
    with pytest.raises(UnsupportedError, match=r"LiteRT cannot run \(SignalFft.*: export micro"):
        android_interface(fft_scale_file())
    assert android_interface(custom_file("AudioSpectrogram")).runtime is Runtime.LITERT


def test_select_operators_bring_their_library_unless_it_is_too_old() -> None:
    found = android_interface(custom_file("FlexTan"))
    assert (found.runtime, found.select_operators) == (Runtime.SELECT_OPS, ("FlexTan",))
    for version, fits in ((b"2.16.1\0\0", True), (b"2.9.0", True), (b"2.17.0\0", False)):
        told = with_metadata(custom_file("FlexTan"), {"min_runtime_version": version})
        if fits:
            assert android_interface(told).runtime is Runtime.SELECT_OPS
        else:
            with pytest.raises(UnsupportedError, match=r"select-tf-ops 2.16.1.* version 2.17.0"):
                android_interface(told)


@pytest.mark.parametrize("dtype", ["float16", "string", "complex64"])
def test_types_that_java_lacks_are_refused(dtype: str) -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 2), dtype), maker.tensor("y", (1, 2), dtype)
    maker.operator("RELU", [x], [y])
    with pytest.raises(UnsupportedError, match=f"input 'x' is of type {dtype}"):
        android_interface(maker.file([x], [y]))


def test_a_scale_per_channel_is_refused() -> None:
    maker = FileMaker()
    x = maker.tensor("x", (1, 2), "int8", quantization=quantization([0.5, 1.0], dimension=1))
    y = maker.tensor("y", (1, 2), "int8")
    maker.operator("RELU", [x], [y])
    with pytest.raises(UnsupportedError, match="'x' has a scale per channel"):
        android_interface(maker.file([x], [y]))


def test_a_file_without_inputs_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="has no inputs"):
        android_interface(constant_file())


def test_plain_integers_stay_integers() -> None:
    maker = FileMaker()
    x = maker.tensor("x", (2,), "int32")
    y = maker.tensor("y", (), "int32")
    axis = maker.tensor("axis", (1,), "int32", data=np.int32([0]))
    maker.operator("SUM", [x, axis], [y], schema.ReducerOptionsT())
    (out,) = android_interface(maker.file([x], [y])).outputs
    assert (out.shape, out.elements, out.array) == ((), 1, "IntArray")
    assert android_interface(dense_file()).inputs[0].scale == 0


def test_a_signature_that_names_other_tensors_is_refused() -> None:
    wrong = with_signature(dense_file(), "serve", {"x": 1}, {"y": 3})
    with pytest.raises(InputError, match="signature's input 'x' is no input of its subgraph"):
        android_interface(wrong)
