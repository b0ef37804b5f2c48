import pytest

from tflite_squeeze.tables.layout import grids
from tflite_squeeze.tables.table import Table

WIDE = Table(
    title="Files",
    columns=("file", "raw bytes", "latency (µs)", "accuracy"),
    rows=(("a.tflite", 1_000_000, 12.5, "94.1%"), ("b.tflite", 250_000, 7.5, "93.8%")),
)
LONG = Table(
    title="Operators",
    columns=("#", "operator", "input", "output", "MACs"),
    rows=tuple((at, "CONV_2D", "1x28x28x1", "1x24x24x20", 288_000) for at in range(9)),
)


def test_what_fits_stays_as_it_is_with_columns_as_wide_as_their_cells() -> None:
    (grid,) = grids(WIDE, 60)
    assert grid.table is WIDE
    assert grid.widths == (8, 9, 12, 8)


def test_cells_wrap_between_words_before_the_table_is_taken_apart() -> None:
    # Least widths by hand: a.tflite, 1,000,000, latency, accuracy; three blanks a column.
    (grid,) = grids(WIDE, 8 + 9 + 7 + 8 + 12)
    assert grid.table is WIDE
    assert grid.widths == (8, 9, 7, 8)


def test_few_rows_become_columns() -> None:
    (grid,) = grids(WIDE, 40)
    assert grid.table.columns == ("file", "a.tflite", "b.tflite")
    assert grid.table.rows == (
        ("raw bytes", "1,000,000", "250,000"),
        ("latency (µs)", "12.5", "7.5"),
        ("accuracy", "94.1%", "93.8%"),
    )


def test_many_rows_are_shown_in_parts_that_repeat_what_names_a_row() -> None:
    parts = [grid.table for grid in grids(LONG, 34)]
    assert [part.columns for part in parts] == [
        ("#", "operator", "input"),
        ("#", "operator", "output"),
        ("#", "operator", "MACs"),
    ]
    assert parts[2].rows[8] == (8, "CONV_2D", 288_000)


@pytest.mark.parametrize("width", [10, 20, 35, 50, 80])
@pytest.mark.parametrize("table", [WIDE, LONG])
def test_nothing_is_left_out_at_any_width(table: Table, width: int) -> None:
    shown = {text for grid in grids(table, width) for row in grid.table.rows for text in row}
    shown |= {name for grid in grids(table, width) for name in grid.table.columns}
    told = {str(cell) for cell in shown} | {table.shown("", cell) for cell in shown}
    for row in table.rows:
        assert {table.shown("", cell) for cell in row} <= told


def test_bars_go_before_the_table_is_taken_apart() -> None:
    table = Table(title="t", columns=("name", "share"), rows=(("conv", 0.5),), bar="share")
    (grid,) = grids(table, 28, bar_cells=10)
    assert (grid.table, grid.bar_cells) == (table, 10)
    (grid,) = grids(table, 27, bar_cells=10)
    assert (grid.table, grid.bar_cells) == (table, 0)
