"""The public modules of the package, and the names that each offers."""

from importlib import import_module
from types import ModuleType

SUBMODULES = (
    "android", "data", "errors", "layers", "microcontrollers", "recipes", "records", "results",
    "schedules", "settings", "techniques",
)  # fmt: skip


def names_of(path: str) -> list[str]:
    """The public names of a module, without the modules inside it.

    Args:
        path: the module's, as it is imported.
    """
    module = import_module(path)
    names = [name for name in dir(module) if not name.startswith("_")]
    return [name for name in names if not isinstance(getattr(module, name), ModuleType)]
