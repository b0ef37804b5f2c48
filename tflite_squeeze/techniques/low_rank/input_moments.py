"""The second moments of what kernels see, streamed over samples in float64."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.network.least_squares import rows
from tflite_squeeze.network.observing import observed
from tflite_squeeze.techniques.low_rank.factorable import Splittable
from tflite_squeeze.techniques.low_rank.low_rank import Moment

Array = NDArray[Any]

# Wider inputs would need a matrix of more than half a gigabyte.
WIDEST = 8192
# Patches of one batch overlap; so many of them, or so many for each input, say as much as all.
_ROWS, _ROWS_EACH = 4096, 2


def input_moments(
    model: Any, layers: Sequence[Splittable], batches: Iterable[Any]
) -> dict[int, Any]:
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
    sums: dict[int, _Sum] = {}
    for one in layers:
        if one.looked_up or max(one.widths) <= WIDEST:
            for layer, width in zip(one.watched, one.widths, strict=True):
                sums[id(layer)] = _Sum(layer, width, looked_up=one.looked_up)

    def add(layer: Any, inputs: Any, _: Any) -> None:
        sums[id(layer)].add(inputs)

    with observed((total.layer for total in sums.values()), add):
        for inputs in batches:
            model(inputs, training=False)
    found = {key: total.moment() for key, total in sums.items() if total.count}
    return {
        id(one.layer): one.moment_of([found[id(layer)] for layer in one.watched])
        for one in layers
        if all(id(layer) in found for layer in one.watched)
    }


class _Sum:
    """Running sums for one kernel."""

    def __init__(self, layer: Any, width: int, *, looked_up: bool) -> None:
        self.layer = layer
        self.count = 0
        self._first = np.ones(width) if looked_up else np.zeros(width)
        self._second = None if looked_up else np.zeros((width, width))

    def add(self, inputs: Any) -> None:
        """Adds a batch of the layer's inputs."""
        if self._second is None:
            ids = np.asarray(inputs).astype(np.int64).ravel()
            self._first += np.bincount(ids, minlength=len(self._first))
            self.count += len(ids)
            return
        seen = rows_of(self.layer, inputs, max(_ROWS, _ROWS_EACH * len(self._first)))
        seen = seen.astype(np.float64)
        self._second += seen.T @ seen
        self._first += seen.sum(axis=0)
        self.count += len(seen)

    def moment(self) -> Moment:
        """What was added up, by count."""
        if self._second is None:
            mean = self._first / self._first.sum()
            return Moment(second=mean, mean=mean, count=self.count)
        return Moment(
            second=self._second / self.count, mean=self._first / self.count, count=self.count
        )


def rows_of(layer: Any, inputs: Any, most: int | None = None) -> Array:
    """What a kernel multiplies, a row for each place: (places, rows columns in).

    Args:
        layer: Dense, Conv2D, EinsumDense or a separable convolution, of which the pointwise
            kernel counts.
        inputs: a batch of its inputs.
        most: about how many rows at most, drawn from each example alike; None for all.
    """
    x = tf.cast(inputs, tf.float32)
    if type(layer).__name__.startswith("Separable"):
        x = _depthwise(layer, x)
        flat = np.asarray(x).reshape(-1, x.shape[-1])
        return flat if most is None else flat[:: -(-len(flat) // most)]
    positions = None if most is None else -(-most // len(x))
    return rows(layer, np.asarray(x), positions)


def _depthwise(layer: Any, x: Any) -> Any:
    """What the first half of a separable convolution answers."""
    kernel, steps, apart = (
        tf.convert_to_tensor(layer.depthwise_kernel), layer.strides, layer.dilation_rate,
    )  # fmt: skip
    padding = layer.padding.upper()
    if len(layer.kernel_size) == 1:
        if padding == "CAUSAL":
            x = tf.pad(x, [(0, 0), ((layer.kernel_size[0] - 1) * apart[0], 0), (0, 0)])
            padding = "VALID"
        x, kernel, steps, apart = x[:, tf.newaxis], kernel[tf.newaxis], steps * 2, (1, *apart)
    return tf.nn.depthwise_conv2d(x, kernel, [1, *steps, 1], padding, dilations=apart)
