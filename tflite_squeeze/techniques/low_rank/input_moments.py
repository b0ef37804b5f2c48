"""The second moments of what kernels see, streamed over samples in float64."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.network.observing import observed
from tflite_squeeze.techniques.low_rank.factorable import Factorable
from tflite_squeeze.techniques.low_rank.low_rank import Moment

Array = NDArray[Any]

# Wider inputs would need a matrix of more than half a gigabyte.
WIDEST = 8192
# Patches of one batch overlap; so many of them, evenly spread, say as much as all.
_ROWS = 16_384


def input_moments(
    model: Any, layers: Sequence[Factorable], batches: Iterable[Any]
) -> dict[int, Moment]:
    """Runs samples through a model and adds up x xᵀ and x of each kernel's inputs.

    Args:
        model: the model, run eagerly in inference mode.
        layers: whose kernels.
        batches: inputs as the model takes them.

    Returns:
        Moments by id of the layer; none for layers whose inputs are wider than `WIDEST`, or that
        were not called. For an Embedding the frequencies of its ids, each counted once more, so
        that those not seen keep some weight.
    """
    sums = {
        id(one.layer): _Sum(one)
        for one in layers
        if one.kind == "Embedding" or one.kernel[..., 0].size <= WIDEST
    }

    def add(layer: Any, inputs: Any, _: Any) -> None:
        sums[id(layer)].add(inputs)

    with observed((one.layer for one in layers if id(one.layer) in sums), add):
        for inputs in batches:
            model(inputs, training=False)
    return {key: total.moment() for key, total in sums.items() if total.count}


class _Sum:
    """Running sums for one kernel."""

    def __init__(self, one: Factorable) -> None:
        self._one = one
        self.count = 0
        size = one.kernel[..., 0].size
        looked_up = one.kind == "Embedding"
        self._first = np.ones(size) if looked_up else np.zeros(size)
        self._second = None if looked_up else np.zeros((size, size))

    def add(self, inputs: Any) -> None:
        """Adds a batch of the layer's inputs."""
        if self._second is None:
            ids = np.asarray(inputs).astype(np.int64).ravel()
            self._first += np.bincount(ids, minlength=len(self._first))
            self.count += len(ids)
            return
        rows = rows_of(self._one, inputs)
        if len(rows) > _ROWS:
            rows = rows[np.linspace(0, len(rows) - 1, _ROWS).astype(int)]
        rows = rows.astype(np.float64)
        self._second += rows.T @ rows
        self._first += rows.sum(axis=0)
        self.count += len(rows)

    def moment(self) -> Moment:
        """What was added up, by count."""
        if self._second is None:
            mean = self._first / self._first.sum()
            return Moment(second=mean, mean=mean, count=self.count)
        return Moment(
            second=self._second / self.count, mean=self._first / self.count, count=self.count
        )


def rows_of(one: Factorable, inputs: Any) -> Array:
    """What a kernel multiplies, a row for each place: (places, rows columns in).

    Args:
        one: the layer.
        inputs: a batch of its inputs.
    """
    layer = one.layer
    inputs = tf.cast(inputs, tf.float32)
    if one.kind == "Conv2D":
        patches = tf.image.extract_patches(
            inputs,
            sizes=[1, *layer.kernel_size, 1],
            strides=[1, *layer.strides, 1],
            rates=[1, *layer.dilation_rate, 1],
            padding=layer.padding.upper(),
        )
        return np.asarray(patches).reshape(-1, patches.shape[-1])
    values = np.asarray(inputs)
    if one.kind == "EinsumDense":
        received, kernel, result = layer.equation.replace("->", ",").split(",")
        summed = [letter for letter in kernel if letter not in result]
        if "..." in received:
            gap = "".join(chr(0x3B1 + i) for i in range(values.ndim - len(received) + 3))
            received = received.replace("...", gap)
        last = [received.index(letter) for letter in summed]
        values = np.moveaxis(values, last, range(values.ndim - len(last), values.ndim))
    return values.reshape(-1, one.shape[2])
