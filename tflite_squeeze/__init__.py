"""Make Keras models small and fast for phones and microcontrollers, and prove it.

Public names are loaded on first use, so that importing the package, or asking a command for its
help, loads no TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tflite_squeeze.version import __version__

if TYPE_CHECKING:
    from tflite_squeeze.errors import SqueezeError as SqueezeError

_HOMES = {
    "SqueezeError": "tflite_squeeze.errors",
}

__all__ = ["SqueezeError", "__version__"]


def __getattr__(name: str) -> Any:
    """Loads a public name from the module that defines it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
