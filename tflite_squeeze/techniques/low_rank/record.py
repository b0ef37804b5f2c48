"""What factorization did, as a record independent of Keras."""

import fnmatch
from typing import Literal

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.training.record import StepRecord


class LayerTime(Frozen):
    """A layer by itself beside what it was split into, on the LiteRT interpreter, in turns.

    Attributes:
        whole_us: shortest time of a run of the layer.
        split_us: of the chain.
        ratio: the median, over turns, of the chain's time over the layer's.
    """

    whole_us: float
    split_us: float
    ratio: float


class Split(Frozen):
    """A layer and what it was, or would have been, split into.

    Attributes:
        layer: its name.
        layer_type: its class.
        scheme: "channel", "spatial" or "tucker".
        ranks: of the chain; for "tucker" that of the inputs and that of the outputs.
        full_ranks: at which nothing is lost.
        parameters_before: weights of the layer's kernel; parameters_after: of the chain's.
        macs_before: multiply-accumulates for one example; macs_after: of the chain.
        error: root mean square error of the outputs relative to the outputs, before any
            training; on white noise where `data_aware` is false.
        data_aware: whether it was taken, and the factors were chosen, on data.
        time: measured times, with `measure`.
    """

    layer: str
    layer_type: str
    scheme: str
    ranks: tuple[int, ...]
    full_ranks: tuple[int, ...]
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    error: float
    data_aware: bool
    time: LayerTime | None = None


class Refusal(Frozen):
    """A split that was not made, with the numbers that speak against it."""

    split: Split
    reason: str


class Trial(Frozen):
    """An allocation of ranks that was measured with all layers split at once.

    Attributes:
        by: what its sum over the layers is the least of.
        divergence: of the model's answers from the original's, before any repair.
        repaired: after the repair; None where it was not repaired.
    """

    by: str
    divergence: float
    repaired: float | None = None


class Spending(Frozen):
    """How a budget was spent on the layers.

    Attributes:
        unit: of the budget.
        keep: fraction of the model's cost that it leaves.
        by: "divergence" as measured on samples, or "energy" of the singular values.
        samples: examples that divergences were measured on.
        trials: allocations that were measured whole, the best first; the one of the least
            divergence, once the first few are repaired, was taken.
    """

    unit: str
    keep: float
    by: Literal["divergence", "energy"]
    samples: int
    trials: tuple[Trial, ...]


class Repair(Frozen):
    """What came of solving layers by least squares after others were split.

    Attributes:
        layers: how many were solved.
        samples: unlabelled examples that they were solved on.
        held_back: examples that the divergence from the original's answers was measured on.
        before: divergence as split.
        after: divergence as repaired.
    """

    layers: int
    samples: int
    held_back: int
    before: float
    after: float

    @property
    def kept(self) -> bool:
        """Whether the model is the repaired one: only where that is better."""
        return self.after < self.before


class FactorizeRecord(StepRecord):
    """The record of low-rank factorization.

    Attributes:
        config: the configuration that was used.
        layers: every layer that was split.
        refused: every layer that could be split and was not, with the numbers.
        parameters_before: of the whole model; parameters_after: of the factorized model.
        macs_before: of the whole model for one example; macs_after: of the factorized model.
        file_time: the whole file before and after, with `measure`.
        allocation: how a budget was spent; None without one.
        repair: what came of repairing the model; None where that was not asked for, or there were
            no samples.
    """

    tables_by = ".tables:factorize_tables"

    config: Factorize
    layers: tuple[Split, ...]
    refused: tuple[Refusal, ...]
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    file_time: LayerTime | None = None
    allocation: Spending | None = None
    repair: Repair | None = None

    @property
    def macs_ratio(self) -> float:
        """Share of the multiply-accumulates that are left."""
        return self.macs_after / max(1, self.macs_before)

    @property
    def parameters_ratio(self) -> float:
        """Share of the parameters that are left."""
        return self.parameters_after / max(1, self.parameters_before)

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """What of the claim was not met, each as a line; empty where all was."""
        lines = [] if self.layers else ["no layer was split"]
        unit, wanted = self.config.limit or ("", 1.0)
        reached = {"macs": self.macs_ratio, "bytes": self.parameters_ratio}.get(unit, 0.0)
        if unit == "latency" and self.file_time is not None and self.file_time.ratio > wanted:
            lines.append(f"the file takes {self.file_time.ratio:.2%} of the time, not {wanted:.2%}")
        if reached > wanted:
            lines.append(f"{reached:.2%} of the {unit} are left, not {wanted:.2%}")
        bound = self.config.max_error
        if bound is not None:
            lines += [
                f"{split.layer} is off by {split.error:.2%}, more than {bound:.2%}"
                for split in self.layers if split.error > bound and not _ranked(self, split)
            ]  # fmt: skip
        if self.file_time is not None and self.file_time.ratio >= 1:
            lines.append(f"the whole file takes {self.file_time.ratio:.2f} times as long")
        return tuple(lines)

    @property
    def reached(self) -> bool:
        """Whether something was split, and the budget, bound and speed asked for are met."""
        return not self.shortfalls


def _ranked(record: FactorizeRecord, split: Split) -> bool:
    """Whether the rank of a layer was given by name."""
    return any(
        fnmatch.fnmatchcase(split.layer, pattern)
        or fnmatch.fnmatchcase(split.layer_type, pattern.removeprefix("type:"))
        for pattern in record.config.ranks
    )
