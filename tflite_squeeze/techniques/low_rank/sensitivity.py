"""How much the model's answers change when layers are replaced by chains of lower rank.

A kernel is overwritten in place with the product of its factors, and only what follows the layer
is computed again: nothing is rebuilt or traced.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.forward import Forward
from tflite_squeeze.techniques.low_rank.factor_schemes import Choice
from tflite_squeeze.techniques.low_rank.factorable import Weighed
from tflite_squeeze.training.divergence import Divergence

Array = NDArray[Any]

# Ranks of a layer at which its divergence is measured, as fractions of the cost of the whole.
_COSTS = {2: (0.2, 0.6), 4: (0.1, 0.3, 0.5, 0.8)}
_LEAST = 1e-12


class Sensitivity:
    """The divergence of a model's answers on samples under changed layers.

    Args:
        model: a Keras model of either version, with a graph of layers.
        inputs: samples by input name, (N, ...).
        points: at how many ranks each layer is to be measured, 2 or 4.

    Attributes:
        samples: how many there are.
        points: as given.
    """

    def __init__(self, model: Any, inputs: dict[str, Array], points: int = 4) -> None:
        self.points = points
        self._run = Forward(model, inputs)
        self._divergence = Divergence(model, self._run.outputs)
        self.samples = len(next(iter(inputs.values())))

    def of(self, changes: Sequence[tuple[Weighed, Choice]]) -> float:
        """The divergence with some layers split, all at once.

        Args:
            changes: layers and how each is split.
        """
        with _truncated(changes):
            ids = {id(layer.one.layer) for layer, _ in changes}
            after = self._run.outputs_after(ids)
        return self._divergence.of(after)


@contextmanager
def _truncated(changes: Sequence[tuple[Weighed, Choice]]) -> Iterator[None]:
    """Overwrites kernels with the products of their factors, for the block."""
    kept: list[tuple[Any, Array]] = []
    try:
        for layer, way in changes:
            chain = layer.unfolded.factors(way.scheme, way.ranks)
            for variable, values in layer.one.truncated(chain, layer.moment):
                kept.append((variable, np.array(variable)))
                variable.assign(values.astype(kept[-1][1].dtype))
        yield
    finally:
        for variable, values in reversed(kept):
            variable.assign(values)


def probed(costs: Array, points: int = 4) -> list[int]:
    """Which options of a layer to measure.

    Args:
        costs: of the options, rising, the whole layer's last, (n,).
        points: how many to measure, 2 or 4.

    Returns:
        Positions of those whose costs are nearest to some fractions of the whole's.

    Example:
        >>> probed(np.array([1.0, 5.0, 9.0, 10.0]))
        [0, 1, 2]
    """
    options = costs[:-1]
    return sorted({int(np.argmin(np.abs(options - share * costs[-1]))) for share in _COSTS[points]})


def interpolated(losses: Array, known: Sequence[tuple[float, float]]) -> Array:
    """The divergence at each loss, from those that were measured.

    Both are small where the other is, and nearly proportional, so that the logarithms are
    interpolated; outside of what was measured they are proportional.

    Args:
        losses: share of the energy of a layer's outputs that is lost, (n,).
        known: measured (loss, divergence) pairs.

    Returns:
        (n,), never falling with the loss, 0 where nothing is lost.

    Example:
        >>> interpolated(np.array([0.0, 0.01, 0.4]), [(0.1, 0.2), (0.2, 0.6)])
        array([0.  , 0.02, 1.2 ])
    """
    pairs = np.array(sorted(known)) + _LEAST
    points, measured = pairs[:, 0], np.maximum.accumulate(np.minimum(pairs[:, 1], 1e6))
    given = np.maximum(losses, _LEAST)
    between = np.exp(np.interp(np.log(given), np.log(points), np.log(measured)))
    outside = np.where(given < points[0], given / points[0], np.maximum(given / points[-1], 1.0))
    return np.where(losses <= _LEAST, 0.0, between * outside)
