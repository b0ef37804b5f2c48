"""What narrowing did, as a record independent of Keras."""

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.training.record import StepRecord


class NarrowedGroup(Frozen):
    """Layers whose outputs have to have the same width, before and after.

    Attributes:
        layers: the layers that make the channels.
        what: "channels", or of attention the "heads" and their widths.
        before: how many channels they had.
        after: how many they have.
        dead: how many of those that went had weights of zero only.
    """

    layers: tuple[str, ...]
    what: str = "channels"
    before: int
    after: int
    dead: int


class RefusedNarrowing(Frozen):
    """A group that keeps its width, and why."""

    layers: tuple[str, ...]
    what: str = "channels"
    channels: int
    reason: str


class RepairRecord(Frozen):
    """What was solved by least squares, before any training.

    Attributes:
        samples: on how many examples.
        layers: those whose weights were solved.
        left: those whose inputs changed and that could not be solved.
        quality: of the model then, on the validation part; None without labels.
    """

    samples: int
    layers: tuple[str, ...]
    left: tuple[str, ...]
    quality: float | None


class TrialRecord(Frozen):
    """Widths that a search measured as a whole.

    Attributes:
        widths: of the groups, in the order of the record.
        cost: what is left of the cost, as a fraction.
        divergence: of the answers from the original's, after repair and before training.
    """

    widths: tuple[int, ...]
    cost: float
    divergence: float


class SearchRecord(Frozen):
    """The search for widths under a budget.

    Attributes:
        cost: what is left of the budgeted cost, as a fraction.
        divergence: of the answers from the original's, after repair and before training.
        held_back: the examples that it was judged on.
        trials: what was measured as a whole.
    """

    cost: float
    divergence: float
    held_back: int
    trials: tuple[TrialRecord, ...]


class NarrowRecord(StepRecord):
    """The record of narrowing (filter pruning).

    Attributes:
        config: the configuration that was used.
        scores: by which scores channels were ranked.
        repair: what was solved without training; None where nothing was.
        search: the search under a budget; None without one.
        groups: what got narrower.
        refused: groups that could have been narrowed but were not, with reasons.
        parameters_before: parameters of the model before.
        parameters_after: and after.
    """

    tables_by = ".tables:narrow_tables"

    config: Narrow
    scores: tuple[str, ...] = ("norm",)
    repair: RepairRecord | None = None
    search: SearchRecord | None = None
    groups: tuple[NarrowedGroup, ...]
    refused: tuple[RefusedNarrowing, ...]
    parameters_before: int
    parameters_after: int

    @property
    def reached(self) -> bool:
        """Whether anything got narrower, and within the budget."""
        if self.search is not None and self.search.cost > (self.config.keep or 1) * 1.02:
            return False
        return bool(self.groups)
