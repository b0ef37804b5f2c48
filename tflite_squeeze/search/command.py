"""`tflite-squeeze tune`: a Keras model and what it may cost in, the best file that passes out."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tflite_squeeze.command_line.config_fields import choices_of
from tflite_squeeze.command_line.config_options import (
    config_of,
    config_options,
    given,
    help_of,
    said_when,
)
from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.option_types import BYTES, Text
from tflite_squeeze.command_line.output import (
    check_json,
    json_option,
    resume_option,
    say,
    show,
    stop_if_interrupted,
    write_json,
)
from tflite_squeeze.errors import UsageError

if TYPE_CHECKING:
    from tflite_squeeze.data.data import Data
    from tflite_squeeze.network.loading import LoadedModel
    from tflite_squeeze.recipes.objective import Tune
    from tflite_squeeze.search.workers import Workers

_Command = TypeVar("_Command", bound=Callable[..., Any])
LOGGERS = "tflite_squeeze.search.loggers:Loggers"
WORKERS = "tflite_squeeze.search.workers:Workers"
TUNE = "tflite_squeeze.recipes.objective:Tune"
_COSTS = choices_of(TUNE, "minimize")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", re.IGNORECASE)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 60.0}
# Lines where standard error is no terminal follow each other no faster, but for what is new.
_SECONDS_APART = 20.0


def _duration(text: str) -> float | None:
    """Seconds; minutes where there is no unit."""
    if text == "none":
        return None
    found = _DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise ValueError
    return float(found[1]) * _SECONDS[found[2].lower()]


def _limit(text: str) -> tuple[str, float]:
    """A cost and the most of it: milliseconds, microjoules, or bytes with K and M."""
    name, _, amount = text.partition("=")
    if name not in _COSTS:
        raise ValueError
    if name == "latency":
        return name, float(amount.lower().removesuffix("ms"))
    if name == "energy":
        return name, float(amount.lower().removesuffix("uj").removesuffix("µj"))
    return name, float(BYTES.read(amount))


def seconds_option(when: str = "") -> Callable[[_Command], _Command]:
    """Adds `--time TIME` to a command that searches.

    Args:
        when: as of `config_options`.
    """
    return click.option(
        "--time",
        "seconds",
        type=Text("TIME", _duration, "30m, 2h, 90s or none"),
        default="60m",
        show_default=True,
        help=said_when(when, help_of(TUNE, "seconds")),
    )


def asked_for(options: Mapping[str, Any], base: "Tune | None" = None) -> "Tune":
    """What the running command is to search for.

    Args:
        options: of the command.
        base: has the values of what it was not given; the defaults where None.

    Raises:
        UsageError: a value cannot be used.
    """
    from tflite_squeeze.recipes.objective import Tune

    timed = given("seconds")
    limits = dict(options.get("limits", ())) or None
    asked = config_of(Tune, base, limits=limits, seconds=options["seconds"] if timed else None)
    # No limit of time is None, which means "not given" to `config_of`.
    unlimited = timed and options["seconds"] is None
    return asked.model_copy(update={"seconds": None}) if unlimited else asked


@click.command(
    epilog="Example: tflite-squeeze tune models/resnet_8.keras --data fashion-mnist "
    "--minimize latency --max-drop 0.005 -o best"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The folder to write."
)
@config_options(TUNE, "minimize")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    type=Text("COST=MOST", _limit, f"download=20K or latency=1.5; costs are {', '.join(_COSTS)}"),
    help=f"{help_of(TUNE, 'limits')} Costs are {', '.join(_COSTS)}. May be repeated.",
)
@config_options(TUNE, "max_drop", "min_agreement", "logits", "target", target={"metavar": "TARGET"})
@seconds_option()
@config_options(TUNE, "trials", "only", "without", "protect", "seed")
@data_options
@config_options(WORKERS, "storage", "artifacts", "study", "measure_here", "measure_only")
@config_options(LOGGERS, "tensorboard", "mlflow")
@resume_option("search")
@model_options
@json_option
@click.pass_context
def tune_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Search for the file that costs least within limits: say what it may cost, not how.

    The folder gets best.tflite, the recipe and the Keras model that it comes from (none of a
    .tflite file that has no layers), report.html, report.md and report.json, and the files of all
    candidates. From the first minutes on,
    best.tflite is the best file so far that passes every check: interrupt the search and use it, or
    continue with --resume. Of two costs to minimize, front/ gets every file that none other beats
    in both, with its recipe. Exits 1 when no file meets the limits.
    """
    if options["input_shape"]:
        raise UsageError("--input-shape is not taken here: give the model's inputs full shapes")
    asked = asked_for(options)
    check_json(options["json_target"], force=options["force"], inputs=[model])
    data = searched_data(options)
    source = open_layers(model, options, or_file=True)
    searched(ctx, asked, source, data, output, options, _workers(options))


def _workers(options: Mapping[str, Any]) -> "Workers | None":
    """Where the running command meets others.

    Raises:
        UsageError: options of a shared search are given without it.
    """
    if options["storage"] is None:
        for name in ("artifacts", "study", "measure_here", "measure_only"):
            if given(name):
                raise UsageError(
                    f"--{name.replace('_', '-')} is of a search that machines share: pass "
                    f"--storage too"
                )
        return None
    from tflite_squeeze.search.workers import Workers

    return config_of(Workers)


def searched_data(options: Mapping[str, Any]) -> "Data":
    """The data of a command that searches.

    Raises:
        UsageError: there is none.
    """
    from tflite_squeeze.recipes.objective import searchable

    return searchable(open_data(options), "--data")


def searched(
    ctx: click.Context,
    asked: "Tune",
    source: "LoadedModel",
    data: "Data",
    output: Path,
    options: Mapping[str, Any],
    workers: "Workers | None" = None,
) -> None:
    """Searches and shows what was found.

    Args:
        ctx: of the command.
        asked: what is searched for.
        source: the model.
        data: the samples.
        output: the folder.
        options: of the command.
        workers: where it meets others.

    Raises:
        CheckFailed: no file meets everything that was asked.
    """
    from tflite_squeeze.search.loggers import Loggers
    from tflite_squeeze.search.tables import tune_tables
    from tflite_squeeze.search.tune import tune

    with shown_line(ctx) as told:
        tuned = tune(
            source,
            asked,
            data,
            output,
            resume=options["resume"],
            force=options["force"],
            workers=workers,
            loggers=config_of(Loggers),
            allow_unsafe=options["allow_unsafe"],
            on_progress=told,
        )
    show(ctx, tune_tables(tuned.record))
    write_json(options["json_target"], tuned.record, force=options["force"])
    tuned.check()
    say(ctx, f"{output / 'best.tflite'} passes every check; see report.html")


@contextmanager
def shown_line(ctx: click.Context) -> Iterator[Callable[[str], None]]:
    """Shows how far a search is in one line; where standard error is no terminal, now and then."""
    if ctx.obj["quiet"]:
        yield lambda _line: None
    elif not sys.stderr.isatty():
        yield _now_and_then()
    else:
        from rich.console import Console

        # A copy of standard error: conversions turn descriptors 1 and 2 aside while they run.
        with os.fdopen(os.dup(2), "w") as screen:
            console = Console(file=screen, force_terminal=True)
            with console.status("reading the model …") as status:
                yield lambda line: status.update(line)
    stop_if_interrupted()


def _now_and_then() -> Callable[[str], None]:
    """Writes a line where what is known has changed, else every few seconds."""
    said, known = 0.0, ""

    def told(line: str) -> None:
        nonlocal said, known
        now, begins = time.monotonic(), line.partition(" trials")[0]
        if begins == known and now - said < _SECONDS_APART:
            return
        said, known = now, begins
        click.echo(line, err=True)

    return told
