"""Tables as CSV, with the numbers as they were measured."""

import csv
import io
from collections.abc import Iterable

from tflite_squeeze.tables.table import Table


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
