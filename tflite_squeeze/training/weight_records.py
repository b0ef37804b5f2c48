"""The zeros of weights before and after a technique, as records."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tflite_squeeze.network.weights import Target
from tflite_squeeze.training.record import PrunedWeight


def zeros_of(variable: Any) -> int:
    """How many values of a Keras variable are zero."""
    return int(np.sum(np.asarray(variable) == 0))


def weight_records(
    targets: Sequence[Target],
    before: Sequence[int],
    unit_of: Callable[[Target], int] = lambda _: 1,
) -> tuple[PrunedWeight, ...]:
    """Counts the zeros of each weight now.

    Args:
        targets: the weights.
        before: zeros of each before.
        unit_of: how many weights of a target are zeroed as one.
    """
    return tuple(
        PrunedWeight(
            name=target.name,
            layer_type=target.layer_type,
            parameters=target.size,
            zeros_before=zeros,
            zeros_after=zeros_of(target.variable),
            unit=unit_of(target),
        )
        for target, zeros in zip(targets, before, strict=True)
    )
