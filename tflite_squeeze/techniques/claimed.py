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
        steps: its values are integers times these, one or one for each channel, and the file has
            these integers.
        code_bytes: they need so many at most in an ideal coder that knows how often each occurs.
        activation: whether it is an activation.
        was: the name of the weight before the step, whose claims go on; empty for the same.
    """

    zeros: int | None = None
    distinct: int | None = None
    shape: str = ""
    bits: int | None = None
    scales: tuple[float, ...] | None = None
    steps: tuple[float, ...] | None = None
    code_bytes: float | None = None
    activation: bool = False
    was: str = ""
