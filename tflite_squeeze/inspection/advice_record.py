"""One piece of advice about a model or a file, with what it costs not to follow it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class AdviceKind(StrEnum):
    """What advice is about."""

    DYNAMIC_BATCH = "dynamic_batch"
    UNFUSED_BATCH_NORMALIZATION = "unfused_batch_normalization"
    UNFUSED_ACTIVATION = "unfused_activation"
    FLOAT_ISLAND = "float_island"
    FLEX_OPERATORS = "flex_operators"
    CUSTOM_OPERATORS = "custom_operators"
    PER_CHANNEL_OVERHEAD = "per_channel_overhead"
    NOT_DELEGATED = "not_delegated"


class Advice(BaseModel):
    """What could be better, what it costs, and what to do.

    Attributes:
        kind: what it is about.
        text: one line with the cost and the remedy.
        where: the operators ("CONV_2D 0:3": subgraph 0, operator 3) or the layers.
        cost_bytes: bytes in the file, or moved in each run, as `text` says.
        cost_elements: numbers computed in each run, for a batch of 1 where it is open.
        cost_us: measured microseconds of each run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: AdviceKind
    text: str
    where: tuple[str, ...]
    cost_bytes: int | None = None
    cost_elements: int | None = None
    cost_us: float | None = None
