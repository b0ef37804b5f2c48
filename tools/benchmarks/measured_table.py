"""Measured tables in docs/measured/, each between two comments that name it."""

from pathlib import Path

from tflite_squeeze.files.files import write_atomically

PAGES = Path(__file__).resolve().parents[2] / "docs" / "measured"


def renew_page(page: str, name: str, table: str) -> None:
    """Puts a table in place of the one that stands between its marks.

    Args:
        page: the name of the page, such as "models".
        name: what the marks call it: <!-- name table: begin --> and <!-- name table: end -->.
        table: Markdown.
    """
    begin, end = (f"<!-- {name} table: {which} -->" for which in ("begin", "end"))
    path = PAGES / f"{page}.md"
    before, rest = path.read_text().split(begin)
    _, after = rest.split(end)
    write_atomically(path, f"{before}{begin}\n{table}\n{end}{after}".encode(), force=True)
