"""The errors that users see: each message names what was given and what to do about it."""


class SqueezeError(Exception):
    """A failure that a user can act on; the command line prints it as one line.

    Attributes:
        exit_code: what the command line exits with: 2 for wrong use or unusable input, 1 for a
            result that failed its check.
    """

    exit_code = 2


class UsageError(SqueezeError):
    """An argument has a value that cannot be used, or arguments contradict each other."""


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
