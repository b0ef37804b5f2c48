"""Settings by pattern of layer name or type."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import Target, matches

_Value = TypeVar("_Value")


def by_pattern(layers: Mapping[str, _Value], targets: Sequence[Target]) -> dict[int, _Value]:
    """What was given layer by layer, by the index of the target; the last pattern holds.

    Args:
        layers: value by pattern, such as {"conv_*": 0.5, "Dense": 0.9}.
        targets: the weights.

    Raises:
        UsageError: a pattern matches no layer.
    """
    own: dict[int, _Value] = {}
    for pattern, value in layers.items():
        found = [i for i, target in enumerate(targets) if matches(target.layer, pattern)]
        if not found:
            names = ", ".join(dict.fromkeys(target.layer.name for target in targets))
            raise UsageError(f"layers names {pattern!r}, which matches none of {names}")
        own.update(dict.fromkeys(found, value))
    return own
