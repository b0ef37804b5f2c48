"""A table that knows nothing about where it will be shown."""

from dataclasses import dataclass, field

Cell = str | int | float | None


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
