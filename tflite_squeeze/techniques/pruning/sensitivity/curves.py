"""How much quality each tensor costs when it alone is pruned, without training."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tflite_squeeze.data.data import Data
from tflite_squeeze.network.weights import Selection, Target
from tflite_squeeze.techniques.pruning.masks import parse_granularity
from tflite_squeeze.techniques.pruning.sensitivity.record import Curve
from tflite_squeeze.training.quality import metric_name, quality
from tflite_squeeze.training.record import lost

SPARSITIES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)


def measure_curves(
    model: Any,
    data: Data,
    selection: Selection,
    *,
    sparsities: Sequence[float] = SPARSITIES,
    granularity: str = "element",
    samples: int | None = 1000,
    known: dict[str, dict[float, float]] | None = None,
    on_point: Callable[[Target, float, float], None] | None = None,
) -> dict[str, Curve]:
    """Prunes one tensor after the other by magnitude and measures the quality each time.

    Args:
        model: a Keras model; its weights are as before afterwards.
        data: labelled data, fitted to it.
        selection: the weights.
        sparsities: rising, in (0, 1).
        granularity: what is zeroed as one.
        samples: examples of the validation part; None for all.
        known: quality by sparsity by target name, from an earlier run; not measured again.
        on_point: called with each new point: target, sparsity, quality.

    Returns:
        Per target name, (sparsity, loss of quality): fractions of accuracy for classifiers, the
        relative rise of the loss for others; negative where pruning helps.
    """
    sample = data.sample("validation", samples)
    units = parse_granularity(granularity)
    metric = metric_name(model)
    whole = quality(model, sample.inputs, sample.labels)
    curves = {}
    for target in selection.targets:
        weights = np.array(target.variable)
        matrix = np.abs(target.matrix(weights))
        points = []
        try:
            for sparsity in sparsities:
                value = (known or {}).get(target.name, {}).get(sparsity)
                if value is None:
                    mask = target.from_matrix(units.mask(matrix, sparsity))
                    target.variable.assign(weights * mask)
                    value = quality(model, sample.inputs, sample.labels)
                    if on_point is not None:
                        on_point(target, sparsity, value)
                points.append((sparsity, lost(metric, whole, value)))
        finally:
            target.variable.assign(weights)
        curves[target.name] = tuple(points)
    return curves
