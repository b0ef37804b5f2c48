"""A technique's settings that ask for less: half of the way back to the model as it is."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.techniques.technique import Softer

# What would change less than this is left to do nothing at all.
_LEAST_REMOVED = 0.05


def softer(config: Frozen, rules: Mapping[str, Softer]) -> Frozen | None:
    """The same settings, asking for half as much, as counted by the logarithm of what is left.

    Args:
        config: of a technique.
        rules: what its fields mean, by name: see `Technique.softer`.

    Returns:
        The settings; None where none of them can ask for less.

    Example:
        >>> softer(Narrow(ratio=0.75), {"ratio": "removed"}).ratio
        0.5
    """
    halved = {name: _halved(getattr(config, name), rule) for name, rule in rules.items()}
    update = {name: value for name, value in halved.items() if value is not None}
    if not update:
        return None
    given = {name: getattr(config, name) for name in config.model_fields_set}
    try:
        return type(config).model_validate({**given, **update})
    except ValidationError:
        return None  # twice as many values as there can be


def _halved(value: Any, rule: Softer) -> Any:
    """A value, or each of a dictionary or a pair; None where there is nothing to ask less of."""
    if isinstance(value, dict):
        found = {key: _halved(part, rule) for key, part in value.items()}
        less = {key: part for key, part in found.items() if part is not None}
        return {**value, **less} if less else None
    if isinstance(value, tuple):
        return tuple(2 * part for part in value)
    if isinstance(value, bool | str) or not value:
        return None
    if rule == "removed":
        return round(1 - math.sqrt(1 - value), 4) if value >= _LEAST_REMOVED else None
    if rule == "kept":
        return round(math.sqrt(value), 4) if value <= 1 - _LEAST_REMOVED else None
    return {"count": 2 * value, "bits": value + 1, "price": value / 2}[rule]


def changes(before: Frozen, after: Frozen) -> str:
    """What differs between two configs of one class, in a few words.

    Example:
        >>> changes(Narrow(ratio=0.75), Narrow(ratio=0.5))
        'ratio 0.75 → 0.5'
    """
    return ", ".join(
        f"{name} {old} → {new}"
        for name in type(before).model_fields
        if (old := getattr(before, name)) != (new := getattr(after, name))
    )
