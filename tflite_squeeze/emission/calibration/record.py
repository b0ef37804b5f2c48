"""What calibration did to a network, step by step."""

from pydantic import Field

from tflite_squeeze.emission.calibration.config import Calibrate
from tflite_squeeze.frozen import Frozen


class CalibrationStep(Frozen):
    """One step that was tried."""

    name: str = Field(description="What was done.")
    before: float = Field(description="Divergence from the float model without it.")
    after: float = Field(description="Divergence from the float model with it.")
    kept: bool = Field(description="Whether it was kept.")
    asked: bool = Field(
        default=False, description="Whether it was asked for, and kept in any case."
    )
    notes: tuple[str, ...] = Field(default=(), description="Layers that it left, and why.")

    @property
    def line(self) -> str:
        """The step in a line."""
        told = "kept, as asked" if self.asked else "kept" if self.kept else "not kept"
        return f"{self.name}: divergence {self.before:.3g} → {self.after:.3g}, {told}"


class CalibrationRecord(Frozen):
    """How a network was calibrated, and what each step was worth."""

    config: Calibrate = Field(description="What was asked.")
    samples: int = Field(description="Number of samples that were calibrated on.")
    held_back: int = Field(
        description="Number of other samples on which steps were judged; 0 where there were too "
        "few, and those that were calibrated on had to do."
    )
    start: float = Field(
        description="Divergence from the float model with min/max ranges and nothing else; outputs "
        "of a softmax, sigmoid or tanh before they are rounded."
    )
    end: float = Field(description="Divergence from the float model in the end.")
    steps: tuple[CalibrationStep, ...] = Field(description="In the order in which they were tried.")

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each step."""
        return tuple(step.line for step in self.steps)
