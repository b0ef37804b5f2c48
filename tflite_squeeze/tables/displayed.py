"""How notebooks show records; rooms that make records need not know the one that shows them."""

from collections.abc import Callable


class Displayed:
    """A record that Jupyter shows as tables and figures when a cell ends with it."""

    def _repr_html_(self) -> str:
        return _renderer(self)


def display_with(renderer: Callable[[object], str]) -> None:
    """Sets what turns a record into HTML.

    Args:
        renderer: a record to HTML. The package sets it, since it alone may know all rooms.
    """
    global _renderer
    _renderer = renderer


def _nothing(record: object) -> str:
    raise RuntimeError(f"nothing displays {type(record).__name__}: call display_with first")


_renderer: Callable[[object], str] = _nothing
