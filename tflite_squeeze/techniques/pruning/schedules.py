"""Sparsity as a function of the training step: pure numbers, one frozen config a shape.

Reference for the polynomial: Zhu and Gupta 2017, arXiv:1710.01878, equation 1. For the one-cycle:
Hubens et al. 2021, arXiv:2107.02086.
"""

import math
from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from tflite_squeeze.errors import UsageError
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.techniques.pruning.tfmot_schedule import TfmotSchedule, tfmot_schedule_of

# Where a schedule ends when it is not told: the rest of the training recovers from pruning.
DEFAULT_END = 0.6


class _Schedule(Frozen):
    """When sparsity is raised."""

    # Whether the target is set once its step has passed, though no update was due there.
    catches_up: ClassVar[bool] = True

    begin: int = Field(
        default=0, ge=0, description="Training step at which the first weights are zeroed."
    )
    end: int | None = Field(
        default=None,
        ge=1,
        description="Training step at which the target is reached; after 60 % of the training by "
        "default.",
    )
    frequency: int = Field(
        default=10, ge=1, description="Training steps between two updates of the masks."
    )

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "_Schedule":
        if self.end is not None and self.begin >= self.end:
            raise ValueError(f"begin is {self.begin} and end {self.end}: begin must be below end")
        return self

    def last_step(self, total: int | None) -> int:
        """The step at which the target is reached.

        Args:
            total: steps of the whole training, None where they are not known.
        """
        if self.end is not None:
            return self.end
        if total is None:
            return self.begin + 1000
        return max(self.begin + 1, math.ceil(DEFAULT_END * total))

    def due(self, step: int, total: int | None) -> bool:
        """Whether masks are updated at this step: every `frequency` steps, and at the end."""
        last = self.last_step(total)
        if step < self.begin or step > last:
            return False
        return (step - self.begin) % self.frequency == 0 or step == last

    def finished(self, step: int, total: int | None) -> bool:
        """Whether an update at this step is the last one."""
        return step >= self.last_step(total)

    def sparsity(self, step: int, target: float, total: int | None) -> float:
        """The sparsity that holds from a step on.

        Args:
            step: the step, from 0.
            target: final sparsity, in [0, 1).
            total: steps of the whole training, None where they are not known.

        Returns:
            A fraction in [0, target]; 0 before `begin`, the target from the end on.
        """
        last = self.last_step(total)
        if step < self.begin:
            return 0.0
        if step >= last:
            return target
        return self._between((step - self.begin) / (last - self.begin), target)

    @abstractmethod
    def _between(self, progress: float, target: float) -> float:
        """Sparsity at a fraction of the way from begin to end."""


class Constant(_Schedule):
    """The whole target at once, at `begin`; ranked anew every `frequency` steps until `end`."""

    kind: Literal["constant"] = Field(default="constant", description="Name of the schedule.")

    def _between(self, progress: float, target: float) -> float:
        return target


class Polynomial(_Schedule):
    """s = target + (initial - target) (1 - progress)^power; cubic by default.

    Reference: Zhu and Gupta 2017, arXiv:1710.01878, equation 1.
    """

    kind: Literal["polynomial"] = Field(default="polynomial", description="Name of the schedule.")
    initial: float = Field(
        default=0.0, ge=0, lt=1, description="Sparsity at the first step, as a fraction."
    )
    power: float = Field(default=3.0, gt=0, description="Exponent of the curve; 3 makes it cubic.")

    def _between(self, progress: float, target: float) -> float:
        start = min(self.initial, target)
        return float(target + (start - target) * (1.0 - progress) ** self.power)


class Exponential(_Schedule):
    """The share of weights that stay falls by the same factor at each update.

    s = 1 - (1 - initial) ((1 - target) / (1 - initial))^progress.
    """

    kind: Literal["exponential"] = Field(default="exponential", description="Name of the schedule.")
    initial: float = Field(
        default=0.0, ge=0, lt=1, description="Sparsity at the first step, as a fraction."
    )

    def _between(self, progress: float, target: float) -> float:
        kept = 1.0 - min(self.initial, target)
        return float(1.0 - kept * ((1.0 - target) / kept) ** progress)


class OneCycle(_Schedule):
    """Slow, fast, slow again: s = target (1 + e^(b - a)) / (1 + e^(b - a progress)).

    Reference: Hubens et al. 2021, arXiv:2107.02086, equation 2.
    """

    kind: Literal["one-cycle"] = Field(default="one-cycle", description="Name of the schedule.")
    steepness: float = Field(
        default=14.0, gt=0, description="How fast sparsity rises in the middle; a in the formula."
    )
    offset: float = Field(default=5.0, ge=0, description="Where the middle is; b in the formula.")

    def _between(self, progress: float, target: float) -> float:
        top = 1.0 + math.exp(self.offset - self.steepness)
        return float(target * top / (1.0 + math.exp(self.offset - self.steepness * progress)))


class Stepwise(_Schedule):
    """Stairs of equal height and length."""

    kind: Literal["stepwise"] = Field(default="stepwise", description="Name of the schedule.")
    steps: int = Field(default=5, ge=1, description="Number of steps in the stairs.")

    def _between(self, progress: float, target: float) -> float:
        return float(target * (math.floor(progress * self.steps) + 1) / (self.steps + 1))


Schedule = Annotated[
    Constant | Polynomial | Exponential | OneCycle | Stepwise | TfmotSchedule,
    Field(discriminator="kind"),
]

SCHEDULES = {
    "constant": Constant,
    "polynomial": Polynomial,
    "exponential": Exponential,
    "one-cycle": OneCycle,
    "stepwise": Stepwise,
}


def as_schedule(value: Any) -> Any:
    """A schedule from its name, from a schedule of TFMOT, or as it is.

    Args:
        value: a name in `SCHEDULES`, a schedule, an object of TFMOT, or a dict.

    Returns:
        Something that the schedule field of a config accepts.

    Raises:
        ValueError: there is no such schedule, or it cannot be recreated from its config.
    """
    if isinstance(value, str):
        if value not in SCHEDULES:
            raise ValueError(f"schedule is {value!r}: use one of {', '.join(SCHEDULES)}")
        return SCHEDULES[value]()
    if hasattr(value, "get_config") and callable(value):
        return tfmot_schedule_of(value)
    return value


def schedule_of(kind: str, **given: int | None) -> Any:
    """A schedule from its name and those of its numbers that were given.

    Args:
        kind: a name in `SCHEDULES`.
        given: fields of the schedule; None means not given.

    Raises:
        UsageError: the numbers contradict each other.
    """
    values = {name: value for name, value in given.items() if value is not None}
    try:
        return SCHEDULES[kind](**values)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"schedule {kind}: {reason}") from error
