"""Options that follow from a config: one of each kind of field, and the config that comes back."""

from typing import Annotated, Any, Literal

import click
import pytest
from click.testing import CliRunner
from pydantic import Field

from tflite_squeeze.command_line.config_options import config_of, config_options, given, help_of
from tflite_squeeze.errors import UsageError
from tflite_squeeze.frozen import Frozen


class Bake(Frozen):
    """How a cake is baked; no config of ours, so that it is imported for its fields."""

    minutes: int = Field(default=40, ge=1, le=90, description="Time in the oven, in minutes.")
    heat: Annotated[float, Field(gt=0)] | Literal["grill"] = Field(
        default=180.0, description="Temperature in °C."
    )
    shape: Literal["round", "square"] = Field(default="round", description="Shape of the tin.")
    sugar: float | None = Field(default=None, ge=0, lt=1, description="Fraction of sugar.")
    vegan: bool = Field(default=False, description="Leave out the eggs.")
    icing: bool = Field(default=True, description="Whether it is iced.")
    layers: dict[str, int] = Field(default_factory=dict, description="Layers by kind.")
    only: tuple[str, ...] = Field(default=("cherry",), description="Fruit that may be used.")
    name_on_top: str | None = Field(default=None, description="What is written on it.")


BAKE = f"{__name__}:Bake"


def _command(*fields: str, **changes: Any) -> click.Command:
    @click.command()
    @config_options(BAKE, *(fields or Bake.model_fields), **changes)
    def bake(**options: Any) -> None:
        click.echo(config_of(Bake).model_dump_json(exclude_unset=True))
        click.echo(sorted(name for name in options if given(name)))

    return bake


def _said(*args: str, command: click.Command | None = None) -> list[str]:
    result = CliRunner().invoke(command or _command(), args, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.output.splitlines()


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    module = type(sys)(__name__)
    module.Bake = Bake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, __name__, module)


def test_each_kind_of_field_has_its_kind_of_option() -> None:
    options = {str(one.name): one for one in _command().params if isinstance(one, click.Option)}
    assert {name: one.opts + one.secondary_opts for name, one in options.items()} == {
        "minutes": ["--minutes"], "heat": ["--heat"], "shape": ["--shape"], "sugar": ["--sugar"],
        "vegan": ["--vegan"], "icing": ["--icing", "--no-icing"], "layers": ["--layer"],
        "only": ["--only"], "name_on_top": ["--name-on-top"],
    }  # fmt: skip
    assert {name: one.default for name, one in options.items() if one.default} == {
        "minutes": 40, "heat": 180.0, "shape": "round", "icing": True, "only": ["cherry"],
    }  # fmt: skip
    assert options["shape"].type.choices == ("round", "square")
    assert (options["minutes"].type.min, options["minutes"].type.max) == (1, 90)
    assert options["sugar"].type.max_open
    assert options["heat"].metavar == "FLOAT|grill"
    assert options["layers"].multiple
    assert options["only"].multiple


def test_help_says_description_default_and_range() -> None:
    lines = "\n".join(_said("--help"))
    assert "Time in the oven, in minutes.  [default: 40;" in lines
    assert "--layer PATTERN=NUMBER" in lines


def test_only_what_was_given_reaches_the_config() -> None:
    assert _said() == ["{}", "[]"]
    assert _said("--minutes", "40") == ['{"minutes":40}', "['minutes']"]
    assert _said("--heat", "grill", "--vegan", "--no-icing")[0] == (
        '{"heat":"grill","vegan":true,"icing":false}'
    )
    assert _said("--layer", "top=2", "--layer", "a=b=3", "--only", "plum", "--only", "fig")[0] == (
        '{"layers":{"top":2,"a=b":3},"only":["plum","fig"]}'
    )


@pytest.mark.parametrize(
    ("args", "error", "said"),
    [
        (("--minutes", "0"), click.BadParameter, "0 is not in the range 1<=x<=90"),
        (("--layer", "top"), UsageError, "--layer is 'top': write PATTERN=NUMBER, such as"),
        (("--layer", "=2"), UsageError, "--layer is '=2'"),
        (("--layer", "top=x"), UsageError, "--layer is 'top=x'"),
        (("--heat", "oven"), UsageError, "--heat is 'oven': give a number of at least 0, or 'gr"),
        (("--sugar", "nan"), UsageError, "--sugar is nan: Input should be less than 1"),
    ],
)
def test_what_is_wrong_is_said_with_the_option(
    args: tuple[str, ...], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        _said(*args)
    assert said in str(caught.value)


def test_a_command_chooses_fields_and_changes_their_options() -> None:
    command = _command(
        "shape", "minutes", when="With --oven", minutes={"names": ["--time", "-t", "time"]}
    )
    assert _said("-t", "7", command=command) == ['{"minutes":7}', "['time']"]
    assert [one.name for one in command.params] == ["shape", "time"]
    assert "With --oven, shape of the tin." in "\n".join(_said("--help", command=command))


def test_fields_that_no_option_sets() -> None:
    assert config_of(Bake, minutes=None, sugar=0.5) == Bake(sugar=0.5)
    with pytest.raises(UsageError, match=r"^minutes is 0: Input should be greater"):
        config_of(Bake, minutes=0)
    assert help_of(BAKE, "icing") == "Whether it is iced."
