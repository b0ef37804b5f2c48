"""tools/check_text.py sees what it looks for, and nothing in a clean text."""

import runpy
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

TOOL = runpy.run_path(str(REPOSITORY / "tools" / "check_text.py"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"one\ntwo\n", []),
        (b"", []),
        (b"one\ntwo \n", ["line 2: trailing blank"]),
        (b"one\r\n", ["line 1: carriage return"]),
        (b"one", ["line 1: no end of line at the end"]),
        (b"one\n\n", ["line 1: more than one end of line at the end"]),
        (b"a\n<<<<<<< main\nb\n", ["line 2: mark of a merge conflict"]),
    ],
)
def test_problems(content: bytes, expected: list[str]) -> None:
    assert TOOL["problems"](content) == expected


def test_exit_code_and_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_bytes(b"good\n")
    (tmp_path / "b.txt").write_bytes(b"bad \n")
    assert TOOL["main"]([str(tmp_path / "a.txt")]) == 0
    assert TOOL["main"]([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]) == 1
    assert capsys.readouterr().out == f"{tmp_path / 'b.txt'}: line 1: trailing blank\n"
