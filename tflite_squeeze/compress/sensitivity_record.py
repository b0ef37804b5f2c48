"""Measured curves of quality against sparsity, as a record that knows no Keras."""

from pydantic import BaseModel, ConfigDict


class SensitivityRecord(BaseModel):
    """What pruning each weight alone costs.

    Attributes:
        model: the model's name.
        sha256: hash of the model, by which a run that was stopped is known again.
        metric: "accuracy", or "loss" where lower is better.
        whole: quality of the whole model on the same samples.
        granularity: what was zeroed as one.
        samples: examples per point; None for all.
        data: where they come from.
        sizes: parameters by weight.
        points: quality by sparsity by weight. JSON makes keys text, so these are pairs.
        complete: whether every point was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    sha256: str
    metric: str
    whole: float
    granularity: str
    samples: int | None
    data: str
    sizes: dict[str, int]
    points: dict[str, tuple[tuple[float, float], ...]]
    complete: bool
