import json

import numpy as np
import pytest

from tests.runtime.runtime_files import crashing_file, relu_file
from tests.tiny_files import dense_file
from tflite_squeeze.errors import InputError, RuntimeFailure
from tflite_squeeze.runtime.process import _why, read_message, run_in_child, write_message

pytestmark = pytest.mark.own_process

YES = np.ones(1, bool)
RUN = {"signature": None, "threads": 1, "keep_tensors": False, "stream": False}


def test_a_message_keeps_values_arrays_and_names_that_no_zip_could_hold(tmp_path) -> None:
    arrays = {"a/../b:0": np.arange(3, dtype=np.int8), "text": np.array([b"x", b"yz"])}
    write_message(tmp_path / "m", {"n": [1, None]}, arrays)
    message = read_message(tmp_path / "m")
    assert message.values == {"n": [1, None]}
    assert list(message.arrays) == list(arrays)
    for name, array in arrays.items():
        assert message.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(message.arrays[name], array)


def test_a_job_answers() -> None:
    arrays = {"x": np.float32([[-1, 2]])}
    answer = run_in_child("run", relu_file((1, 2)), RUN, arrays, time_limit_s=60)
    np.testing.assert_array_equal(answer.arrays["output/y"], [[0, 2]])
    assert answer.values["batch"] == 1


def test_an_error_of_the_job_arrives_with_its_class() -> None:
    with pytest.raises(InputError, match="the file takes inputs x; got z"):
        run_in_child(
            "run", relu_file((1, 2)), RUN, {"z": np.zeros((1, 2), np.float32)}, time_limit_s=60
        )


def test_a_crash_of_the_runtime_is_one_clear_line() -> None:
    with pytest.raises(RuntimeFailure, match=r"crashed \(SIG\w+\) on this file") as caught:
        run_in_child("run", crashing_file(), RUN, {"x": YES}, time_limit_s=60)
    assert "\n" not in str(caught.value)


def test_a_job_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(RuntimeFailure, match=r"did not finish this file within 0\.01 s"):
        run_in_child("run", dense_file(), RUN, time_limit_s=0.01)


def test_a_failure_of_the_child_itself_is_one_clear_line() -> None:
    with pytest.raises(RuntimeFailure, match="failed on this file") as caught:
        run_in_child("no such job", dense_file(), RUN, time_limit_s=60)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (-11, b"", "crashed (SIGSEGV)"),
        (-6, b"abort: check failed\n\n", "its last message: abort: check failed"),
        (-9, b"", "was killed, most likely because memory ran out, (SIGKILL)"),
        (1, b"\xff bad", "failed on this file: it is damaged, or not supported"),
    ],
)
def test_why_a_child_ended(code: int, said: bytes, expected: str) -> None:
    line = _why(code, said)
    assert expected in line
    assert "\n" not in line


def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run_in_child("run", relu_file((1,)), RUN, {"x": np.zeros(1, np.float32)}, time_limit_s=60)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_is_valid_json(tmp_path) -> None:
    write_message(tmp_path / "m", {"a": 1.5}, {})
    assert json.loads((tmp_path / "m.json").read_text()) == {"values": {"a": 1.5}, "arrays": []}
