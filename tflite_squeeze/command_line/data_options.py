"""The options of every command that takes data, and how they become a `Data`."""

import glob
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tflite_squeeze.command_line.config_options import config_of, config_options, given
from tflite_squeeze.command_line.option_types import NUMBERS, PIXELS
from tflite_squeeze.command_line.tensorflow import import_tensorflow
from tflite_squeeze.errors import InputError, UsageError

if TYPE_CHECKING:
    from tflite_squeeze.data.data import Data
    from tflite_squeeze.data.preprocessing import Preprocessing

Command = TypeVar("Command", bound=Callable[..., Any])
_STATED = ("scale", "mean", "std", "layout", "image_size", "color", "add_channel")
_FILES = (".npz", ".tfrecord")


def _existing(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """Refuses a missing file at once, not after TensorFlow and a model were loaded."""
    if text and text.endswith(_FILES) and not glob.has_magic(text):
        path = Path(text).expanduser()
        if not path.exists():
            raise InputError(f"data {text!r} does not exist: check the path")
    return text


_OPTIONS = (
    click.option(
        "--data",
        metavar="SOURCE",
        callback=_existing,
        help="An .npz file, a folder of images by class, TFRecord files (folder or glob), "
        "fashion-mnist, mnist, watch, or package.module:function.",
    ),
    click.option(
        "--features",
        metavar="SPEC",
        help="TFRecord only: what is in a record; a .yaml or .json file, or text such as "
        "image:bytes:png,label:int64.",
    ),
    config_options(
        "tflite_squeeze.data.preprocessing:Preprocessing",
        *_STATED,
        scale={"type": str, "default": None, "metavar": "FACTOR"},
        mean={"type": NUMBERS, "metavar": "M[,M...]"},
        std={"type": NUMBERS, "metavar": "S[,S...]"},
        image_size={"type": PIXELS, "multiple": False, "metavar": "HxW"},
    ),
)


def data_options(command: Command) -> Command:
    """Adds `--data` and the options that say how it is read to a click command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def stated_preprocessing() -> "Preprocessing | None":
    """What raw values go through, as the running command was told; None without such options.

    Raises:
        UsageError: an option has a value that cannot be used.
    """
    if not any(given(name) for name in _STATED):
        return None
    from tflite_squeeze.data.preprocessing import Preprocessing

    return config_of(Preprocessing)


def open_data(options: Mapping[str, Any]) -> "Data | None":
    """Opens the data of a command.

    Args:
        options: of the command.

    Returns:
        The data, not yet fitted to a model; None without `--data`.

    Raises:
        UsageError: an option has a value that cannot be used, or is given without `--data`.
        InputError: the data cannot be read.
    """
    preprocessing = stated_preprocessing()
    data, features = options["data"], options["features"]
    if data is None:
        if preprocessing is not None or features is not None:
            raise UsageError("options about data are given, but no data: pass --data SOURCE too")
        return None
    import_tensorflow()
    from tflite_squeeze.data.data import load_data

    return load_data(data, preprocessing=preprocessing, features=features)
