"""The reader's functions as Numba compiles them, where it is installed; else as they are."""

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from importlib.machinery import SourceFileLoader
from types import FunctionType, ModuleType
from typing import Any

from tflite_squeeze.packing import sqz_reader

_NOT_COMPILED = ("first_state", "state", "opened", "unpack")


def array_of(values: Sequence[int]) -> Any:
    """Integers as the reader's functions take them: an array for compiled ones, else a list."""
    if compiled() is None:
        return list(values)
    import numpy as np

    return np.array(values, np.int64)


def run_whole(state: Any) -> int:
    """Runs the reader on a state."""
    return int((compiled() or sqz_reader.whole)(state))


@cache
def compiled() -> Callable[[Any], int] | None:
    """The compiled reader; None without Numba."""
    if importlib.util.find_spec("numba") is None:
        return None
    from numba import njit

    # By a loader of its own: tools that measure coverage change what all other ways give.
    loader = SourceFileLoader(sqz_reader.__name__, sqz_reader.__file__)
    module = ModuleType(sqz_reader.__name__)
    loader.exec_module(module)
    for name, value in list(vars(module).items()):
        if isinstance(value, FunctionType) and name not in _NOT_COMPILED:
            setattr(module, name, njit(cache=True)(value))
    found: Callable[[Any], int] = module.whole
    return found
