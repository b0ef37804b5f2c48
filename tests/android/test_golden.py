"""Golden vectors: values, tolerances and the file."""

import hashlib
import struct

import numpy as np
import pytest

from tests.android.android_files import identity_file, image_file, two_ended_file
from tests.runtime.runtime_files import counter_file, named_dense_file, quantized_file
from tests.tiny_files import FileMaker
from tflite_squeeze.android.golden import golden_vectors, packed
from tflite_squeeze.android.interface import android_interface
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import UnsupportedError


def test_outputs_are_those_of_the_file() -> None:
    golden = golden_vectors(two_ended_file(), android_interface(two_ended_file()))
    assert len(golden.inputs) == 4
    for inputs, outputs in zip(golden.inputs, golden.outputs, strict=True):
        # The file's output `a b` is the sum of its inputs `a b` and `class`.
        np.testing.assert_array_equal(outputs["a b"], inputs["a b"] + inputs["class"])
    assert not np.array_equal(golden.inputs[0]["a b"], golden.inputs[1]["a b"])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_vectors() -> None:
    interface = android_interface(named_dense_file())
    files = {
        packed(golden_vectors(named_dense_file(), interface, seed=seed), interface, b"m")
        for seed in (1, 1, 2)
    }
    assert len(files) == 2


def test_integers_are_spread_over_all_that_they_can_hold() -> None:
    golden = golden_vectors(
        quantized_file("uint8", 0.25, 7), android_interface(quantized_file("uint8", 0.25, 7))
    )
    values = np.concatenate([case["q"].ravel() for case in golden.inputs])
    assert values.dtype == np.float32
    assert -1.75 <= values.min() < 10 < 50 < values.max() <= 62
    for inputs, outputs in zip(golden.inputs, golden.outputs, strict=True):
        assert np.abs(outputs["out"] - inputs["q"]).max() <= 0.125
    assert golden.tolerances == {"out": pytest.approx(0.5)}  # 2 steps


def test_known_preprocessing_puts_values_where_real_ones_lie() -> None:
    stated = Preprocessing(scale="1/255", mean=(0.0, 10.0, 100.0))
    golden = golden_vectors(image_file(), android_interface(image_file()), preprocessing=stated)
    image = np.concatenate([case["image"] for case in golden.inputs])
    for channel, mean in enumerate((0, 10, 100)):
        assert -mean <= image[..., channel].min() <= image[..., channel].max() < 1 - mean
    # 1e-4 of the largest value, the one that is farthest from 0.
    largest = max(np.abs(case["y"]).max() for case in golden.outputs)
    assert golden.differences == {"y": 0}
    assert golden.tolerances["y"] == pytest.approx(1e-4 * largest)


def test_each_case_starts_from_a_fresh_state() -> None:
    golden = golden_vectors(counter_file(), android_interface(counter_file()))
    for inputs, outputs in zip(golden.inputs, golden.outputs, strict=True):
        np.testing.assert_array_equal(outputs["y"], inputs["x"] + 10)


def test_whole_numbers_must_be_found_exactly() -> None:
    golden = golden_vectors(identity_file("int64"), android_interface(identity_file("int64")))
    assert golden.tolerances == {"y": 0}


def test_large_inputs_make_few_cases() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 200, 200, 4)), maker.tensor("y", (1, 200, 200, 4))
    maker.operator("RELU", [x], [y])
    content = maker.file([x], [y])
    assert len(golden_vectors(content, android_interface(content)).inputs) == 1


def test_an_output_that_changes_its_shape_is_refused() -> None:
    maker = FileMaker()
    x = maker.tensor("x", (8,), "bool")
    y = maker.tensor("y", (1, 1), "int64", signature=(-1, 1))
    maker.operator("WHERE", [x], [y])
    content = maker.file([x], [y])
    with pytest.raises(UnsupportedError, match="'y' changes its shape from run to run"):
        golden_vectors(content, android_interface(content))


def test_the_file_is_laid_out_as_documented() -> None:
    model = named_dense_file()
    interface = android_interface(model)
    golden = golden_vectors(model, interface)
    content = packed(golden, interface, model)
    assert content[:8] == b"TFSQGOLD"
    assert struct.unpack_from("<II", content, 8) == (1, 4)
    assert content[16:48] == hashlib.sha256(model).digest()
    assert struct.unpack_from("<II", content, 48) == (1, 1)
    assert struct.unpack_from("<IIf", content, 56) == (1, 3, 0.0)
    kind, count, tolerance = struct.unpack_from("<IIf", content, 68)
    assert (kind, count) == (1, 2)
    assert tolerance == pytest.approx(golden.tolerances["scores"])
    values = np.frombuffer(content, "<f4", offset=80).reshape(4, 5)
    for case, row in enumerate(values):
        np.testing.assert_array_equal(row[:3], golden.inputs[case]["features"].ravel())
        np.testing.assert_array_equal(row[3:], golden.outputs[case]["scores"].ravel())
