"""Pools over volumes, for which TFLite has no operator, as pools over planes and over depth."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import tensorflow as tf

from tflite_squeeze.network import flavors

_POOLS = {"MaxPooling3D": tf.nn.max_pool2d, "AveragePooling3D": tf.nn.avg_pool2d}


@contextmanager
def planes_for_volumes(model: Any) -> Iterator[None]:
    """Within it, layers that pool volumes are traced as two pools in two dimensions each.

    The largest of a window is the largest of its planes' largest; the mean is the mean of their
    means, since each plane of a window has as many elements inside the image.

    Args:
        model: a model of either version of Keras; it is restored when the block ends.
    """
    with ExitStack() as undo:
        for layer in flavors.walk_layers(model):
            if type(layer).__name__ in _POOLS:
                undo.enter_context(_by_planes(layer))
        yield


@contextmanager
def _by_planes(layer: Any) -> Iterator[None]:
    original, pool = layer.call, _POOLS[type(layer).__name__]

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def call(volumes: Any) -> Any:
        first = layer.data_format == "channels_first"
        given = tf.transpose(volumes, (0, 2, 3, 4, 1)) if first else volumes
        if None in given.shape[1:]:
            return original(volumes)
        pooled = pooled_volumes(pool, given, layer.pool_size, layer.strides, layer.padding)
        return tf.transpose(pooled, (0, 4, 1, 2, 3)) if first else pooled

    # Past what a Keras does to attributes of layers.
    object.__setattr__(layer, "call", call)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")


def pooled_volumes(
    pool: Any, volumes: Any, size: tuple[int, ...], strides: tuple[int, ...], padding: str
) -> Any:
    """Pools volumes by their planes, then along their depth.

    Args:
        pool: `tf.nn.max_pool2d` or `tf.nn.avg_pool2d`.
        volumes: (batch, depth, height, width, channels), all but the batch known.
        size: of the window: depth, height, width.
        strides: of the window.
        padding: "valid" or "same".

    Returns:
        (batch, depth, height, width, channels).
    """
    _, depth, height, width, channels = volumes.shape
    found = tf.reshape(volumes, (-1, height, width, channels))
    found = pool(found, size[1:], strides[1:], padding.upper())
    _, height, width, _ = found.shape
    found = tf.reshape(found, (-1, depth, height * width, channels))
    found = pool(found, (size[0], 1), (strides[0], 1), padding.upper())
    return tf.reshape(found, (-1, found.shape[1], height, width, channels))
