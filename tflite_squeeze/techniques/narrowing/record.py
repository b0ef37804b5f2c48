"""What narrowing did, as a record independent of Keras."""

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.training.record import StepRecord


class NarrowedGroup(Frozen):
    """Layers whose outputs have to have the same width, before and after.

    Attributes:
        layers: the layers that make the channels.
        before: how many channels they had.
        after: how many they have.
        dead: how many of those that went had weights of zero only.
    """

    layers: tuple[str, ...]
    before: int
    after: int
    dead: int


class RefusedNarrowing(Frozen):
    """A group that keeps its width, and why."""

    layers: tuple[str, ...]
    channels: int
    reason: str


class NarrowRecord(StepRecord):
    """The record of narrowing (filter pruning).

    Attributes:
        config: the configuration that was used.
        groups: what got narrower.
        refused: groups that could have been narrowed but were not, with reasons.
        parameters_before: parameters of the model before.
        parameters_after: and after.
    """

    tables_by = ".tables:narrow_tables"

    config: Narrow
    groups: tuple[NarrowedGroup, ...]
    refused: tuple[RefusedNarrowing, ...]
    parameters_before: int
    parameters_after: int

    @property
    def reached(self) -> bool:
        """Whether anything got narrower."""
        return bool(self.groups)
