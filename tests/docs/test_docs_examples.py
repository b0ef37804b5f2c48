"""Every example in README and guides runs, and prints what the page shows.

The blocks of a page run in order, in one folder and one namespace, with quick settings. A text
block is what the last command before it prints; one that begins with an error is how that command
fails. What cannot run here says so in the block itself, and is in the list below, which is closed.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.docs.pages import PAGES, Block, blocks, commands, name_of, quick
from tests.docs.printed import difference
from tflite_squeeze.search import tune
from tflite_squeeze.search.workshop import Workshop

RUNNABLE = {"python", "console", "yaml"}
NOT_RUN = {
    ("README.md", "it makes the environment that they run in"),
    ("README.md", "it waits for a browser"),
    ("README.md", "it searches for half an hour"),
    ("docs/guides/tune.md", "it needs a folder that machines share"),
    ("docs/guides/onnx.md", "it changes the environment"),
    ("docs/guides/onnx.md", "it needs PyTorch"),
    ("docs/guides/pytorch.md", "it downloads PyTorch"),
    ("docs/guides/pytorch.md", "it needs PyTorch"),
    ("docs/guides/pytorch.md", "it needs PyTorch and litert-torch"),
    ("CONTRIBUTING.md", "they are what runs it"),
    ("CONTRIBUTING.md", "it changes the clone's hooks"),
}


def _fails(block: Block | None) -> bool:
    return block is not None and block.kind == "text" and block.text.startswith("Error: ")


def _run_command(words: list[str], capfd: Any, *, fails: bool) -> str:
    """What a command prints; what it says of its failure where it shall fail."""
    from tflite_squeeze.cli import main

    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capfd.readouterr()
    assert (ended.value.code in (1, 2)) == fails, f"{words}: {out[-2000:]}{err}"
    return str(err if fails else out)


def _run_console(block: Block, after: Block | None, capfd: Any) -> str | None:
    """What the last command prints; it alone may fail."""
    printed, lines = None, commands(quick(block.text))
    for number, words in enumerate(lines, start=1):
        fails = number == len(lines) and _fails(after)
        printed = _run_command(words, capfd, fails=fails)
    return printed


def run_blocks(found: list[Block], namespace: dict[str, Any], name: str, capfd: Any) -> None:
    """Runs blocks in the working folder, and compares text blocks with what was printed."""
    printed = None
    for block, after in pairwise([*found, None]):
        assert block is not None
        if block.not_run:
            printed = None
        elif block.kind == "text" and printed is not None:
            assert difference(block.text, printed) is None
        elif block.kind == "yaml" and block.title:
            Path(block.title).write_text(quick(block.text))
        elif block.kind == "python":
            capfd.readouterr()
            exec(compile(quick(block.text), name, "exec"), namespace)
            printed = capfd.readouterr().out
        elif block.kind == "console":
            printed = _run_console(block, after, capfd)


@pytest.fixture
def trials_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials run in this process: tests of searches have shown the other way."""
    monkeypatch.setattr(tune, "inputs_for", lambda *_given, **_allowed: None)


@pytest.fixture
def fewer_types(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches begin with the first type of file and the last: the guide to them has all."""
    if page.name != "tune.md":
        every, tidied = Workshop.without_training, Workshop.tidied
        ends = lambda shop: [every(shop)[at] for at in (0, -1)]  # noqa: E731
        monkeypatch.setattr(Workshop, "without_training", ends)
        monkeypatch.setattr(Workshop, "tidied", lambda shop, some: tidied(shop, some[:1]))


@pytest.fixture
def registered() -> Iterator[None]:
    """Classes that Keras knows by name come back when a page has taken them out."""
    import keras
    import tf_keras

    known = [library.saving.get_custom_objects() for library in (keras, tf_keras)]
    before = [dict(classes) for classes in known]
    yield
    for classes, kept in zip(known, before, strict=True):
        classes |= kept


@pytest.mark.slow
@pytest.mark.usefixtures("registered", "trials_here", "fewer_types")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if {b.kind for b in blocks(page)} & RUNNABLE], ids=name_of
)
def test_examples_of_a_page(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    (tmp_path / "models").symlink_to(REPOSITORY / "models")
    monkeypatch.chdir(tmp_path)
    run_blocks(blocks(page), {}, name_of(page), capfd)


def test_what_is_not_run_is_a_closed_list() -> None:
    marked = {
        (name_of(page), block.not_run)
        for page in PAGES
        for block in blocks(page)
        if block.not_run is not None
    }
    assert marked == NOT_RUN


def test_a_block_that_fails_is_seen(tmp_path: Path, capfd: Any) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text.\n\n```python\nraise KeyError('seen')\n```\n\n```text\nnot run\n```\n")
    with pytest.raises(KeyError, match="seen"):
        run_blocks(blocks(page), {}, "page", capfd)


def test_an_output_that_is_not_printed_is_seen(tmp_path: Path, capfd: Any) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint('12 bytes')\n```\n\n```text\n13 bytes\n```\n")
    with pytest.raises(AssertionError, match="13 bytes"):
        run_blocks(blocks(page), {}, "page", capfd)


def test_a_command_that_fails_is_seen(tmp_path: Path, capfd: Any) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ tflite-squeeze profile none.tflite\n```\n")
    with pytest.raises(AssertionError, match=r"none\.tflite"):
        run_blocks(blocks(page), {}, "page", capfd)


def test_a_command_that_should_fail_and_does_not_is_seen(tmp_path: Path, capfd: Any) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ tflite-squeeze schema\n```\n\n```text\nError: none\n```\n")
    with pytest.raises(AssertionError, match="schema"):
        run_blocks(blocks(page), {}, "page", capfd)
