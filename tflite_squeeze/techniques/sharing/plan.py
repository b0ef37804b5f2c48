"""How many values each weight of a model shares, and which weights would not gain by it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.data.data import Data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.skipped import SkippedLayer, why_skipped
from tflite_squeeze.network.weights import Selection, Target, by_pattern, select
from tflite_squeeze.techniques.sharing.centroids import fewest
from tflite_squeeze.techniques.sharing.config import MOST_CLUSTERS, Cluster
from tflite_squeeze.techniques.sharing.record import RefusedSharing
from tflite_squeeze.techniques.sharing.sharing import Sharing
from tflite_squeeze.tflite.lut import lut_bytes
from tflite_squeeze.training.quality import metric_name, quality
from tflite_squeeze.training.record import lost

Array = NDArray[Any]

# Numbers of values that are tried where measured quality decides.
_LADDER = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, MOST_CLUSTERS)
_SAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class ClusterPlan:
    """What will share values, and what will not."""

    sharings: tuple[Sharing, ...]
    skipped: tuple[SkippedLayer, ...]
    refused: tuple[RefusedSharing, ...]

    def why_nothing(self) -> str:
        """The reasons why no weight shares values."""
        refused = [
            f"{one.name}: {one.clusters} values and indices need {one.lut_bytes} bytes, plain int8 "
            f"{one.parameters}"
            for one in self.refused
        ]
        return "; ".join(filter(None, [why_skipped(self.skipped), *refused]))


def cluster_plan(
    model: Any, config: Cluster, measured: Mapping[str, int] | None = None
) -> ClusterPlan:
    """Decides how many values each weight shares.

    Args:
        model: a Keras model of either version.
        config: the configuration.
        measured: for `max_drop`, values by weight, as `measured_counts` found them.

    Raises:
        UsageError: `max_drop` lacks what was measured, or a pattern matches no layer.
    """
    selection = select(model, only=config.only, protect=config.protect)
    own = by_pattern(config.layers, selection.targets)
    sharings, refused = [], []
    for number, target in enumerate(selection.targets):
        count = own.get(number) or _count(config, target, measured)
        sharing = _sharing(config, target, count)
        needed = _lut_bytes(sharing)
        if needed < target.size:
            sharings.append(sharing)
        else:
            refused.append(
                RefusedSharing(
                    name=target.name, parameters=target.size, clusters=count, lut_bytes=needed
                )
            )
    return ClusterPlan(sharings=tuple(sharings), skipped=selection.skipped, refused=tuple(refused))


def _sharing(config: Cluster, target: Target, clusters: int) -> Sharing:
    return Sharing(
        target=target,
        clusters=clusters,
        per_channel=config.per == "channel",
        init=config.init,
        seed=config.seed,
    )


def _count(config: Cluster, target: Target, measured: Mapping[str, int] | None) -> int:
    if config.error is not None:
        return _within(config, target, config.error)
    if config.max_drop is None:
        return config.most
    if measured is None or target.name not in measured:
        raise UsageError(
            f"max_drop needs measured numbers of values, also for {target.name}: use "
            f"cluster(..., data) or the command, which measure them, or pass `measured` to the "
            f"callback"
        )
    return measured[target.name]


def _within(config: Cluster, target: Target, error: float) -> int:
    """The fewest values with which no table errs by more."""
    rows = _sharing(config, target, 2).rows(np.asarray(target.variable))
    return max(
        fewest(row[row != 0], error, MOST_CLUSTERS, config.init, seed=config.seed)
        if row.any()
        else 2
        for row in rows
    )


def _lut_bytes(sharing: Sharing) -> int:
    """Indices and tables of int8 values, when all values that are allowed occur."""
    values = sharing.clusters + bool((np.asarray(sharing.target.variable) == 0).any())
    return lut_bytes(sharing.target.size, values, tables=sharing.tables)


def _shared_at_once(sharing: Sharing, weights: Array) -> Array:
    """Weights with the values that they share, before any training.

    Args:
        sharing: how they share.
        weights: of the variable's shape.
    """
    segments = sharing.segmented(weights)
    counts = np.bincount(segments.ravel(), minlength=sharing.segments)
    sums = np.bincount(segments.ravel(), weights.ravel().astype(np.float64), sharing.segments)
    means = sums / np.maximum(counts, 1)
    means[0] = 0
    return np.asarray(means[segments], weights.dtype)


def measured_counts(model: Any, config: Cluster, data: Data) -> dict[str, int]:
    """The fewest values for each weight with which sharing in it alone costs no more than allowed.

    Args:
        model: a Keras model; its weights are as before afterwards.
        config: with `max_drop`.
        data: labelled data, fitted to it.

    Returns:
        Values by weight: the first of a ladder from 2 to 256 that does.
    """
    if config.max_drop is None:
        raise UsageError("the config has no max_drop: there is nothing to measure")
    sample = data.sample("validation", _SAMPLES)
    metric = metric_name(model)
    whole = quality(model, sample.inputs, sample.labels)
    counts = {}
    selection: Selection = select(model, only=config.only, protect=config.protect)
    for target in selection.targets:
        weights = np.array(target.variable)
        try:
            for count in _LADDER:
                counts[target.name] = count
                sharing = _sharing(config, target, count)
                target.variable.assign(_shared_at_once(sharing, weights))
                value = quality(model, sample.inputs, sample.labels)
                if lost(metric, whole, value) <= config.max_drop:
                    break
        finally:
            target.variable.assign(weights)
    return counts
