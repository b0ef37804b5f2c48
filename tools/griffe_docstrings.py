"""A griffe extension: how the reference reads the package's docstrings."""

import inspect
import re
from importlib import import_module
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Takes the fields that configs list in their docstrings, and shows examples as code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for everything that griffe finds."""
        if obj.docstring is None:
            return
        if isinstance(obj, griffe.Class) and "__new__" in obj.members:
            # What a class is called with stands in `__init__`, as griffe has it.
            obj.members.setdefault("__init__", obj.members["__new__"])
        # griffe reads source and runs none of it; the lists are written when classes are made.
        if isinstance(obj, griffe.Class) and _has_described_fields(obj):
            made = getattr(import_module(obj.module.path), obj.name)
            obj.docstring.value = inspect.getdoc(made) or ""
        # Google's style has both headings; griffe takes the first for an admonition, in which
        # `>>>` is a quotation of a quotation of a quotation.
        obj.docstring.value = _EXAMPLE.sub("Examples:", obj.docstring.value)


def _has_described_fields(cls: griffe.Class) -> bool:
    return any("description=" in str(one.value) for one in cls.attributes.values())
