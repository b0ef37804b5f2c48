"""The shared values of a whole model: what callback and verb have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.projections import Attached, attach, detach, nonzero
from tflite_squeeze.network.weight_error import relative_error
from tflite_squeeze.network.weights import Target
from tflite_squeeze.techniques.sharing.centroids import centroids_of, lloyd, nearest
from tflite_squeeze.techniques.sharing.config import Init
from tflite_squeeze.techniques.sharing.projection import SharedProjection

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """How one weight shares values.

    Attributes:
        target: the weight.
        clusters: values of a table, zero not counted.
        per_channel: whether each output channel has a table.
        init: how values are found.
        seed: of the random ways.
    """

    target: Target
    clusters: int
    per_channel: bool = False
    init: Init = "optimal"
    seed: int = 0

    @property
    def tables(self) -> int:
        """How many tables of values there are."""
        return self.target.matrix_shape[0] if self.per_channel else 1

    @property
    def segments(self) -> int:
        """How many segments there are, that of the zeros included."""
        return 1 + self.tables * self.clusters

    def rows(self, weights: Array) -> Array:
        """Weights by table, (tables, weights of a table)."""
        return self.target.matrix(weights).reshape(self.tables, -1)

    def unrowed(self, rows: Array) -> Array:
        """The inverse of `rows`."""
        return self.target.from_matrix(rows.reshape(self.target.matrix_shape))

    def distinct(self, weights: Array) -> list[int]:
        """How many values other than 0 the weights of each table have."""
        return [len(np.unique(row[row != 0])) for row in self.rows(weights)]

    def segmented(self, weights: Array) -> Array:
        """The segment of each weight when values are found anew; zeros stay zeros.

        Args:
            weights: of the variable's shape.

        Returns:
            Of the same shape: 0 for zeros, else one more than the index of the value.
        """
        kept = self.rows(nonzero(weights))
        found = np.zeros(kept.shape, np.int64)
        for number, (row, stays) in enumerate(zip(self.rows(weights), kept, strict=True)):
            if not stays.any():
                continue
            centroids = centroids_of(row[stays], self.clusters, self.init, seed=self.seed)
            found[number, stays] = 1 + number * self.clusters + nearest(row[stays], centroids)
        return self.unrowed(found)

    def moved(self, weights: Array, segments: Array) -> Array:
        """The segments when values settle from where they are: Lloyd's iteration.

        Args:
            weights: of the variable's shape, as they would be without sharing.
            segments: as they are.
        """
        rows, before = self.rows(weights), self.rows(segments)
        after = np.zeros(before.shape, np.int64)
        for number, (row, had) in enumerate(zip(rows, before, strict=True)):
            stays = had > 0
            if not stays.any():
                continue
            counts = np.bincount(had[stays])
            sums = np.bincount(had[stays], row[stays])
            start = sums[counts > 0] / counts[counts > 0]
            centroids = lloyd(np.sort(row[stays].astype(np.float64)), start)
            after[number, stays] = 1 + number * self.clusters + nearest(row[stays], centroids)
        return self.unrowed(after)


class ModelSharing:
    """A projection for every weight of one model that shares values.

    Args:
        sharings: how each of them does.
        follows: whether weights may be assigned to other values later.

    Attributes:
        errors: by weight, ‖w - shared‖ / ‖w‖ as the sharing began.
    """

    def __init__(self, sharings: Sequence[Sharing], *, follows: bool) -> None:
        self._sharings = sharings
        self._attached: Attached = []
        self._projections = []
        self.errors: dict[str, float] = {}
        for sharing in sharings:
            variable = sharing.target.variable
            before = np.array(variable)
            segments = sharing.segmented(before)
            projection = SharedProjection(variable, segments, sharing.segments, follows=follows)
            self._projections.append(projection)
            self.errors[sharing.target.name] = relative_error(
                before.astype(np.float64), np.asarray(variable)
            )

    def attach(self) -> None:
        """Makes the values shared in every step from now on."""
        pairs = zip(self._sharings, self._projections, strict=True)
        self._attached = attach([(sharing.target.variable, each) for sharing, each in pairs])

    def detach(self) -> None:
        """Puts the constraints back as they were; the shared values stay."""
        detach(self._attached)
        self._attached = []

    def reassign(self) -> None:
        """Assigns every weight to the value that is now nearest to what it would be without."""
        for sharing, projection in zip(self._sharings, self._projections, strict=True):
            free = projection.free()
            projection.assign(sharing.moved(free, projection.segments), free)

    def hold(self) -> None:
        """Makes weights share again, whatever was assigned to them meanwhile."""
        for sharing, projection in zip(self._sharings, self._projections, strict=True):
            if projection.table() is not None:
                continue
            weights = np.asarray(sharing.target.variable)
            segments = projection.segments
            if max(sharing.distinct(weights)) <= sharing.clusters:
                segments = sharing.segmented(weights)  # restored ones may share in another way
            projection.assign(np.where(nonzero(weights), segments, 0))

    def distinct(self) -> int:
        """The most values other than 0 that any table has, counted now."""
        return max(map(self._distinct, self._sharings, self._projections), default=0)

    @staticmethod
    def _distinct(sharing: Sharing, projection: SharedProjection) -> int:
        table = projection.table()
        if table is None:
            return max(sharing.distinct(np.asarray(sharing.target.variable)))
        # Sorting all weights of a large network would take as long as several steps.
        rows = table[1:].reshape(sharing.tables, sharing.clusters)
        return max(len(np.unique(row[row != 0])) for row in rows)
