"""Layers that compute with other numbers than their weights hold, for as long as a block runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import tensorflow as tf

from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.network.weights import Selection, Target


@contextmanager
def replaced(targets: Sequence[Target], tensors: Sequence[Any]) -> Iterator[None]:
    """Lets layers compute with tensors in place of their weights.

    There are thus no layer types of a technique's own, and models of any build can be trained.

    Args:
        targets: the weights.
        tensors: what stands in for each, of its shape.
    """
    places = [place_of(target) for target in targets]
    kept = [(place, place[0].__dict__[place[1]]) for place in places if place is not None]
    try:
        for (place, _), target, tensor in zip(kept, targets, tensors, strict=True):
            dtype = getattr(target.layer, "compute_dtype", None) or tensor.dtype
            # Past the attribute hooks of Keras, which would track or refuse a tensor.
            place[0].__dict__[place[1]] = tf.cast(tensor, dtype)
        yield
    finally:
        for place, variable in kept:
            place[0].__dict__[place[1]] = variable


def place_of(target: Target) -> tuple[Any, str] | None:
    """The object and the attribute in which a layer keeps a weight; None where it computes it."""
    for holder in (target.layer, getattr(target.layer, "cell", None)):
        for name, value in getattr(holder, "__dict__", {}).items():
            if value is target.variable:
                return holder, name
    return None


def replaceable(selection: Selection) -> Selection:
    """Leaves out weights that their layer computes anew: nothing can stand in for those."""
    kept = tuple(target for target in selection.targets if place_of(target) is not None)
    out = [target.layer for target in selection.targets if place_of(target) is None]
    reason = "its weight is computed from others, so nothing can stand in for it"
    skipped = tuple(
        SkippedLayer(layer=layer.name, layer_type=type(layer).__name__, reason=reason)
        for layer in out
    )
    return replace(selection, targets=kept, skipped=(*selection.skipped, *skipped))
