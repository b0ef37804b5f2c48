"""What pruning is asked for."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.techniques.pruning.masks import Granularity, parse_granularity
from tflite_squeeze.techniques.pruning.schedules import Polynomial, Schedule, as_schedule
from tflite_squeeze.techniques.pruning.tfmot_schedule import TfmotSchedule

Score = Literal["magnitude", "taylor", "wanda", "random"]
Budget = Literal["uniform", "global", "erk", "sensitivity"]


class Prune(Frozen):
    """How weights are chosen and zeroed.

    Attributes:
        sparsity: share of the weights of the selected layers that end as zero, in [0, 1), or
            "median", which zeroes in each tensor what is below its median magnitude. Fixed by
            the pattern for N:M.
        threshold: instead, zero every weight whose magnitude is below this.
        schedule: how sparsity rises while training: a schedule, its name, or one of TFMOT.
        score: what a weight is ranked by. "magnitude" |w|; "taylor" |w g| with the gradient of
            the loss (Molchanov et al. 2017, arXiv:1611.06440, equation 8); "wanda" |w| ‖x‖ with
            the norm of the input that it multiplies, compared within each output (Sun et al.
            2023, arXiv:2306.11695, equation 1); "random" as a control.
        budget: how the sparsity is spread. "uniform" all tensors alike; "global" all weights
            ranked together; "erk" smaller tensors denser (Evci et al. 2020, arXiv:1911.11134);
            "sensitivity" so that measured curves of accuracy lose least.
        granularity: what is zeroed as one: "element", "filter" (a whole output), a block such as
            "1x4" (outputs x inputs), or a pattern along the inputs such as "2:4".
        layers: sparsity by pattern of layer name or type, such as {"conv_*": 0.5, "Dense": 0.9}.
        only: patterns of the layers to prune; empty for all that can be.
        protect: patterns of layers that stay dense; "first" and "last" too.
        grow: whether a zeroed weight may return while the schedule runs (Guo et al. 2016,
            arXiv:1608.04493).
        max_layer_sparsity: with budgets that spread, the most that one tensor may lose.
        seed: of random scores.

    Example:
        >>> Prune(sparsity=0.9, schedule="polynomial").budget
        'uniform'
    """

    sparsity: Annotated[float, Field(ge=0, lt=1)] | Literal["median"] | None = None
    threshold: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    schedule: Annotated[Schedule, BeforeValidator(as_schedule)] = Field(default_factory=Polynomial)
    score: Score = "magnitude"
    budget: Budget = "uniform"
    granularity: str = "element"
    layers: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(default_factory=dict)
    only: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    grow: bool = False
    max_layer_sparsity: float = Field(default=0.995, gt=0, le=1)
    seed: int = Field(default=0, ge=0)

    @field_validator("granularity")
    @classmethod
    def _can_be_read(cls, text: str) -> str:
        parse_granularity(text)
        return text

    @model_validator(mode="after")
    def _says_how_much(self) -> "Prune":
        pattern = self.units.fixed_sparsity
        ways = [self.sparsity is not None, self.threshold is not None, pattern is not None,
                isinstance(self.schedule, TfmotSchedule) and self.schedule.final_sparsity > 0,
                ]  # fmt: skip
        if not any(ways):
            raise ValueError("nothing says how much to prune: pass sparsity, such as 0.9")
        if self.sparsity is not None and self.threshold is not None:
            raise ValueError("sparsity and threshold contradict each other: pass one of them")
        if pattern is not None and self.sparsity is not None:
            raise ValueError(
                f"granularity {self.granularity} fixes the sparsity at {pattern:g}: leave sparsity "
                f"out"
            )
        if self.units.kind != "element" and (self.threshold or self.sparsity == "median"):
            raise ValueError("threshold and the median zero single elements: granularity='element'")
        if self.score == "wanda" and self.units.kind == "filter":
            raise ValueError("wanda ranks within an output and cannot choose outputs: use taylor")
        return self

    @property
    def units(self) -> Granularity:
        """The granularity, read."""
        return parse_granularity(self.granularity)

    @property
    def target(self) -> float:
        """The final sparsity of all selected weights; 0 where a threshold decides."""
        if (pattern := self.units.fixed_sparsity) is not None:
            return pattern
        if self.sparsity == "median":
            return 0.5
        if self.sparsity is not None:
            return float(self.sparsity)
        if isinstance(self.schedule, TfmotSchedule):
            return self.schedule.final_sparsity
        return 0.0
