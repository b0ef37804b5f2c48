"""The errors that users see: each message names what was given and what to do about it."""

_LONGEST, _TAIL = 390, 180


def in_one_line(message: str) -> str:
    """A message without line breaks and not longer than a few lines of a terminal.

    Args:
        message: what to say; of a long one the middle is left out, since the remedy comes last.

    Example:
        >>> in_one_line("two   words")
        'two words'
    """
    text = " ".join(message.split())
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - _TAIL - 5]} ... {text[-_TAIL:]}"


def reason_of(error: BaseException) -> str:
    """What an error of some library says, for a message's brackets: the first line, if not long.

    Example:
        >>> reason_of(ValueError("a bad shape"))
        'a bad shape'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shortened(lines[0]) if lines else type(error).__name__


def shortened(text: str, most: int = 160) -> str:
    """The words that fit into so many characters, and … where there were more.

    Example:
        >>> shortened("what a library says of itself", 20)
        'what a library says…'
    """
    if len(text) <= most:
        return text
    whole, _, _ = text[:most].rpartition(" ")
    return (whole if len(whole) > most // 2 else text[: most - 1]).rstrip(" ,;:(") + "…"


class SqueezeError(Exception):
    """A failure that a user can act on; the command line prints it as one line.

    Args:
        message: what was given and what to do about it; see `in_one_line`.
        command: to be pasted into a shell; it follows the message, and nothing of it is left out.

    Attributes:
        exit_code: what the command line exits with: 2 for wrong use or unusable input, 1 for a
            result that failed its check.
    """

    exit_code = 2

    def __init__(self, message: str, *, command: str = "") -> None:
        super().__init__(f"{in_one_line(message)} {command}".rstrip())


class UsageError(SqueezeError):
    """An argument has a value that cannot be used, or arguments contradict each other."""


class PatternError(UsageError):
    """A pattern of names or types means nothing in the model."""


class InputError(SqueezeError):
    """A model, a file or data cannot be read or does not fit the rest."""


class OutputError(SqueezeError):
    """A result cannot be written to the requested place."""


class UnsupportedError(SqueezeError):
    """The model uses something that the chosen target cannot express."""


class RuntimeFailure(SqueezeError):  # noqa: N818  # "Failure": the runtime failed, not its caller
    """The TFLite runtime refused a file, crashed on it, or did not finish in time."""


class CheckFailed(SqueezeError):  # noqa: N818  # named after its meaning, like exit code 1
    """A result was produced and measured, and does not meet its requirements."""

    exit_code = 1
