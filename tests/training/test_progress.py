"""Lines for those who have no display."""

import pytest

from tflite_squeeze.training import progress


def test_lines_come_when_something_is_new_and_then_now_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, lines = [100.0], []
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    tell = progress.spoken(lines.append)
    for second, what in ((1, "one"), (3, "one"), (6, "one"), (9, "one"), (10, "two"), (12, "two")):
        now[0] = 100.0 + second
        tell(what, second, 20)
    assert lines == ["one: 3 of 20, 3 s", "one: 9 of 20, 9 s", "two: 12 of 20, 12 s"]


def test_silent_unless_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    progress.printed(0)("work", 1, 2)
    assert capsys.readouterr().err == ""
    progress.printed(1)("work", 1, 2)
    assert capsys.readouterr().err == "work: 1 of 2, 0 s\n"
