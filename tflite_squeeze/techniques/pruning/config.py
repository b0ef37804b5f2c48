"""What pruning is asked for."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tflite_squeeze.frozen import Frozen, OnlyPatterns, ProtectPatterns
from tflite_squeeze.techniques.pruning.masks import Granularity, parse_granularity
from tflite_squeeze.techniques.pruning.schedules import Polynomial, Schedule, as_schedule
from tflite_squeeze.techniques.pruning.tfmot_schedule import TfmotSchedule

Score = Literal["magnitude", "taylor", "wanda", "random"]
Budget = Literal["uniform", "global", "erk", "sensitivity"]


class Prune(Frozen):
    """How weights are chosen and zeroed.

    Reference: Molchanov et al. 2017, arXiv:1611.06440, equation 8 (taylor); Sun et al. 2023,
    arXiv:2306.11695, equation 1 (wanda); Evci et al. 2020, arXiv:1911.11134 (erk); Guo et al.
    2016, arXiv:1608.04493 (grow).

    Example:
        >>> Prune(sparsity=0.9, schedule="polynomial").budget
        'uniform'
    """

    sparsity: Annotated[float, Field(ge=0, lt=1)] | Literal["median"] | None = Field(
        default=None,
        description='Fraction of the selected weights that become zero, in [0, 1), or "median" '
        "to zero in each tensor what is below its median magnitude.",
    )
    threshold: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Zero every weight whose magnitude is below this, in place of a given "
        "sparsity.",
    )
    schedule: Annotated[Schedule, BeforeValidator(as_schedule)] = Field(
        default_factory=Polynomial,
        description="How sparsity rises during training: a schedule, its name, or a schedule of "
        "TFMOT.",
    )
    score: Score = Field(
        default="magnitude",
        description='What weights are ranked by: "magnitude" is |w|, "taylor" |w · gradient|, '
        '"wanda" |w| · ‖input‖ within each output, and "random" a control.',
    )
    budget: Budget = Field(
        default="uniform",
        description='How sparsity is distributed: "uniform" over all tensors alike, "global" by '
        'ranking all weights together, "erk" with less in smaller tensors, '
        '"sensitivity" by measured curves of accuracy.',
    )
    granularity: str = Field(
        default="element",
        description='What is zeroed as a unit: "element", "filter" (a whole output), a block '
        'such as "1x4" (outputs x inputs), or N:M such as "2:4", which keeps two of '
        "every four inputs.",
    )
    layers: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(
        default_factory=dict,
        description='Sparsity of single layers by pattern of name or type, such as {"conv_*": '
        "0.5}; the last pattern that matches holds.",
    )
    only: OnlyPatterns = ()
    protect: ProtectPatterns = ()
    grow: bool = Field(
        default=False, description="Whether zeroed weights may return while the schedule runs."
    )
    max_layer_sparsity: float = Field(
        default=0.995,
        gt=0,
        le=1,
        description="The most that one tensor may lose, as a fraction, where a budget "
        "distributes the sparsity.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the random score.")

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
