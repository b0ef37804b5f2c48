import csv
import io

from tflite_squeeze.tables.markdown import to_csv, to_markdown
from tflite_squeeze.tables.table import Table

TABLE = Table(
    title="Sizes",
    columns=("na|me", "bytes", "share"),
    rows=(("a|b,c", 1234, 1 / 3), (None, 5, 0.5)),
    notes=("a *note*",),
    bar="share",
)


def test_markdown_by_hand() -> None:
    assert to_markdown([TABLE]) == (
        "## Sizes\n"
        "\n"
        "| na\\|me | bytes | share |\n"
        "| --- | ---: | ---: |\n"
        "| a\\|b,c | 1,234 | 33.3% |\n"
        "|  | 5 | 50.0% |\n"
        "\n"
        "a \\*note\\*\n"
    )


def test_markdown_of_several_tables_and_of_one_without_rows() -> None:
    empty = Table(title="Nothing", columns=("a",), rows=(), notes=("why",))
    assert to_markdown([empty, empty]) == "## Nothing\n\nwhy\n\n## Nothing\n\nwhy\n"


def test_csv_keeps_numbers_unrounded_and_reads_back() -> None:
    rows = list(csv.reader(io.StringIO(to_csv([TABLE]))))
    assert rows == [
        ["na|me", "bytes", "share"],
        ["a|b,c", "1234", repr(1 / 3)],
        ["", "5", "0.5"],
    ]


def test_several_tables_are_blocks_with_titles() -> None:
    small = Table(title="Small", columns=("a",), rows=((1,),))
    assert to_csv([small, small]) == "Small\na\n1\n\nSmall\na\n1\n"
