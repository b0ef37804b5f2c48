"""A griffe extension: the reference shows the attributes that configs list in their docstrings.

griffe reads source and runs none of it; the lists are written when the classes are made.
"""

import inspect
from importlib import import_module
from typing import Any

import griffe


class DescribedFields(griffe.Extension):
    """Takes the docstring of a class with described fields from the class itself."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Called for every class that griffe finds."""
        described = any("description=" in str(one.value) for one in cls.attributes.values())
        if cls.docstring is not None and described:
            made = getattr(import_module(cls.module.path), cls.name)
            cls.docstring.value = inspect.getdoc(made) or ""
