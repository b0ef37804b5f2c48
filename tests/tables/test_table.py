import pytest

from tflite_squeeze.tables.table import Table, text_of


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (1234567, "1,234,567"),
        (0.0, "0"),
        (0.00012345, "0.0001234"),
        (12.3456, "12.35"),
        (1234.56, "1,235"),
        (-1234.56, "-1,235"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ("µs · 2", "µs · 2"),
        ("a\x1b[31m\nb", r"a\x1b[31m\nb"),
    ],
)
def test_cells_as_people_read_them(cell, text: str) -> None:
    assert text_of(cell) == text


def test_only_columns_of_numbers_are_numeric() -> None:
    table = Table(
        title="t",
        columns=("number", "flag", "mixed", "empty"),
        rows=((1, True, "a", None), (None, False, 2, None)),
    )
    assert [table.is_numeric(name) for name in table.columns] == [True, False, False, False]


def test_shares_of_the_bar_column_are_percentages() -> None:
    table = Table(title="t", columns=("a", "share"), rows=((0.5, 0.5),), bar="share")
    assert table.shown("share", 0.5) == "50.0%"
    assert table.shown("a", 0.5) == "0.5"


def test_rows_that_do_not_fit_and_bars_of_no_column_are_refused() -> None:
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table(title="t", columns=("a", "b"), rows=((1,),))
    with pytest.raises(ValueError, match="no column 'c'"):
        Table(title="t", columns=("a", "b"), rows=(), bar="c")
