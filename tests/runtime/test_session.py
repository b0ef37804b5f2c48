import re

import numpy as np
import pytest

from tests.runtime.runtime_files import (
    counter_file,
    custom_file,
    fft_scale_file,
    named_dense_file,
    relu_file,
    svdf_file,
    two_signatures_file,
)
from tflite_squeeze.errors import InputError, RuntimeFailure
from tflite_squeeze.runtime.session import Endpoint, Session, dequantized, failure, quantized

ONE = np.ones((1, 1), np.float32)


@pytest.fixture
def opened(tmp_path):
    def open_file(tflite: bytes, **options) -> Session:
        path = tmp_path / "model.tflite"
        path.write_bytes(tflite)
        return Session(path, **{"signature": None, "threads": 1, **options})

    return open_file


def endpoint(dtype: str, scale: float, zero_point: int) -> Endpoint:
    return Endpoint(name="x", index=0, shape=(4,), dtype=dtype, scale=scale, zero_point=zero_point)


def test_a_file_without_signature_is_fed_by_the_names_of_its_tensors(opened) -> None:
    session = opened(relu_file((1, 2), (-1, 2)))
    assert session.signature is None
    assert session.inputs == [
        Endpoint(name="x", index=0, shape=(-1, 2), dtype="float32", scale=0.0, zero_point=0)
    ]
    assert session.inputs[0].default_shape == (1, 2)
    np.testing.assert_array_equal(session.run({"x": np.float32([[-1, 3]])})["y"], [[0, 3]])


def test_an_open_dimension_takes_any_size_and_another_one_later(opened) -> None:
    session = opened(relu_file((1, 2), (-1, 2)))
    for size in (3, 1, 3):
        assert session.run({"x": np.ones((size, 2), np.float32)})["y"].shape == (size, 2)


def test_a_signature_gives_its_own_names(opened) -> None:
    session = opened(named_dense_file())
    assert session.signature == "serve"
    assert [item.name for item in session.inputs] == ["features"]
    assert [item.name for item in session.outputs] == ["scores"]


@pytest.mark.parametrize(("key", "expected"), [("relu", [[0, 2]]), ("negate", [[1, -2]])])
def test_each_signature_runs_its_own_subgraph(opened, key: str, expected) -> None:
    session = opened(two_signatures_file(), signature=key)
    feeds = {"x": np.float32([[-1, 2]])}
    np.testing.assert_array_equal(session.run(feeds)["y"], expected)
    session.invoker(feeds)()
    out = session.interpreter.get_tensor(session.outputs[0].index, session.subgraph)
    np.testing.assert_array_equal(out, expected)


def test_a_signature_that_is_not_there_is_named_with_those_that_are(opened) -> None:
    with pytest.raises(InputError, match="no signature 'train': it has relu, negate"):
        opened(two_signatures_file(), signature="train")
    with pytest.raises(InputError, match="no signature 'train': it has none at all"):
        opened(relu_file((1,)), signature="train")


@pytest.mark.parametrize("make", [svdf_file, counter_file])
def test_state_is_reset_before_each_run_and_kept_while_timing(opened, make) -> None:
    session = opened(make())
    first = session.run({"x": ONE})["y"]
    np.testing.assert_array_equal(session.run({"x": ONE})["y"], first)
    invoke = opened(make()).invoker({"x": ONE})
    invoke()
    wrapper = invoke.func.__self__
    index = session.outputs[0].index
    once = wrapper.GetTensor(index, 0)
    invoke()
    np.testing.assert_array_equal(once, first)
    np.testing.assert_array_equal(wrapper.GetTensor(index, 0), first + 1)


def test_loading_and_preparing_take_time_that_is_counted(opened) -> None:
    session = opened(relu_file((1, 2)))
    loaded = session.init_ns
    session.invoker({"x": np.ones((1, 2), np.float32)})
    assert session.init_ns > loaded > 0


def test_tflms_own_operators_are_called_so(opened) -> None:
    with pytest.raises(RuntimeFailure, match=r"SignalFftAutoScale is an operator of .*\(TFLM\)"):
        opened(fft_scale_file()).run({"x": np.zeros(8, np.int16)})


def test_a_custom_operator_is_named(opened) -> None:
    with pytest.raises(RuntimeFailure, match="lacks the custom operator Wobble"):
        opened(custom_file("Wobble")).run({"x": np.ones((1, 2), np.float32)})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Encountered unresolved custom op: FlexErf.\nSee instructions", "lacks operator FlexErf"),
        ("Didn't find op for builtin opcode 'CONV_2D' version '99'.", "CONV_2D version 99"),
        ("\n  tflite/kernels/x.cc:1 a != b\nNode 3 failed", r"\(tflite/kernels/x.cc:1 a != b\)"),
        ("", "no reason given"),
    ],
)
def test_what_the_runtime_says_becomes_one_line(said: str, expected: str) -> None:
    error = failure(said)
    assert error.exit_code == 2
    assert "\n" not in str(error)
    assert re.search(expected, str(error))


def test_quantizing_rounds_to_the_nearest_level_and_clips() -> None:
    to_int8 = endpoint("int8", 0.5, -1)
    levels = quantized(np.array([0.0, 0.6, -1.0, 1000.0, -1000.0]), to_int8)
    assert levels.dtype == np.int8
    np.testing.assert_array_equal(levels, [-1, 0, -3, 127, -128])
    np.testing.assert_array_equal(dequantized(levels, to_int8), [0, 0.5, -1, 64, -63.5])
    np.testing.assert_array_equal(quantized(np.array([1.0]), endpoint("uint8", 1 / 255, 0)), [255])


def test_integers_that_stand_for_themselves_stay_as_they_are() -> None:
    values = np.array([1, 2], np.int64)
    assert dequantized(values, endpoint("int64", 0.0, 0)) is values
