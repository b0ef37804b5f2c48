"""The reference: every public name stands in it, and examples and results read as they should."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import griffe
import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.public_names import SUBMODULES, names_of

PAGES = sorted((REPOSITORY / "docs/reference").glob("*.md"))
LISTED = [
    path for page in PAGES for path in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
]


def _object(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def test_every_public_name_stands_in_the_reference_once() -> None:
    modules = ["tflite_squeeze", *(f"tflite_squeeze.{name}" for name in SUBMODULES)]
    public = {f"{module}.{name}" for module in modules for name in names_of(module)}
    assert sorted(LISTED) == sorted(set(LISTED))
    assert set(LISTED) <= public
    found = {id(_object(path)) for path in LISTED}
    assert sorted(path for path in public if id(_object(path)) not in found) == []
    assert len(found) == len(LISTED)


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    """How the site has docstrings read."""
    site = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())
    plugin = next(one["mkdocstrings"] for one in site["plugins"] if "mkdocstrings" in one)
    found: dict[str, Any] = plugin["handlers"]["python"]["options"]
    return found


@pytest.fixture(scope="module")
def package(options: dict[str, Any]) -> Any:
    extensions = [str(REPOSITORY / path) for path in options["extensions"]]
    return griffe.load(
        "tflite_squeeze",
        extensions=griffe.load_extensions(*extensions),
        docstring_parser=options["docstring_style"],
        docstring_options=options["docstring_options"],
    )


def _documented(package: Any) -> Iterator[tuple[str, Any]]:
    """Path and docstring of every public name, and of the public members of classes."""
    for path in LISTED:
        name = path.removeprefix("tflite_squeeze.")
        found = package[name]
        members = found.members.values() if found.is_class else ()
        for one in (found, *(member for member in members if not member.name.startswith("_"))):
            if one.docstring is not None:
                yield f"{path}: {one.name}", one.docstring


def _admonitions(sections: list[Any]) -> list[str]:
    return [
        section.title
        for section in sections
        if section.kind is griffe.DocstringSectionKind.admonition
        and ">>>" in section.value.contents
    ]


def _results(sections: list[Any]) -> list[str]:
    return [
        item.description
        for section in sections
        if section.kind is griffe.DocstringSectionKind.returns
        for item in section.value
    ]


def _block(docstring: str) -> str:
    """What stands below `Returns:`, on one line."""
    below = docstring.partition("\nReturns:\n")[2]
    return " ".join(re.split(r"\n(?=\S)", below)[0].split())


def test_examples_are_code_and_results_are_whole(package: Any) -> None:
    examples = 0
    for path, docstring in _documented(package):
        parsed = docstring.parse()
        assert _admonitions(parsed) == [], path
        examples += sum(one.kind is griffe.DocstringSectionKind.examples for one in parsed)
        if "\nReturns:\n" in docstring.value:
            assert [" ".join(one.split()) for one in _results(parsed)] == [
                _block(docstring.value)
            ], path
    assert examples > 50


def test_griffe_alone_would_quote_examples_and_cut_results() -> None:
    """The control: what the extension and the options of the site are for."""
    text = "Sums.\n\nReturns:\n    The sum: of\n    both.\n\nExample:\n    >>> add(1, 2)\n    3\n"
    parsed = griffe.Docstring(text).parse("google")
    assert _admonitions(parsed) == ["Example"]
    assert _results(parsed) == ["The sum: of", "both."]
