"""What a technique claims of one weight; the file has to show it."""

from tflite_squeeze.frozen import Frozen


class Claimed(Frozen):
    """What the steps so far claim of one weight, or of one activation.

    Attributes:
        zeros: at least so many of its values are zero.
        distinct: at most so many of its values differ.
        shape: why it has the shape that it has; empty for no claim.
        bits: its integers need so many.
        scales: the steps between its integers, one or one for each channel.
        activation: whether it is an activation.
        was: the name of the weight before the step, whose claims go on; empty for the same.
    """

    zeros: int | None = None
    distinct: int | None = None
    shape: str = ""
    bits: int | None = None
    scales: tuple[float, ...] | None = None
    activation: bool = False
    was: str = ""
