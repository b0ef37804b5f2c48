"""Schedules of TensorFlow Model Optimization, taken as they are; TFMOT itself is not needed."""

import sys
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from tflite_squeeze.frozen import Frozen

_POLYNOMIAL, _CONSTANT = "PolynomialDecay", "ConstantSparsity"


class TfmotSchedule(Frozen):
    """A schedule of TFMOT, or one derived from its `PruningSchedule`.

    Its own begin, end, frequency and final sparsity hold.
    """

    # TFMOT's schedules end where they say themselves.
    catches_up: ClassVar[bool] = False

    kind: Literal["tfmot"] = Field(default="tfmot", description="Name of the schedule.")
    class_name: str = Field(
        description='"PolynomialDecay", "ConstantSparsity", or the name of a class of your own.'
    )
    config: dict[str, Any] = Field(description="Arguments of the schedule, by TFMOT's names.")
    module: str | None = Field(
        default=None,
        description="Module that defines a class of your own; left out for TFMOT's own two.",
    )

    @model_validator(mode="after")
    def _can_be_followed(self) -> "TfmotSchedule":
        if self.module is not None:
            _ = self._object
        elif self.class_name not in (_POLYNOMIAL, _CONSTANT):
            raise ValueError(
                f"schedule is {self.class_name!r}: give {_POLYNOMIAL}, {_CONSTANT}, or the module "
                f"that defines it"
            )
        elif "begin_step" not in self.config or "frequency" not in self.config:
            raise ValueError("a schedule of TFMOT needs begin_step and frequency")
        return self

    @cached_property
    def _object(self) -> Any:
        """The schedule itself, for a class of one's own."""
        name = str(self.module)
        try:
            module = sys.modules.get(name) or import_module(name)
            kind = getattr(module, self.class_name)
        except (ImportError, AttributeError) as error:
            raise ValueError(
                f"schedule {self.class_name} of module {name} cannot be recreated ({error}): "
                f"define the class at the top of a module"
            ) from error
        return (
            kind.from_config(self.config) if hasattr(kind, "from_config") else kind(**self.config)
        )

    @property
    def final_sparsity(self) -> float:
        """The sparsity that it ends with; 0 where its config does not say."""
        return float(self.config.get("final_sparsity", self.config.get("target_sparsity", 0.0)))

    @property
    def frequency(self) -> int:
        """Steps between two updates."""
        if self.module is not None:
            return int(getattr(self._object, "frequency", 1))
        return int(self.config["frequency"])

    def last_step(self, total: int | None) -> int:
        """The step at which the target is reached."""
        end = int(self.config.get("end_step", -1))
        if self.class_name == _CONSTANT:
            return int(self.config["begin_step"]) + 1
        return end if end >= 0 else int(total or 1)

    def due(self, step: int, total: int | None) -> bool:
        """Whether masks are updated at this step, as TFMOT itself decides it."""
        if self.module is not None:
            return bool(self._object(step)[0])
        begin, end = int(self.config["begin_step"]), int(self.config.get("end_step", -1))
        inside = step >= begin and (end < 0 or step <= end)
        return inside and (step - begin) % self.frequency == 0

    def finished(self, step: int, total: int | None) -> bool:
        """Whether an update at this step is the last one."""
        return step + self.frequency >= self.last_step(total)

    def sparsity(self, step: int, target: float, total: int | None) -> float:
        """The sparsity that holds from a step on; `target` scales it, layer by layer."""
        if self.module is not None:
            scale = target / self.final_sparsity if self.final_sparsity else 1.0
            return float(self._object(step)[1]) * scale
        begin, end = int(self.config["begin_step"]), int(self.config.get("end_step", -1))
        if step < begin:
            return 0.0
        if self.class_name == _CONSTANT:
            return target
        progress = min(1.0, (step - begin) / max(1, end - begin))
        initial = float(self.config.get("initial_sparsity", 0.0))
        power = float(self.config.get("power", 3))
        return float(target + (initial - target) * (1.0 - progress) ** power)


def tfmot_schedule_of(schedule: Any) -> dict[str, Any]:
    """What a `TfmotSchedule` is made of, from an object of TFMOT or one derived from it.

    Args:
        schedule: an object with `get_config`, called with a step for (due, sparsity).
    """
    described = schedule.get_config()
    name = described.get("class_name", type(schedule).__name__)
    config = described.get("config", {k: v for k, v in described.items() if k != "class_name"})
    own = type(schedule).__name__ not in (_POLYNOMIAL, _CONSTANT)
    module = type(schedule).__module__ if own else None
    return {"kind": "tfmot", "class_name": name, "config": config, "module": module}
