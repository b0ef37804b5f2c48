"""Tables and pictures as HTML for a notebook, in its own colours, light or dark."""

import base64
from collections.abc import Iterable
from html import escape

from tflite_squeeze.tables.table import Cell, Table, text_of

# Styles stand in the elements: JupyterLab, GitHub and others drop style sheets.
# Greys that let the background through are seen on white and on black.
_RULE = "1px solid rgba(128,128,128,0.45)"
_CELL = "padding:2px 10px 2px 2px;vertical-align:top"
_NOTE = "margin:2px 0;opacity:0.75;font-size:90%"
_TRACK = "display:inline-block;width:90px;height:0.7em;margin-left:8px"
_BAR = "display:block;height:100%;background:#4477aa"


def to_html(tables: Iterable[Table], pictures: Iterable[tuple[str, bytes]] = ()) -> str:
    """Writes tables one below the other, and pictures below them.

    Args:
        tables: what to write.
        pictures: what each shows in words, and the PNG.

    Returns:
        One `div`; whatever names a file holds, nothing but this function's own tags.

    Example:
        >>> to_html([Table(title="Sizes", columns=("bytes",), rows=((12,),))])
    """
    parts = [_section(table) for table in tables]
    parts += [_picture(words, png) for words, png in pictures]
    return f'<div class="tflite-squeeze">{"".join(parts)}</div>'


def _section(table: Table) -> str:
    title = f'<p style="margin:10px 0 2px"><strong>{_safe(table.title)}</strong></p>'
    notes = "".join(f'<p style="{_NOTE}">{_safe(note)}</p>' for note in table.notes)
    if not table.rows:
        return title + notes
    head = "".join(
        f'<th style="{_CELL};text-align:{_side(table, name)}">{_safe(name)}</th>'
        for name in table.columns
    )
    body = "".join(_row(table, row) for row in table.rows)
    # A table that is wider than the page scrolls alone.
    return (
        f'{title}<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:0">'
        f'<thead><tr style="border-bottom:{_RULE}">{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{notes}"
    )


def _row(table: Table, row: tuple[Cell, ...]) -> str:
    cells = "".join(
        f'<td style="{_CELL};text-align:{_side(table, name)};white-space:{_wrap(cell)}">'
        f"{_safe(table.shown(name, cell))}{_bar(cell) if name == table.bar else ''}</td>"
        for name, cell in zip(table.columns, row, strict=True)
    )
    return f"<tr>{cells}</tr>"


def _side(table: Table, name: str) -> str:
    return "right" if table.is_numeric(name) else "left"


def _wrap(cell: Cell) -> str:
    """Sentences break into lines; names and numbers stay whole."""
    return "normal" if isinstance(cell, str) and " " in cell else "nowrap"


def _bar(cell: Cell) -> str:
    share = min(max(cell, 0.0), 1.0) if isinstance(cell, int | float) else 0.0
    return f'<span style="{_TRACK}"><span style="{_BAR};width:{share:.1%}"></span></span>'


def _picture(words: str, png: bytes) -> str:
    data = base64.b64encode(png).decode()
    return (
        f'<p style="margin:10px 0"><img alt="{_safe(words)}" style="max-width:min(100%,760px)" '
        f'src="data:image/png;base64,{data}"></p>'
    )


def _safe(text: str) -> str:
    return escape(text_of(text), quote=True)
