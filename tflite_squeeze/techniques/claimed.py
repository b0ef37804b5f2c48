"""What a technique claims of one weight; the file has to show it."""

from tflite_squeeze.frozen import Frozen


class Claimed(Frozen):
    """What the steps so far claim of one weight.

    Attributes:
        zeros: at least so many of its values are zero.
        distinct: at most so many of its values differ.
        shape: why it has the shape that it has; empty for no claim.
    """

    zeros: int | None = None
    distinct: int | None = None
    shape: str = ""
