"""Options that give layers settings of their own."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from tflite_squeeze.errors import UsageError

_Number = TypeVar("_Number", int, float)


def read_layers(
    texts: Iterable[str], number: Callable[[str], _Number], form: str
) -> dict[str, _Number]:
    """Numbers by pattern of layer name or type.

    Args:
        texts: such as "conv_*=0.5".
        number: what reads the part behind the sign: int or float.
        form: what it should look like, such as "PATTERN=FRACTION, such as conv_*=0.5".

    Raises:
        UsageError: a text is not of this form.

    Example:
        >>> read_layers(["conv_*=32"], int, "PATTERN=VALUES")
        {'conv_*': 32}
    """
    layers = {}
    for text in texts:
        pattern, _, value = text.rpartition("=")
        if not pattern:
            raise UsageError(f"--layer is {text!r}: write {form}")
        try:
            layers[pattern] = number(value)
        except ValueError as error:
            raise UsageError(f"--layer is {text!r}: write {form}") from error
    return layers
