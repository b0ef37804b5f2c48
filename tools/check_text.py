"""Says which text files have trailing blanks, CRLF, a conflict's marks or no end of line.

python tools/check_text.py FILE...     # exits 1 where there is one
"""

import re
import sys
from pathlib import Path

_PROBLEMS = {
    "carriage return": re.compile(rb"\r\n"),
    "trailing blank": re.compile(rb"[ \t]+$", re.MULTILINE),
    "mark of a merge conflict": re.compile(rb"^(?:<{7} |>{7} )", re.MULTILINE),
    "more than one end of line at the end": re.compile(rb"\n\n\Z"),
    "no end of line at the end": re.compile(rb"[^\n]\Z"),
}


def problems(content: bytes) -> list[str]:
    """What is wrong with a text, with the line where it is seen first."""
    found = [(name, pattern.search(content)) for name, pattern in _PROBLEMS.items()]
    return [f"line {_line(content, match.start())}: {name}" for name, match in found if match]


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def main(names: list[str]) -> int:
    """Checks files, and prints what is wrong."""
    lines = [f"{name}: {line}" for name in names for line in problems(Path(name).read_bytes())]
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
