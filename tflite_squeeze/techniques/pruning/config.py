"""The configuration of pruning."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tflite_squeeze.errors import UsageError
from tflite_squeeze.frozen import Frozen, OnlyPatterns, ProtectPatterns
from tflite_squeeze.techniques.pruning import budgets, scores
from tflite_squeeze.techniques.pruning.masks import Element, Filter, Granularity, parse_granularity
from tflite_squeeze.techniques.pruning.schedules import Polynomial, Schedule, as_schedule
from tflite_squeeze.techniques.pruning.tfmot_schedule import TfmotSchedule
from tflite_squeeze.training.named_functions import Named, path_of

SCORE = Named("score", scores.SCORES, scores.GIVEN)
BUDGET = Named("budget", budgets.BUDGETS, budgets.GIVEN)


class Prune(Frozen):
    """How weights are chosen and zeroed.

    A schedule is one of this package's, its name, or one of TensorFlow Model Optimization. A score
    or budget of your own is a function of any of what `scores.GIVEN` or `budgets.GIVEN` lists.

    Reference: Molchanov et al. 2017, arXiv:1611.06440, equation 8 (taylor); Sun et al. 2023,
    arXiv:2306.11695, equation 1 (wanda); Evci et al. 2020, arXiv:1911.11134 (erk); Guo et al.
    2016, arXiv:1608.04493 (grow).

    Example:
        >>> Prune(sparsity=0.9, schedule="polynomial", layers={"conv_*": 0.5}).budget
        'erk'
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
        default_factory=Polynomial, description="How sparsity rises during training."
    )
    score: Annotated[str | Callable[..., Any], SCORE] = Field(
        default="magnitude",
        description='What weights are ranked by: "magnitude" is |w|, "taylor" |w · gradient|, '
        '"wanda" |w| · ‖input‖ within each output, "random" a control; or a function, also as '
        "package.module:function.",
    )
    budget: Annotated[str | Callable[..., Any], BUDGET] = Field(
        default="erk",
        description='How sparsity is distributed: "erk" (Erdős-Rényi-kernel) with less in smaller '
        'tensors, "uniform" over all tensors alike, "global" by ranking all weights together, '
        '"sensitivity" by measured curves of accuracy; or a function, also as '
        "package.module:function.",
    )
    granularity: str = Field(
        default="element",
        description='What is zeroed as a unit: "element", "filter" (a whole output), a block '
        'such as "1x4" (outputs x inputs), or N:M such as "2:4", which keeps two of '
        "every four inputs.",
    )
    layers: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(
        default_factory=dict,
        description="Sparsity of single layers by pattern of name or type; the last pattern that "
        "matches holds.",
    )
    only: OnlyPatterns = ()
    protect: ProtectPatterns = ()
    grow: bool = Field(
        default=False, description="Let zeroed weights return while the schedule runs."
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
            raise ValueError("the amount of pruning is not given: pass sparsity, such as 0.9")
        if self.sparsity is not None and self.threshold is not None:
            raise ValueError("sparsity and threshold contradict each other: pass one of them")
        if pattern is not None and self.sparsity is not None:
            raise ValueError(
                f"granularity {self.granularity} fixes the sparsity at {pattern:g}: leave sparsity "
                f"out"
            )
        by_size = self.threshold or self.sparsity == "median"
        if by_size and not isinstance(self.units, Element):
            raise ValueError("threshold and the median zero single elements: granularity='element'")
        # A function that is named by its path is looked at when it is imported.
        score = self.score if callable(self.score) else scores.SCORES.get(self.score)
        if score is not None and (problem := self._misfit(score)):
            raise ValueError(problem)
        return self

    def _misfit(self, score: Callable[..., Any]) -> str | None:
        """Why a score cannot be used with the granularity."""
        if isinstance(self.units, Filter) and getattr(score, "within_outputs", False):
            name = path_of(self.score)
            return f"{name} ranks within an output and cannot choose outputs: use taylor"
        return None

    @property
    def units(self) -> Granularity:
        """The granularity, read."""
        return parse_granularity(self.granularity)

    @property
    def scored_by(self) -> Callable[..., Any]:
        """The score's function.

        Raises:
            UsageError: it cannot be imported, or not be used with the granularity.
        """
        score = SCORE.function(self.score, scores.SCORES)
        if problem := self._misfit(score):
            raise UsageError(problem)
        return score

    @property
    def spread_by(self) -> Callable[..., Any]:
        """The budget's function; with N:M, which leaves no choice, all tensors alike.

        Raises:
            UsageError: it cannot be imported.
        """
        if self.units.fixed_sparsity is not None:
            return budgets.uniform
        return BUDGET.function(self.budget, budgets.BUDGETS)

    @property
    def score_name(self) -> str:
        """The score as text."""
        return str(path_of(self.score))

    @property
    def budget_name(self) -> str:
        """The budget as text."""
        return str(path_of(self.budget))

    @property
    def scores_samples(self) -> bool:
        """Whether the score is taken on samples, with labels or without."""
        return any(scores.GIVEN[name] for name in SCORE.wanted(self.scored_by))

    @property
    def needs_curves(self) -> bool:
        """Whether the budget goes by measured curves of accuracy."""
        return "curves" in BUDGET.wanted(self.spread_by)

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


def fewer_zeros(earlier: Prune, later: Prune) -> str | None:
    """Why pruning does nothing after an earlier pruning to as many zeros or more, or None.

    Args:
        earlier: what the earlier pruning was asked for.
        later: what this one is asked for.
    """
    if any((earlier.only, earlier.layers, later.only, later.layers)):
        return None
    if earlier.granularity != later.granularity or not 0 < later.target <= earlier.target:
        return None
    return (
        f"there are {earlier.target:.4g} zeros already and it asks for {later.target:.4g}: ask "
        f"for more, or leave it out"
    )
