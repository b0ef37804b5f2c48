"""Every example in the guides runs: Python blocks, one page a namespace, and commands."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted((REPOSITORY / "docs").rglob("*.md"))
FENCE = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    """The kind and text of each fenced block that can be run."""
    return FENCE.findall(page.read_text())


def commands(text: str) -> list[list[str]]:
    """The words of each `tflite-squeeze` command in a block; `make` is tried by other tests."""
    lines = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    return [shlex.split(line)[1:] for line in lines if line.startswith("tflite-squeeze ")]


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY / "docs"))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_examples_of_a_page(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    from tflite_squeeze.cli import main

    (tmp_path / "models").symlink_to(REPOSITORY / "models")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    for kind, text in blocks(page):
        if kind == "python":
            exec(compile(text, f"{page}", "exec"), namespace)
            continue
        for words in commands(text):
            with pytest.raises(SystemExit) as ended:
                main(words)
            assert ended.value.code == 0, f"{words}: {capfd.readouterr().err}"


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text.\n\n```python\nraise KeyError('seen')\n```\n\n```text\nnot run\n```\n")
    ((kind, text),) = blocks(page)
    assert kind == "python"
    with pytest.raises(KeyError, match="seen"):
        exec(text, {})


def test_commands_are_read() -> None:
    text = "$ make demo\n$ tflite-squeeze pack 'a b.tflite'\noutput\n"
    assert commands(text) == [["pack", "a b.tflite"]]
