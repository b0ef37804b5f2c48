"""What either way to binarise a model hands back."""

from dataclasses import dataclass
from typing import Any

from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.techniques.binarization.record import BinarizedWeight, LayerChange


@dataclass(frozen=True, kw_only=True)
class Made:
    """A model, and what was done to it.

    Attributes:
        model: the Keras model.
        weights: every weight that was binarised.
        skipped: layers that were not, with reasons.
        changes: what was done to the layers around them.
        notes: what else to know.
    """

    model: Any
    weights: tuple[BinarizedWeight, ...]
    skipped: tuple[SkippedLayer, ...]
    changes: tuple[LayerChange, ...] = ()
    notes: tuple[str, ...] = ()
