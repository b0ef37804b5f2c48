"""What a search for layers in float found."""

from typing import Literal

from pydantic import Field

from tflite_squeeze.frozen import Frozen


class KeptInFloat(Frozen):
    """An activation or a kernel that stays in float, and why."""

    name: str = Field(description="Of the layer, the operation or the input.")
    kind: Literal["activation", "kernel", "inside"] = Field(
        description='"inside" for a layer that computes in several operators, which follow none '
        "of the plan's ranges."
    )
    loss: float | None = Field(
        default=None,
        description="Loss of the answers when it alone is quantized: mean KL divergence in nats of "
        "classes, noise over variance of numbers; None where that was not measured.",
    )
    without: str = Field(
        default="",
        description="Why the answers fail when it is quantized and all else stays as in the file.",
    )


class MixedRecord(Frozen):
    """Which layers stayed in float, what that cost, and what it was decided on."""

    kept: tuple[KeptInFloat, ...] = Field(
        description="Those that stayed in float, the most sensitive first; none where int8 passed."
    )
    losses: dict[str, float] = Field(
        default_factory=dict,
        description="Loss of the answers when one activation or kernel alone is quantized, by its "
        "name in the plan, the most sensitive first.",
    )
    int8_failures: tuple[str, ...] = Field(
        default=(), description="Why the file that is int8 everywhere failed, or was not made."
    )
    int8_bytes: int | None = Field(
        default=None, description="Size of the int8 file; None where none could be made."
    )
    passed: bool = Field(description="Whether the file passed its check.")
    bytes: int = Field(description="Size of the file.")
    int8_us: float | None = Field(
        default=None, description="Median microseconds of a run of the int8 file, on one thread."
    )
    us: float | None = Field(default=None, description="The same of the file, in turns with it.")
    calibrated_on: int = Field(default=0, description="Samples that ranges were calibrated on.")
    chosen_on: int = Field(
        default=0, description="Samples that decided what stays in float; others judged the file."
    )
    apart: bool = Field(
        default=True, description="Whether those that decided and those that judged are others."
    )
    files: int = Field(description="Number of files that were made and checked.")
    notes: tuple[str, ...] = Field(default=(), description="Further notes.")
