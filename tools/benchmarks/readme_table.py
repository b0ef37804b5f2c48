"""Measured tables in the README, each between two comments that name it."""

from pathlib import Path

from tflite_squeeze.io.files import write_atomically

README = Path(__file__).resolve().parents[2] / "README.md"


def renew_readme(name: str, table: str) -> None:
    """Puts a table in place of the one that stands between its marks.

    Args:
        name: what the marks call it: <!-- name table: begin --> and <!-- name table: end -->.
        table: Markdown.
    """
    begin, end = (f"<!-- {name} table: {which} -->" for which in ("begin", "end"))
    before, rest = README.read_text().split(begin)
    _, after = rest.split(end)
    write_atomically(README, f"{before}{begin}\n{table}\n{end}{after}".encode(), force=True)
