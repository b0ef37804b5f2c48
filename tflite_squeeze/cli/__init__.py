"""The command `tflite-squeeze`: one module a command, each loaded when it is called or helped."""

import os
import sys
from typing import Any

import click

from tflite_squeeze.command_line.lazy_group import LazyGroup
from tflite_squeeze.command_line.output import interruptible
from tflite_squeeze.errors import SqueezeError
from tflite_squeeze.version import __version__

# Command → (module in the package, what it does), so that `--help` imports no command.
_COMMANDS = {
    "convert": ("conversion.command", "Turn a Keras model into a verified .tflite file."),
    "verify": (
        "verification.command",
        "Check that a .tflite file answers as its Keras model does.",
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
    "prune": (
        "techniques.pruning.command",
        "Zero the weights that matter least, and train the others around them.",
    ),
    "cluster": (
        "techniques.sharing.command",
        "Let the weights of each kernel share few values, and train those.",
    ),
    "factorize": (
        "techniques.low_rank.command",
        "Split layers into thinner ones where that saves and pays.",
    ),
    "binarize": (
        "techniques.binarization.command",
        "Give weights, or weights and inputs, one or two bits.",
    ),
    "distill": (
        "techniques.distillation.command",
        "Train a student by what a teacher answers, with labels or without.",
    ),
    "sensitivity": (
        "techniques.pruning.sensitivity.command",
        "Measure what pruning costs, layer by layer.",
    ),
    "export": (
        "cli.export",
        "Write what an application needs to run a .tflite file on its target.",
    ),
    "squeeze": (
        "recipes.command",
        "Run a recipe: compress, convert, verify and report, step by step.",
    ),
    "schema": ("recipes.command", "Print the JSON Schema of recipes, for editors."),
    "pack": ("packing.command", "Pack a .tflite file for sending and storing it."),
    "unpack": ("packing.command", "Unpack a packed .tflite file, bit by bit the same."),
    "doctor": ("doctor.command", "Print versions and which optional parts work."),
}


@click.group(
    cls=LazyGroup,
    commands_by_name=_COMMANDS,
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
    with Ctrl-C.
    """
    try:
        with interruptible():
            cli.main(args=args, prog_name="tflite-squeeze", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"Error: {_in_one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped; nothing was left half-written.", err=True)
        sys.exit(130)
    except SqueezeError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(0)


def _in_one_line(error: click.ClickException) -> str:
    """What click has to say, and where to read on."""
    message = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message} See {error.ctx.command_path} --help."
    return message
