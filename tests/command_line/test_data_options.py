"""The options about data: what commands get, and what is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from tflite_squeeze.command_line.data_options import data_options, read_data
from tflite_squeeze.errors import InputError, UsageError


@click.command
@data_options
def command(**options: Any) -> None:
    data = read_data(**options)
    click.echo(
        "none" if data is None else data.preprocessing.model_dump_json(exclude_defaults=True)
    )


@pytest.fixture
def pixels(tmp_path: Path) -> str:
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 4, 4, 3), np.uint8))
    return str(tmp_path / "x.npz")


def test_no_options_mean_no_data() -> None:
    assert CliRunner().invoke(command, []).output == "none\n"


def test_options_become_preprocessing(pixels: str) -> None:
    arguments = ["--data", pixels, "--scale", "1/4", "--mean", "0.1,0.2,0.3", "--std", "2"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.output == '{"scale":0.25,"mean":[0.1,0.2,0.3],"std":2.0}\n'
    data = read_data(
        data=pixels, layout="channels_first", image_size="8x6", color="rgb", add_channel=True
    )
    assert data is not None
    assert data.preprocessing.image_size == (8, 6)
    assert data.preprocessing.add_channel


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"scale": "1/0"}, "scale is '1/0'"),
        ({"scale": "abc"}, "scale is 'abc'"),
        ({"mean": "1,x"}, "--mean is '1,x'"),
        ({"std": "0"}, "std is 0.0"),
        ({"std": "1,-1,1"}, "std"),
        ({"image_size": "8"}, "--image-size is '8'"),
        ({"image_size": "0x8"}, "at least 1 x 1"),
    ],
)
def test_unusable_values_are_refused(pixels: str, options: dict[str, str], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        read_data(data=pixels, **options)


@pytest.mark.parametrize(
    "options", [{"scale": "2"}, {"features": "x:float"}, {"add_channel": True}]
)
def test_options_without_data_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="pass --data SOURCE"):
        read_data(data=None, **options)


def test_missing_data_is_refused() -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_data(data="nowhere.npz")


def test_importing_the_options_loads_no_tensorflow() -> None:
    code = (
        "import sys, tflite_squeeze.command_line.data_options;sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
