import io

import pytest

from tflite_squeeze.tables.table import Table
from tflite_squeeze.tables.terminal import bar, print_tables

LONG = "a very long name of an operator in a network " * 8
TABLE = Table(
    title="Operators [of] it",
    columns=("name", "µs", "share"),
    rows=((LONG.strip(), 1234, 0.75), ("[bold]x[/bold]\x1b[31m", 5, 0.25)),
    notes=("a note " * 40,),
    bar="share",
)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def piped(*tables: Table) -> str:
    file = io.StringIO()
    print_tables(tables, file=file)
    return file.getvalue()


def test_bars_by_hand() -> None:
    assert bar(0.5, 4) == "██"
    assert bar(1.0, 3) == "███"
    assert bar(0.0, 3) == ""
    assert bar(1 / 16, 2) == "▏"
    assert bar(2.0, 2) == "██"
    assert bar(-1.0, 2) == ""
    assert bar(0.5, 4, blocks=False) == "##"


def test_nothing_is_cut_wrapped_or_coloured_in_a_pipe() -> None:
    text = piped(TABLE)
    lines = text.splitlines()
    assert lines[0] == "Operators [of] it"
    assert any(LONG.strip() in line and "1,234" in line and "75.0%" in line for line in lines)
    assert "a note " * 39 in lines[-1]
    assert "\x1b" not in text
    assert r"[bold]x[/bold]\x1b[31m" in text
    assert "█" * 15 + " " in text


def test_a_terminal_gets_colours_and_lines_that_fit(monkeypatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    file = Terminal()
    print_tables([TABLE], file=file)
    text = file.getvalue()
    assert "\x1b[1m" in text
    plain = text.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[36m", "")
    assert all(len(line.replace("\x1b[0m", "")) <= 80 for line in plain.splitlines())


def test_several_tables_are_set_apart() -> None:
    empty = Table(title="Nothing", columns=("a",), rows=(), notes=("why",))
    assert piped(empty, empty) == "Nothing\nwhy\n\nNothing\nwhy\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_without_block_elements_gets_plain_signs(encoding: str) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    table = Table(title="t", columns=("name", "share"), rows=(("a", 0.5),), bar="share")
    print_tables([table], file=file)
    file.flush()
    assert "##########" in raw.getvalue().decode(encoding)
