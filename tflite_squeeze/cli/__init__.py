"""The command `tflite-squeeze`: one module a command, each loaded when it is called or helped."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

import click

from tflite_squeeze.cli.failures import (
    flushed,
    let_go_of_output,
    unexpected,
    use_plain_signs,
)
from tflite_squeeze.command_line.lazy_group import Commands, LazyGroup, commands_in
from tflite_squeeze.command_line.output import interruptible
from tflite_squeeze.errors import SqueezeError, in_one_line
from tflite_squeeze.techniques.registry import techniques
from tflite_squeeze.version import __version__

_BEFORE_TECHNIQUES = commands_in(
    {
        "tune": (
            "search.command",
            "Search for the best file: say what it may cost, get the file that passes.",
        ),
        "import": (
            "importing.command",
            "Rebuild an ONNX model of trainable Keras layers.",
        ),
        "convert": (
            "conversion.command",
            "Turn a Keras model, or a float .tflite file, into a verified .tflite file.",
        ),
        "verify": (
            "verification.command",
            "Check that a .tflite file gives the same outputs as the model that it came from.",
        ),
        "profile": ("profiling.command", "Measure latency, memory and size of a .tflite file."),
        "compare": (
            "comparison.command",
            "Compare .tflite files: bytes, memory, time, accuracy; limits for CI.",
        ),
        "inspect": (
            "inspection.command",
            "Show what is inside a model or a file, and what could be better.",
        ),
    }
)
_AFTER_TECHNIQUES = commands_in(
    {
        "sensitivity": (
            "techniques.pruning.sensitivity.command",
            "Measure what pruning costs, layer by layer.",
        ),
        "export": (
            "cli.export",
            "Write what an application needs to run a .tflite file on its target.",
        ),
        "squeeze": (
            "squeezing.command",
            "Make a model small and fast: search for the best file, or run a recipe.",
        ),
        "schema": ("squeezing.command", "Print the JSON Schema of recipes, for editors."),
        "pack": ("packing.command", "Pack a .tflite file for sending and storing it."),
        "unpack": ("packing.command", "Unpack a packed .tflite file, bit for bit the same."),
        "doctor": ("doctor.command", "Print versions and which optional parts work."),
    }
)


def _commands() -> Commands:
    """Every command in the order of help; a techniques' commands are in the middle."""
    own = {
        one.name: (partial(one.part, "command"), one.summary)
        for one in techniques()
        if one.command is not None
    }
    return {**_BEFORE_TECHNIQUES, **own, **_AFTER_TECHNIQUES}


@click.group(
    cls=LazyGroup,
    listed=_commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: tflite-squeeze convert model.keras -o model.tflite --quantize int8 "
    "--data samples.npz",
)
@click.version_option(__version__, "--version", "-V", prog_name="tflite-squeeze")
@click.option("-v", "--verbose", is_flag=True, help="Also show what the converter itself says.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors and what was asked.")
@click.pass_context
def cli(ctx: click.Context, verbose: bool, quiet: bool) -> None:
    """Make Keras models small and fast for phones and microcontrollers, and prove it."""
    if verbose and quiet:
        raise click.UsageError("--verbose and --quiet contradict each other: pass one of them.")
    # TensorFlow reads these when it is first imported; it is chatty otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    ctx.obj = {"verbose": verbose, "quiet": quiet}


def main(args: list[str] | None = None) -> Any:
    """Runs the command line.

    Exit codes: 0 done; 1 the result failed its check; 2 wrong use or unusable input; 130 stopped
    with Ctrl-C; 143 stopped by a signal. Whatever fails, one line says what.
    """
    use_plain_signs()
    try:
        with interruptible(), _terminable():
            cli.main(args=args, prog_name="tflite-squeeze", standalone_mode=False)
            flushed()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(in_one_line(_said_by_click(error)), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped; nothing was left half-written.", err=True)
        sys.exit(130)
    except SqueezeError as error:
        _show_traceback(args)
        _fail(str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last net: no user gets a traceback unasked
        _show_traceback(args)
        _fail(in_one_line(unexpected(error)), 2)
    sys.exit(0)


def _fail(message: str, code: int) -> NoReturn:
    """Says what went wrong, and ends."""
    let_go_of_output()
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)


def _show_traceback(args: list[str] | None) -> None:
    """Prints the traceback of the current error with --verbose."""
    given = sys.argv[1:] if args is None else args
    if any(option in ("-v", "--verbose") for option in given):
        traceback.print_exc()


@contextmanager
def _terminable() -> Iterator[None]:
    """Lets a request to end (SIGTERM) undo what is to be undone: temporary folders go."""

    def end(number: int, _frame: Any) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _said_by_click(error: click.ClickException) -> str:
    """What click has to say, and where to read on."""
    message = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message} See {error.ctx.command_path} --help."
    return message
