"""The options about data: what commands get, and what is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.errors import InputError, UsageError


@click.command
@data_options
def command(**options: Any) -> None:
    data = open_data(options)
    click.echo(
        "none" if data is None else data.preprocessing.model_dump_json(exclude_defaults=True)
    )


@pytest.fixture
def pixels(tmp_path: Path) -> str:
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 4, 4, 3), np.uint8))
    return str(tmp_path / "x.npz")


def _said(*args: str) -> str:
    return CliRunner().invoke(command, args, catch_exceptions=False, standalone_mode=False).output


def test_no_options_mean_no_data() -> None:
    assert _said() == "none\n"


def test_options_become_preprocessing(pixels: str) -> None:
    scaled = _said("--data", pixels, "--scale", "1/4", "--mean", "0.1,0.2,0.3", "--std", "2")
    assert scaled == '{"scale":0.25,"mean":[0.1,0.2,0.3],"std":2.0}\n'
    shaped = _said("--data", pixels, "--image-size", "8x6", "--color", "rgb", "--add-channel")
    assert shaped == '{"add_channel":true,"image_size":[8,6],"color":"rgb"}\n'


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--scale", "1/0"), "--scale: '1/0' is not a number or a fraction"),
        (("--scale", "abc"), "--scale: 'abc' is not a number or a fraction"),
        (("--mean", "1,x"), "--mean is '1,x': write NUMBER[,NUMBER...], such as 0.5"),
        (("--std", "0"), "--std: 0.0 must be greater than 0"),
        (("--std", "1,-1,1"), "--std: (1.0, -1.0, 1.0) must be"),
        (("--image-size", "8"), "--image-size is '8': write HxW, such as 96x96"),
        (("--image-size", "8xx"), "--image-size is '8xx'"),
        (("--image-size", "0x8"), "--image-size: (0, 8) must be at least 1 x 1"),
    ],
)
def test_unusable_values_are_refused(pixels: str, args: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        _said("--data", pixels, *args)
    assert said in str(caught.value)


@pytest.mark.parametrize("args", [("--scale", "2"), ("--features", "x:float"), ("--add-channel",)])
def test_options_without_data_are_refused(args: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="pass --data SOURCE"):
        _said(*args)


def test_missing_data_is_refused() -> None:
    with pytest.raises(InputError, match="does not exist"):
        _said("--data", "nowhere.npz")


def test_importing_the_options_loads_no_tensorflow() -> None:
    code = (
        "import sys, tflite_squeeze.command_line.data_options;sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
