"""Records that show themselves as tables and pictures, in a notebook or a report."""

from collections.abc import Mapping
from importlib.util import resolve_name as absolute
from pkgutil import resolve_name
from typing import Any, ClassVar

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tables.html import to_html
from tflite_squeeze.tables.table import Table


class Displayed(Frozen):
    """A record that Jupyter shows as tables and pictures when a cell ends with it.

    The functions that draw a record are named as "module:function", a leading dot meaning the
    package of the class that names them. They are imported when the record is first shown, so
    that a record needs neither its tables nor a plotting library.

    Attributes:
        tables_by: the function that turns the record into tables.
        pictures_by: what a picture shows, in words → the function that draws it: it takes the
            record and returns a PNG, or None where there is nothing to draw.

    Example:
        >>> class Sizes(Displayed):
        ...     tables_by = ".tables:sizes_tables"
        ...     bytes_by_layer: dict[str, int]
    """

    tables_by: ClassVar[str]
    pictures_by: ClassVar[Mapping[str, str]] = {}

    def tables(self) -> list[Table]:
        """The record as tables."""
        return list(self._function("tables_by", self.tables_by)(self))

    def pictures(self) -> list[tuple[str, bytes]]:
        """What each picture of the record shows in words, and the PNG."""
        drawn = [
            (words, self._function("pictures_by", path)(self))
            for words, path in self.pictures_by.items()
        ]
        return [(words, png) for words, png in drawn if png is not None]

    def _repr_html_(self) -> str:
        return to_html(self.tables(), self.pictures())

    def _function(self, attribute: str, path: str) -> Any:
        owner = next(kind for kind in type(self).__mro__ if attribute in vars(kind))
        return resolve_name(absolute(path, owner.__module__.rpartition(".")[0]))
