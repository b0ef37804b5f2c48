from pydantic import Field

from tflite_squeeze.frozen import Frozen, OnlyPatterns


class Round(Frozen):
    """The step, and the layers."""

    step: float = Field(gt=0, description="Weights become multiples of this.")
    only: OnlyPatterns = ()
