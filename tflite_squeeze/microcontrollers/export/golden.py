"""Golden vectors: generated inputs, and the outputs of TFLM's own interpreter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.microcontrollers.export.tensors import CTensor

Array = NDArray[Any]

_MOST_CASES = 4
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class MicroGolden:
    """Golden vectors.

    Attributes:
        inputs: by input (cases, *the tensor's shape); outputs: by output, the same way.
    """

    inputs: Sequence[Array]
    outputs: Sequence[Array]

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return len(self.outputs[0])

    @property
    def n_bytes(self) -> int:
        """What they take in flash."""
        return sum(array.nbytes for array in (*self.inputs, *self.outputs))

    @property
    def tells(self) -> bool:
        """Whether the outputs hold more than one value; else a broken model may pass too."""
        return any(bool(np.any(array != array.flat[0])) for array in self.outputs)


def golden_cases(tensors: Sequence[CTensor]) -> int:
    """How many cases fit: up to 4, in 64 KiB, one at least.

    Args:
        tensors: the inputs and outputs.
    """
    a_case = sum(tensor.n_bytes for tensor in tensors)
    return max(1, min(_MOST_CASES, _MOST_BYTES // max(a_case, 1)))


def check_golden(golden: MicroGolden) -> None:
    """Refuses outputs that no test can compare.

    Raises:
        UnsupportedError: an output is not finite.
    """
    if not all(np.all(np.isfinite(array)) for array in golden.outputs):
        raise UnsupportedError(
            "this file outputs NaN or infinity on generated inputs, which golden vectors cannot "
            "check: tflite-squeeze verify MODEL FILE.tflite shows where they come from"
        )
