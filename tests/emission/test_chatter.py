"""What is printed during a conversion is caught, and everything is put back."""

import io
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from tflite_squeeze.emission.chatter import Chatter, caught_chatter


def _print_everywhere() -> None:
    print("from python")  # noqa: T201
    print("to stderr", file=sys.stderr)  # noqa: T201
    os.write(1, b"from C to 1\n")
    os.write(2, b"from C to 2\n")
    warnings.warn("a deprecation", DeprecationWarning, stacklevel=1)


def test_all_that_is_printed_is_caught(capfd: pytest.CaptureFixture[str]) -> None:
    with caught_chatter() as chatter:
        _print_everywhere()
    assert capfd.readouterr() == ("", "")
    assert sorted(chatter.lines) == ["from C to 1", "from C to 2", "from python", "to stderr"]


def test_what_comes_before_and_after_passes(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")  # noqa: T201
    with caught_chatter():
        _print_everywhere()
    print("after")  # noqa: T201
    os.write(2, b"error\n")
    assert capfd.readouterr() == ("before\nafter\n", "error\n")


def test_descriptors_come_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    chatter = Chatter()

    def fail() -> None:
        with caught_chatter(chatter):
            os.write(1, b"last words\n")
            raise KeyboardInterrupt

    streams = sys.stdout, sys.stderr
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (sys.stdout, sys.stderr) == streams
    os.write(1, b"loud again\n")
    assert capfd.readouterr().out == "loud again\n"
    assert chatter.lines == ["last words"]


def test_no_descriptor_is_left_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with caught_chatter():
            os.write(1, b"x\n")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_lines_add_up_and_blocks_nest(capfd: pytest.CaptureFixture[str]) -> None:
    outer, inner = Chatter(), Chatter()
    with caught_chatter(outer):
        os.write(1, b"outside\n")
        with caught_chatter(inner):
            os.write(1, b"inside\n")
        os.write(1, b"outside again\n")
    with caught_chatter(outer):
        os.write(2, b"later\n")
    assert outer.lines == ["outside", "outside again", "later"]
    assert inner.lines == ["inside"]
    assert capfd.readouterr() == ("", "")


def test_bytes_that_are_no_text_are_kept_readable() -> None:
    with caught_chatter() as chatter:
        os.write(1, b"caf\xe9\n")
    assert chatter.lines == ["caf\ufffd"]


def test_only_what_a_user_can_act_on_is_told_once() -> None:
    chatter = Chatter(
        lines=[
            "I0000 loaded SavedModel in 3 ms",
            "Flex ops: FlexTan",
            "W0000 quantize: Statistics for x are missing",
            "Flex ops: FlexTan",
        ]
    )
    assert chatter.worth_telling() == [
        "Flex ops: FlexTan",
        "W0000 quantize: Statistics for x are missing",
    ]


def test_a_log_handler_made_inside_does_not_outlive_its_stream(monkeypatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    with caught_chatter() as chatter:
        logging.warning("from the root")  # makes a handler where there is none
    assert "from the root" in "".join(chatter.lines)
    assert logging.root.handlers == []


def test_a_librarys_handler_made_inside_goes_on_with_the_stream_outside(capfd: Any) -> None:
    # TensorFlow's, where the block imports it.
    logger = logging.getLogger("tensorflow")
    with caught_chatter():
        handler = logging.StreamHandler()
        logger.addHandler(handler)
    try:
        logger.error("after it")
        with caught_chatter() as chatter:
            logger.error("in another block")
    finally:
        logger.removeHandler(handler)
    assert "after it" in capfd.readouterr().err
    assert any("in another block" in line for line in chatter.lines)


def test_a_logger_that_holds_a_stream_of_its_own_is_caught_and_put_back() -> None:
    # TensorFlow's logger in a notebook.
    logger, cell = logging.getLogger("tensorflow"), io.StringIO()
    handler = logging.StreamHandler(cell)
    logger.addHandler(handler)
    try:
        with caught_chatter() as chatter:
            logger.error("in the block")
        logger.error("after it")
    finally:
        logger.removeHandler(handler)
    assert any("in the block" in line for line in chatter.lines)
    assert cell.getvalue() == "after it\n"
