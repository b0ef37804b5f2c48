"""Measured curves of quality against sparsity, as a record independent of Keras."""

from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.training.record import lost

Curve = tuple[tuple[float, float], ...]


class SensitivityRecord(Displayed):
    """What pruning each weight alone costs.

    Attributes:
        model: the model's name.
        sha256: hash of the model, by which a run that was stopped is known again.
        metric: "accuracy", or "loss" where lower is better.
        whole: quality of the whole model on the same samples.
        granularity: what was zeroed as one.
        samples: examples that each point was measured on.
        data: where they come from.
        sizes: parameters by weight.
        points: quality by sparsity by weight. JSON makes keys text, so these are pairs.
        complete: whether every point was measured.
    """

    tables_by = ".tables:sensitivity_tables"
    pictures_by = {"quality against zeros, by weight": ".tables:sensitivity_plot"}

    model: str
    sha256: str
    metric: str
    whole: float
    granularity: str
    samples: int
    data: str
    sizes: dict[str, int]
    points: dict[str, Curve]
    complete: bool

    def losses(self) -> dict[str, Curve]:
        """(sparsity, loss of quality) by weight, as `lost` counts it."""
        return {
            name: tuple(
                (sparsity, lost(self.metric, self.whole, value)) for sparsity, value in curve
            )
            for name, curve in self.points.items()
        }
