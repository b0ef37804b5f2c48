"""Inputs made up for timing, where nothing is known about a file but its types and shapes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.frozen import Frozen


def made_up(types: Mapping[str, tuple[str, tuple[int, ...]]], seed: int) -> dict[str, NDArray[Any]]:
    """Inputs for timing: the same for the same seed.

    Reals are uniform in [-1, 1). Integers of 8 and 16 bits, which mostly stand for reals, take
    their whole range; wider ones are 0 or 1, which every table of indices has.

    Args:
        types: type (NumPy's name) and shape by name.
        seed: of the random numbers.

    Raises:
        UnsupportedError: an input is of a type that values cannot be made up for.
    """
    generator = np.random.default_rng(seed)
    return {name: _values(name, dtype, shape, generator) for name, (dtype, shape) in types.items()}


def _values(
    name: str, dtype: str, shape: tuple[int, ...], generator: np.random.Generator
) -> NDArray[Any]:
    kind = np.dtype(dtype).kind
    if kind in "fc":
        return np.asarray(generator.uniform(-1.0, 1.0, shape)).astype(dtype)
    if kind in "iu":
        limits = np.iinfo(dtype)
        low, high = (limits.min, limits.max) if limits.bits <= 16 else (0, 1)
        return np.asarray(generator.integers(low, high, shape, endpoint=True)).astype(dtype)
    if kind == "b":
        return np.asarray(generator.integers(0, 2, shape)).astype(bool)
    if kind == "S":
        return np.full(shape, b"a")
    raise UnsupportedError(f"input {name!r} is of type {dtype}, which values cannot be made up for")


class InputUsed(Frozen):
    """An input that was made up for timing.

    Attributes:
        name: its name in the signature.
        dtype: NumPy's name of its type.
        shape: its shape, with 1 where the file leaves a dimension open.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
