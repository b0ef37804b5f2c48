"""What factorization did, as a record independent of Keras."""

import fnmatch

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


class FactorizeRecord(StepRecord):
    """The record of low-rank factorization.

    Attributes:
        config: the configuration that was used.
        layers: every layer that was split.
        refused: every layer that could be split and was not, with the numbers.
        parameters_before: of the whole model; parameters_after: of the factorized model.
        macs_before: of the whole model for one example; macs_after: of the factorized model.
        file_time: the whole file before and after, with `measure`.
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
        for name, reached in (("macs", self.macs_ratio), ("bytes", self.parameters_ratio)):
            wanted = getattr(self.config, f"{name}_ratio")
            if wanted is not None and reached > wanted:
                lines.append(f"{reached:.2%} of the {name} are left, not {wanted:.2%}")
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
