"""What the tests of the documents share: pages, their blocks, and what quick settings change."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY

GUIDES = sorted((REPOSITORY / "docs").rglob("*.md"))
ROOT_PAGES = sorted(REPOSITORY.glob("*.md"))
PAGES = [*ROOT_PAGES, *GUIDES]

_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_NOT_RUN = re.compile(r"^# not run by the tests: (.+)$", re.MULTILINE)

# Training is the same code for one epoch on the samples as for ten on everything.
_QUICK = [
    (re.compile(r"--data (fashion-mnist|mnist|watch)\b"), r"--data models/samples/\1.npz"),
    (re.compile(r'"(fashion-mnist|mnist|watch)"'), r'"models/samples/\1.npz"'),
    (re.compile(r"--epochs [1-9]\d*"), "--epochs 1"),
    (re.compile(r"--steps [1-9]\d*"), "--steps 10"),
    (re.compile(r"--trials [1-9]\d*"), "--trials 0"),
    # One epoch does not win back what is lost.
    (
        re.compile(
            r"(tflite-squeeze (?:prune|l0|entropy|cluster|factorize|narrow|binarize|distill|"
            r"quantize)) (?!--)"
        ),
        r"\1 --max-drop 1 ",
    ),
    (re.compile(r"\bepochs=[1-9]\d*"), "epochs=1"),
    (re.compile(r"\bepochs: [1-9]\d*"), "epochs: 1"),
]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        kind: the language after the fence.
        text: what stands in it.
        title: the file that a YAML block is kept in by the reader.
        not_run: why the tests leave it out, as the block itself says; None where they run it.
    """

    kind: str
    text: str
    title: str | None = None
    not_run: str | None = None


def blocks(page: Path) -> list[Block]:
    """Every fenced block, in order."""
    found = []
    for kind, info, text in _FENCE.findall(page.read_text()):
        title, reason = _TITLE.search(info), _NOT_RUN.search(text)
        found.append(
            Block(kind, text, title and title.group(1), reason and reason.group(1).strip())
        )
    return found


def quick(text: str) -> str:
    """A block with the samples in place of named sets, and one epoch in place of many."""
    for pattern, replacement in _QUICK:
        text = pattern.sub(replacement, text)
    return text


def commands(text: str) -> list[list[str]]:
    """The words of each `tflite-squeeze` command in a console block; others are not run here."""
    joined = text.replace("\\\n", " ")
    lines = [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ ")]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[1:] for line in words if line[0] == "tflite-squeeze"]


def name_of(page: Path) -> str:
    """A page's path from the top of the repository."""
    return str(page.relative_to(REPOSITORY))
