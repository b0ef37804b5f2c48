"""The momentum of moving statistics while a model is trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tflite_squeeze.training.statistics import normalizations


def momentum_of(model: Any) -> float | None:
    """The highest momentum of a model's batch normalizations; None where it has none.

    Args:
        model: a Keras model of either version.
    """
    return max((float(layer.momentum) for layer in normalizations(model)), default=None)


@contextmanager
def momentum_at_most(model: Any, momentum: float | None) -> Iterator[None]:
    """Lets moving statistics follow faster for the block; each layer then has its own again.

    The layers read it when a training step is traced, so the block has to hold the tracing.

    Args:
        model: a Keras model of either version.
        momentum: at most this one; None changes nothing.
    """
    layers = [] if momentum is None else normalizations(model)
    own = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = min(layer.momentum, momentum)
        yield
    finally:
        for layer, value in zip(layers, own, strict=True):
            layer.momentum = value
