"""The options by which every command is told its data, and how they become a `Data`."""

import glob
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tflite_squeeze.command_line.config_options import config_options
from tflite_squeeze.errors import InputError, UsageError

if TYPE_CHECKING:
    from tflite_squeeze.data.data import Data
    from tflite_squeeze.data.preprocessing import Preprocessing

Command = TypeVar("Command", bound=Callable[..., Any])
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
        "scale",
        "mean",
        "std",
        "layout",
        "image_size",
        "color",
        "add_channel",
        scale={"type": str, "default": None, "metavar": "FACTOR"},
        mean={"type": str, "metavar": "M[,M...]"},
        std={"type": str, "metavar": "S[,S...]"},
        image_size={"names": ["--image-size"], "type": str, "multiple": False, "metavar": "HxW"},
    ),
)


def data_options(command: Command) -> Command:
    """Adds `--data` and the options that say how it is read to a click command.

    The command receives them as the keywords that `read_data` takes: data, features, scale, mean,
    std, layout, image_size, color, add_channel.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_preprocessing(
    *, scale: str | None, mean: str | None, std: str | None, layout: str | None, **others: Any
) -> "Preprocessing | None":
    """Reads what raw values go through.

    Args:
        scale: text such as "1/255".
        mean: numbers, comma-separated.
        std: numbers, comma-separated.
        layout: see `Preprocessing`.
        others: further fields of `Preprocessing`, None where not given.

    Returns:
        The preprocessing; None where none of the options was given.

    Raises:
        UsageError: an option has a value that cannot be used.
    """
    from tflite_squeeze.data.preprocessing import stated_preprocessing

    return stated_preprocessing(
        scale=scale,
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
        layout=layout,
        **others,
    )


def read_data(
    *,
    data: str | None,
    features: str | None = None,
    scale: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    layout: str | None = None,
    image_size: str | None = None,
    color: str | None = None,
    add_channel: bool = False,
) -> "Data | None":
    """Opens the data that a command was told of.

    Args:
        data: what `load_data` takes as text; None for no data.
        features: see `load_data`.
        scale: text such as "1/255".
        mean: numbers, comma-separated.
        std: numbers, comma-separated.
        layout: see `Preprocessing`.
        image_size: text such as "96x96", height first.
        color: see `Preprocessing`.
        add_channel: see `Preprocessing`.

    Returns:
        The data, not yet fitted to a model; None without `--data`.

    Raises:
        UsageError: an option has a value that cannot be used, or is given without `--data`.
        InputError: the data cannot be read.
    """
    preprocessing = read_preprocessing(
        scale=scale,
        mean=mean,
        std=std,
        layout=layout,
        image_size=_size(image_size),
        color=color,
        add_channel=add_channel or None,
    )
    if data is None:
        if preprocessing is not None or features is not None:
            raise UsageError("options about data are given, but no data: pass --data SOURCE too")
        return None
    from tflite_squeeze.data.data import load_data

    return load_data(data, preprocessing=preprocessing, features=features)


def _numbers(option: str, text: str | None) -> float | tuple[float, ...] | None:
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"{option} is {text!r}: give a number, or one per channel such as 0.485,0.456,0.406"
        ) from error
    return numbers[0] if len(numbers) == 1 else numbers


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if match is None:
        raise UsageError(f"--image-size is {text!r}: give height x width in pixels such as 96x96")
    return int(match[1]), int(match[2])
