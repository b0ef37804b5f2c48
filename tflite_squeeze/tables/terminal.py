"""Tables in a terminal, with bars for shares; plain and uncut where the output is piped."""

import sys
from collections.abc import Iterable
from typing import TextIO

from rich.box import ASCII2, SIMPLE_HEAD
from rich.console import Console
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text

from tflite_squeeze.tables.layout import Grid, grids
from tflite_squeeze.tables.table import Cell, Table, text_of

_BAR_CELLS, _NARROW_BAR_CELLS = 20, 10
_NARROW = 100
# Rich cuts what is wider than the console; a file or a pipe has no width to keep to.
_PIPED_WIDTH = 10_000
_EIGHTHS = " ▏▎▍▌▋▊▉"


def print_tables(tables: Iterable[Table], *, file: TextIO | None = None) -> None:
    """Prints tables one below the other.

    Colours and the width follow the terminal; where the output is piped there are no colours,
    and no cell is cut or wrapped.

    Args:
        tables: what to print.
        file: where to; None for standard output.

    Example:
        >>> print_tables([Table(title="Sizes", columns=("bytes",), rows=((12,),))])
    """
    console = _console(file or sys.stdout)
    for position, table in enumerate(tables):
        if position:
            console.print()
        piped = not console.is_terminal
        console.print(Text(text_of(table.title), style="bold"), soft_wrap=piped)
        if table.rows:
            cells = _NARROW_BAR_CELLS if console.width < _NARROW else _BAR_CELLS
            for grid in grids(table, console.width, bar_cells=cells):
                console.print(_rich(grid, blocks=_has_blocks(console)))
        for note in table.notes:
            console.print(Text(text_of(note), style="dim"), soft_wrap=piped)


def bar(share: float, cells: int = _BAR_CELLS, *, blocks: bool = True) -> str:
    """A share as a bar of at most `cells` characters, in eighths of a character.

    Args:
        share: in [0, 1]; anything outside is clipped.
        cells: characters for a share of 1.
        blocks: whether the output can show block elements; else whole `#` signs.

    Example:
        >>> bar(0.5, 4)
        '██'
    """
    eighths = round(min(max(share, 0.0), 1.0) * cells * 8)
    if not blocks:
        return "#" * round(eighths / 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def _console(file: TextIO) -> Console:
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    return console


def print_line(line: str) -> None:
    """Prints one line on standard output; on a terminal it is broken between words.

    Args:
        line: what to say.
    """
    console = _console(sys.stdout)
    console.print(Text(line), soft_wrap=not console.is_terminal)


def _has_blocks(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


def _rich(grid: Grid, *, blocks: bool) -> RichTable:
    table = grid.table
    columns = []
    for name, width in zip(table.columns, grid.widths, strict=True):
        right = table.is_numeric(name)
        columns.append(
            Column(Text(text_of(name)), justify="right" if right else "left", overflow="fold",
                   no_wrap=False, width=width)
        )  # fmt: skip
        if name == table.bar and grid.bar_cells:
            columns.append(Column("", no_wrap=True))
    shown = RichTable(*columns, box=SIMPLE_HEAD if blocks else ASCII2, pad_edge=False)
    for row in table.rows:
        cells: list[Text] = []
        for name, cell in zip(table.columns, row, strict=True):
            cells.append(Text(table.shown(name, cell)))
            if name == table.bar and grid.bar_cells:
                cells.append(Text(_drawn(cell, grid.bar_cells, blocks=blocks), style="cyan"))
        shown.add_row(*cells)
    return shown


def _drawn(cell: Cell, bar_cells: int, *, blocks: bool) -> str:
    return bar(cell, bar_cells, blocks=blocks) if isinstance(cell, int | float) else ""
