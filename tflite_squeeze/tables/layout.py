"""How a table is laid out in a width of text: whole, turned, or in parts below each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tflite_squeeze.tables.table import Table, text_of

# A longer word, such as a path, may be broken; shorter ones stand whole.
_LONGEST_WORD = 32
# With more rows than this, a turned table is harder to read than one in parts.
_MOST_TURNED = 6
_BETWEEN = 3


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table, or a part of one, and the width of each of its columns.

    Attributes:
        table: what is shown.
        widths: characters of each column; the column of bars comes on top of its numbers'.
        bar_cells: characters for the longest bar; 0 where none is drawn.
    """

    table: Table
    widths: tuple[int, ...]
    bar_cells: int = 0


def grids(table: Table, width: int, *, bar_cells: int = 0) -> list[Grid]:
    """Lays a table out so that no line is longer than `width` and no word is broken.

    Where the table as it is does not fit, bars go first; then, with few rows, rows become columns,
    else the columns are split into parts, each of which begins with what names a row.

    Args:
        table: with at least one row.
        width: of the terminal, in characters.
        bar_cells: characters for the longest bar, where the table has one.

    Returns:
        One grid, or several to be shown below each other.

    Example:
        >>> [grid.table.columns for grid in grids(table, 40)]
        [('file', 'bytes'), ('file', 'latency')]
    """
    for cells in dict.fromkeys((bar_cells if table.bar else 0, 0)):
        if _fits(table, width, cells):
            return [_grid(table, width, cells)]
    if len(table.rows) <= _MOST_TURNED:
        turned = _turned(table)
        if _fits(turned, width, 0):
            return [_grid(turned, width, 0)]
    return [_grid(part, width, 0) for part in _parts(table, width)]


def _fits(table: Table, width: int, bar_cells: int) -> bool:
    return sum(_least(table)) + _around(table, bar_cells) <= width


def _around(table: Table, bar_cells: int) -> int:
    """What is neither a cell nor a header: blanks between columns, at both edges, and the bar."""
    return _BETWEEN * len(table.columns) + (bar_cells + _BETWEEN if bar_cells else 0)


def _texts(table: Table, at: int) -> list[str]:
    """The header and the cells of a column as they are shown."""
    name = table.columns[at]
    return [text_of(name), *(table.shown(name, row[at]) for row in table.rows)]


def _least(table: Table) -> list[int]:
    """The width of each column below which a word, or a number, would be broken."""
    return [
        max((min(len(word), _LONGEST_WORD) for text in texts for word in text.split()), default=1)
        for texts in (_texts(table, at) for at in range(len(table.columns)))
    ]


def _grid(table: Table, width: int, bar_cells: int) -> Grid:
    """Columns as wide as their cells; what is too much is taken where there is most to take."""
    least = _least(table)
    widths = [max(map(len, _texts(table, at))) for at in range(len(table.columns))]
    excess = sum(widths) + _around(table, bar_cells) - width
    while excess > 0:
        at = max(range(len(widths)), key=lambda i: (widths[i] - least[i], widths[i]))
        if widths[at] <= 1:
            break
        widths[at] -= 1
        excess -= 1
    return Grid(table=table, widths=tuple(max(1, each) for each in widths), bar_cells=bar_cells)


def _turned(table: Table) -> Table:
    """Rows become columns, headed by the first cell of each."""
    labels = [table.shown(table.columns[0], row[0]) for row in table.rows]
    rows = tuple(
        (name, *(table.shown(name, row[at]) for row in table.rows))
        for at, name in enumerate(table.columns)
        if at > 0
    )
    return replace(table, columns=(table.columns[0], *labels), rows=rows, bar=None)


def _parts(table: Table, width: int) -> list[Table]:
    """As few parts as the widths allow; each has the leading columns that name its rows."""
    least = _least(table)
    leading = list(range(_leading(table)))
    parts: list[list[int]] = [[]]
    for at in range(len(leading), len(table.columns)):
        wanted = [*leading, *parts[-1], at]
        if parts[-1] and sum(least[i] + _BETWEEN for i in wanted) > width:
            parts.append([])
        parts[-1].append(at)
    return [_taken(table, [*leading, *part]) for part in parts]


def _leading(table: Table) -> int:
    """How many columns say what a row is about: numbers up to the first text, and that."""
    for at, name in enumerate(table.columns):
        if not table.is_numeric(name):
            return min(at + 1, len(table.columns) - 1)
    return 1


def _taken(table: Table, places: Sequence[int]) -> Table:
    columns = tuple(table.columns[at] for at in places)
    rows = tuple(tuple(row[at] for at in places) for row in table.rows)
    return replace(
        table, columns=columns, rows=rows, bar=table.bar if table.bar in columns else None
    )
