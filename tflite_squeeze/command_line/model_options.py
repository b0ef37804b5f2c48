"""Options of every command that loads a Keras model."""

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tflite_squeeze.command_line.config_options import config_options
from tflite_squeeze.command_line.output import progress
from tflite_squeeze.command_line.tensorflow import import_tensorflow
from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.foreign.torch.source import is_factory, is_program
from tflite_squeeze.network.larq_library import arrange_for_larq, may_need_larq

if TYPE_CHECKING:
    from tflite_squeeze.network.loading import LoadedModel

_Command = TypeVar("_Command", bound=Callable[..., Any])


def torch_options(*names: str) -> Callable[[_Command], _Command]:
    """Adds `--state-dict` and `--input`, of a network that a function of the user's builds.

    Args:
        names: more names of `--state-dict`, where they are not taken.
    """
    return config_options(
        "tflite_squeeze.importing.config:Import", "weights", "inputs",
        weights={"names": [*names, "--state-dict", "state_dict"], "metavar": "FILE"},
        # `binarize` has --inputs of its own.
        inputs={"names": ["--input", "network_inputs"], "metavar": "[NAME=]1xN...[:DTYPE]"},
    )  # fmt: skip


def model_options(command: _Command) -> _Command:
    """Adds `--input-shape`, `--state-dict`, `--input`, `--import` and `--allow-unsafe`."""
    options = (
        click.option(
            "--input-shape",
            multiple=True,
            metavar="NAME=1,N,...",
            help="Full shape of an input that the model leaves open; may be repeated.",
        ),
        torch_options(),
        click.option(
            "--import",
            "import_",
            multiple=True,
            metavar="MODULE",
            help="Module to import first, which registers custom layers; may be repeated.",
        ),
        click.option(
            "--allow-unsafe", is_flag=True, help="Run Python code inside the model (Lambda layers)."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def import_modules(names: Iterable[str]) -> None:
    """Imports modules that register custom layers; those of the current folder are found too.

    Raises:
        InputError: one cannot be imported.
    """
    for name in names:
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            import_module(name)
        except ImportError as error:
            raise InputError(
                f"--import {name}: {error}: give the name of a module that Python finds"
            ) from error


def open_model(
    path: Path, options: Mapping[str, Any], *, keep_prunable: bool = False
) -> "LoadedModel":
    """Loads the model of a command, with the modules that it needs.

    Args:
        path: the model.
        options: those of the command.
        keep_prunable: whether `Prunable` wrappers stay around its layers.

    Raises:
        InputError: it cannot be loaded.
    """
    if not path.exists() and not is_factory(path):
        raise InputError(f"model {path} does not exist: check the path")
    if may_need_larq(path):
        arrange_for_larq()
    import_tensorflow()
    from tflite_squeeze.network.loading import load_model

    import_modules(options["import_"])
    with caught_chatter():
        return load_model(
            path,
            allow_unsafe=options["allow_unsafe"],
            keep_prunable=keep_prunable,
            weights=options["state_dict"],
            inputs=options["network_inputs"],
        )


def open_layers(
    path: Path, options: Mapping[str, Any], *, keep_prunable: bool = False, or_file: bool = False
) -> "LoadedModel":
    """The same for a command that changes layers: refuses what has none.

    Args:
        path: as for `open_model`.
        options: of the command.
        keep_prunable: the same.
        or_file: whether a `.tflite` file stays as it is, for a verb that can do without layers.

    Raises:
        InputError: it cannot be loaded.
        UsageError: it is a SavedModel or a `.tflite` file.
    """
    shown: AbstractContextManager[None] = nullcontext()
    if is_program(path) or is_factory(path):  # PyTorch takes seconds to start
        shown = progress(click.get_current_context(), f"importing {path}")
    with shown:
        source = open_model(path, options, keep_prunable=keep_prunable)
    from tflite_squeeze.network.loading import ModelKind
    from tflite_squeeze.rebuilding.layers import with_layers

    return source if or_file and source.kind is ModelKind.TFLITE else with_layers(source)


def read_input_shapes(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Shapes by input name from `NAME=1,28,28,1`.

    Raises:
        UsageError: a text is not of this form.

    Example:
        >>> read_input_shapes(["image=1,28,28,1"])
        {'image': (1, 28, 28, 1)}
    """
    shapes = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        numbers = sizes.split(",")
        if not equals or not name or not all(size.strip().isdecimal() for size in numbers):
            raise UsageError(f"--input-shape is {text!r}: write NAME=1,28,28,1")
        shapes[name] = tuple(int(size) for size in numbers)
    return shapes
