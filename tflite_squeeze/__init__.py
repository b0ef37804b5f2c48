"""Make Keras models small and fast for phones and microcontrollers, and prove it.

The public names are those of the stub beside this file, `__init__.pyi`. Each is loaded on first
use, so that importing the package, or asking a command for its help, loads no TensorFlow.
"""

import lazy_loader

from tflite_squeeze.version import __version__ as __version__

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """Loads a public name, or one that has moved, which warns."""
    if name in __all__:
        return _load(name)
    from tflite_squeeze.moved import load_moved

    return load_moved(name)
