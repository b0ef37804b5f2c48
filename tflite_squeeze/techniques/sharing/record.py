"""What clustering did, as a record independent of Keras."""

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.tflite.lut import index_bits, lut_bytes
from tflite_squeeze.training.record import StepRecord


class SharedWeight(Frozen):
    """One weight before and after.

    Attributes:
        name: layer and weight.
        layer_type: class of the layer.
        parameters: how many numbers it holds.
        clusters: how many values were allowed, zeros not counted, per table.
        tables: one, or as many as there are output channels.
        distinct_before: values other than 0 before, over all tables.
        distinct_after: the most values other than 0 that a table has after.
        zeros_before: zeros before.
        zeros_after: zeros after.
        error: ‖w - shared‖ / ‖w‖ when the sharing began; 0 where it never did.
        entropy_bytes: what indices need in an ideal coder that knows how often each value occurs.
    """

    name: str
    layer_type: str
    parameters: int
    clusters: int
    tables: int
    distinct_before: int
    distinct_after: int
    zeros_before: int
    zeros_after: int
    error: float
    entropy_bytes: int

    @property
    def values(self) -> int:
        """Values in a table after, with zero where it occurs."""
        return self.distinct_after + (self.zeros_after > 0)

    @property
    def index_bits(self) -> int:
        """Bits of an index into a table."""
        return index_bits(self.values)

    @property
    def lut_bytes(self) -> int:
        """Bytes as indices and tables of int8 values."""
        return lut_bytes(self.parameters, self.values, tables=self.tables)

    @property
    def reached(self) -> bool:
        """Whether it has no more values than were allowed, and no zero less than before."""
        return self.distinct_after <= self.clusters and self.zeros_after >= self.zeros_before


class RefusedSharing(Frozen):
    """A weight that does not get smaller by sharing.

    Attributes:
        name: layer and weight.
        parameters: how many numbers it holds; as many bytes in int8.
        clusters: how many values it would share.
        lut_bytes: indices and table.
    """

    name: str
    parameters: int
    clusters: int
    lut_bytes: int


class ClusterRecord(StepRecord):
    """The record of weight clustering.

    Attributes:
        config: the configuration that was used.
        weights: every weight that shares values.
        refused: weights for which indices and table would be no smaller than plain int8.
    """

    tables_by = ".tables:cluster_tables"

    config: Cluster
    weights: tuple[SharedWeight, ...]
    refused: tuple[RefusedSharing, ...] = ()

    @property
    def reached(self) -> bool:
        """Whether every weight has at most as many values as were allowed, and kept its zeros."""
        return all(weight.reached for weight in self.weights)
