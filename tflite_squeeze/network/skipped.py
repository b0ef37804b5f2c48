"""Layers that stayed as they were, and why."""

from collections.abc import Iterable

from tflite_squeeze.frozen import Frozen


class SkippedLayer(Frozen):
    """A layer that stayed as it was, and why."""

    layer: str
    layer_type: str
    reason: str


def why_skipped(skipped: Iterable[SkippedLayer]) -> str:
    """The layers and the reasons on one line; a layer of several weights is named once."""
    return "; ".join(dict.fromkeys(f"{item.layer}: {item.reason}" for item in skipped))
