import os
import signal
import sys
from pathlib import Path

import pytest

from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.microcontrollers.runner import _Refused, _survives, micro_job, smallest


@pytest.mark.parametrize("needed", [1, 16, 17, 100, 1000, 1016, 5000])
@pytest.mark.parametrize("guess", [16, 1000, 4096])
def test_the_smallest_that_works_is_found_from_any_guess(needed: int, guess: int) -> None:
    asked: list[int] = []

    def works(size: int) -> bool:
        asked.append(size)
        return size >= needed

    assert smallest(guess, works) == -(-needed // 16) * 16
    assert all(size % 16 == 0 for size in asked)


def test_a_good_guess_takes_two_tries() -> None:
    asked: list[int] = []

    def works(size: int) -> bool:
        asked.append(size)
        return size >= 21616

    assert smallest(21616, works) == 21616
    assert asked == [21616, 21600]


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _refuse() -> None:
    raise _Refused("no")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_work_in_a_copy_of_the_process_may_crash_or_be_refused() -> None:
    assert _survives(lambda: None)
    assert not _survives(_refuse)
    assert not _survives(_crash)


def test_without_tflm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro.python.tflite_micro", None)
    (tmp_path / "model.tflite").write_bytes(b"")
    with pytest.raises(UnsupportedError, match=r"pip install 'tflite_squeeze\[micro\]'"):
        micro_job(tmp_path / "model.tflite", {"outputs": 1, "arena_bytes": None}, {})
