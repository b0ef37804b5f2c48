"""Tables as Markdown."""

import csv
import io
from collections.abc import Iterable

from tflite_squeeze.tables.table import Table, text_of


def to_markdown(tables: Iterable[Table]) -> str:
    """Writes tables as Markdown: a heading, a pipe table and the notes of each.

    Args:
        tables: what to write.

    Returns:
        The text, ending in a line break.

    Example:
        >>> print(to_markdown([Table(title="Sizes", columns=("bytes",), rows=((12,),))]))
    """
    return "\n".join(_section(table) for table in tables)


def _section(table: Table) -> str:
    lines = [f"## {_escaped(table.title)}", ""]
    if table.rows:
        rule = ["---:" if table.is_numeric(name) else "---" for name in table.columns]
        lines += [_line([_escaped(name) for name in table.columns]), _line(rule)]
        for row in table.rows:
            cells = zip(table.columns, row, strict=True)
            lines.append(_line([_escaped(table.shown(name, cell)) for name, cell in cells]))
        lines.append("")
    for note in table.notes:
        lines += [_escaped(note), ""]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    text = text_of(text)
    for sign in "\\`*_|<[":
        text = text.replace(sign, "\\" + sign)
    return text


def to_csv(tables: Iterable[Table]) -> str:
    r"""Writes tables as CSV, numbers unrounded.

    One table is a plain CSV file: a line of column names, then the rows. Several are blocks
    that begin with a line of their title alone and are set apart by an empty line.

    Args:
        tables: what to write; their notes are left out.

    Returns:
        The text, lines ending in "\n".

    Example:
        >>> to_csv([Table(title="Sizes", columns=("bytes",), rows=((12,),))])
        'bytes\n12\n'
    """
    whole = list(tables)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for position, table in enumerate(whole):
        if position:
            out.write("\n")
        if len(whole) > 1:
            writer.writerow([table.title])
        writer.writerow(table.columns)
        writer.writerows(table.rows)
    return out.getvalue()
