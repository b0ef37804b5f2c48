"""Inputs generated for timing, from a file's types and shapes alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.frozen import Frozen


def made_up(types: Mapping[str, tuple[str, tuple[int, ...]]], seed: int) -> dict[str, NDArray[Any]]:
    """Inputs for timing: the same for the same seed.

    Real values are uniform in [-1, 1). Integers of 8 and 16 bits, which mostly are quantized
    real values, take their whole range; wider ones are 0 or 1, valid indices of every table.

    Args:
        types: type (NumPy's name) and shape by name.
        seed: of the random numbers.

    Raises:
        UnsupportedError: no values can be generated for an input of this type.
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
    raise UnsupportedError(
        f"input {name!r} is of type {dtype}, for which no values can be generated"
    )


class InputUsed(Frozen):
    """An input that was generated for timing.

    Attributes:
        name: its name in the signature.
        dtype: NumPy's name of its type.
        shape: its shape, with 1 where the file leaves a dimension open.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
