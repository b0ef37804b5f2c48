"""A table that knows nothing about where it will be shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Cell = str | int | float | None

_IMAGE_CHANNELS = (1, 3, 4)  # gray, coloured, coloured with transparency


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under named columns, shown alike in a terminal, Markdown, CSV, a notebook.

    Attributes:
        title: what the table is about.
        columns: column names, with their unit where they have one ("mean (ms)").
        rows: one tuple per row, a cell per column; None is shown as empty.
        notes: lines below the table: what to make of it, what was left out.
        bar: the column whose numbers (shares in [0, 1]) are also drawn as bars.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = field(default=())
    bar: str | None = None

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: {len(row)} cells for {len(self.columns)} columns")
        if self.bar is not None and self.bar not in self.columns:
            raise ValueError(f"{self.title}: no column {self.bar!r} to draw as bars")

    def is_numeric(self, column: str) -> bool:
        """Whether a column holds numbers only, so that it is aligned to the right."""
        position = self.columns.index(column)
        cells = [row[position] for row in self.rows if row[position] is not None]
        return bool(cells) and all(_is_number(cell) for cell in cells)

    def shown(self, column: str, cell: Cell) -> str:
        """A cell as people read it; the shares of the bar column as percentages.

        Example:
            >>> table.shown("bytes", 1234567)
            '1,234,567'
        """
        if column == self.bar and isinstance(cell, int | float):
            return f"{cell:.1%}"
        return text_of(cell)


def first_name(name: str) -> str:
    """The name of a file's tensor without those of operators that were fused with it.

    Example:
        >>> first_name("net/relu/Relu;net/conv/BiasAdd")
        'net/relu/Relu'
    """
    return name.partition(";")[0] or name


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def text_of(cell: Cell) -> str:
    """A cell as people read it: thousands set apart, four digits that count, yes and no.

    Names in a file can hold anything; what would steer a terminal or break a line is made
    visible instead.
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if 1000 <= abs(cell) < 1e15 else f"{cell:.4g}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cell)


def shape_text(shape: Iterable[int]) -> str:
    """A shape for display; dimensions that are open are a question mark.

    Example:
        >>> shape_text((-1, 28, 28, 1)), shape_text(())
        ('?x28x28x1', 'scalar')
    """
    return "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"


def laid_out_text(shape: Sequence[int]) -> str:
    """The same for who fills a tensor: of what has the shape of images, with their layout.

    Example:
        >>> laid_out_text((1, 28, 28, 1)), laid_out_text((1, 10))
        ('1x28x28x1 (NHWC: channels last)', '1x10')
    """
    image = len(shape) == 4 and shape[3] in _IMAGE_CHANNELS
    return shape_text(shape) + (" (NHWC: channels last)" if image else "")


def listed(places: tuple[str, ...], most: int = 4) -> str:
    """Places as a text lists them.

    Example:
        >>> listed(("MUL 0:3", "ADD 0:4"))
        'MUL 0:3, ADD 0:4'
    """
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return ", ".join(places[:most]) + more


def points(change: float) -> str:
    """A change of an accuracy in percentage points, with its sign; none is +0.00, never -0.00.

    Args:
        change: as a fraction.

    Example:
        >>> points(0.0125), points(-0.00001)
        ('+1.25', '+0.00')
    """
    return f"{round(100 * change, 2) + 0.0:+.2f}"
