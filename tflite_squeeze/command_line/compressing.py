"""What the commands that change a model share: check the targets, open, run, save, show."""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.config_options import config_of
from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    say,
    show,
    working,
    write_json,
)
from tflite_squeeze.command_line.training_options import finetune_of, training_options, trains
from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.files.files import check_output, write_atomically
from tflite_squeeze.network.save import check_model_output, rejected_path, save_model

if TYPE_CHECKING:
    from tflite_squeeze.network.loading import LoadedModel
    from tflite_squeeze.training.record import StepRecord

Options = dict[str, Any]


def max_drop_option(command: Any) -> Any:
    """Adds `--max-drop` to a command that changes a model."""
    return click.option(
        "--max-drop", type=click.FloatRange(min=0, max=1), default=0.05, show_default=True,
        help="Largest loss of accuracy, as a fraction, or of agreement with the model as it was "
        "where there are no labels; a model that loses more exits 1 and is saved as rejected.",
    )(command)  # fmt: skip


def check_targets(
    output: Path, options: Options, inputs: Iterable[Path], *, tflite: bool = False
) -> None:
    """Refuses the model and the JSON that are to be written before any work is spent on them.

    Args:
        output: the model.
        options: of the command.
        inputs: files that are read.
        tflite: whether the model is a `.tflite` file.
    """
    sources = list(inputs)
    (check_output if tflite else check_model_output)(output, force=options["force"], inputs=sources)
    check_json(options["json_target"], force=options["force"], inputs=[*sources, output])


def compressing(example: str, *own: Callable[[Any], Any]) -> Callable[[Any], click.Command]:
    """Makes a command of a function that changes a model: MODEL, -o, and what all of them take.

    Args:
        example: how it is used, after the program's name.
        own: decorators that add the command's own options.

    Returns:
        A decorator of a function of (ctx, model, output, **options).
    """
    path = click.Path(path_type=Path)
    steps: list[Callable[[Any], Any]] = [
        click.command(epilog=f"Example: tflite-squeeze {example}"),
        click.argument("model", type=path),
        click.option("-o", "--output", type=path, required=True, help="The model to write."),
        data_options, *own, training_options, max_drop_option,
        model_options, force_option, json_option, click.pass_context,
    ]  # fmt: skip

    def made(command: Any) -> click.Command:
        for step in reversed(steps):
            command = step(command)
        return command  # type: ignore[no-any-return]

    return made


def compress(
    ctx: click.Context,
    model: Path,
    output: Path,
    options: Options,
    *,
    doing: str,
    verb: str,
    config: str | Callable[[], Any],
    closing: Callable[[Any], str],
    inputs: Iterable[Path] = (),
    trains_as: str = "",
    keep_prunable: bool = False,
    more: Callable[["LoadedModel", Any], Options] = lambda *_: {},
    keeps: Callable[[Any], bool] = lambda _: True,
    in_file: str | None = None,
) -> None:
    """Runs a technique's verb: checks the targets, opens, runs, saves, shows, writes, concludes.

    Args:
        ctx: of the command.
        model: the model's file.
        output: where the changed model goes.
        options: of the command.
        doing: what the progress display says, before the file's name.
        verb: takes (model, config, data, finetune) and returns (model, record), as "module:name",
            from which it is imported when it is needed.
        config: the technique's config as "module:Class", or what reads it off the options.
        closing: the last line, of the record, after the name of the output; it raises
            CheckFailed where the result is not what was asked for.
        inputs: other files that are read.
        trains_as: of a technique that is training, what a message calls it.
        keep_prunable: whether `Prunable` wrappers stay while the verb works.
        more: what else the verb takes, of the loaded model and the config.
        keeps: of the record, whether there is a model to save.
        in_file: what applies the verb to a `.tflite` file for an output that is one, as
            "module:name"; None where it cannot be.

    Raises:
        UsageError: an option cannot be used.
        CheckFailed: `closing` says that the result is not what was asked for.
    """
    tflite = in_file is not None and output.suffix == ".tflite"
    check_targets(output, options, [model, *inputs], tflite=tflite)
    if trains_as and options["epochs"] == 0:
        raise UsageError(f"--epochs is 0, but {trains_as} is training: give at least 1")
    asked = config_of(resolve_name(config)) if isinstance(config, str) else config()
    finetune = finetune_of(options)
    if in_file is not None and tflite:
        if any(options[name] for name in ("epochs", "steps", "teacher")):
            raise UsageError(
                f"{output} is a .tflite file, in which nothing is trained: name an output that "
                f"ends in .keras, or leave out --epochs, --steps and --teacher"
            )
        with working(ctx, f"{doing} {model}"), caught_chatter():
            changed, record = resolve_name(in_file)(
                resolve_name(verb), model, asked, open_data(options)
            )
        conclude(ctx, changed, output, record, options, closing)
        return
    source = open_layers(model, options, keep_prunable=keep_prunable)
    from tflite_squeeze.network.unwrapping import plain
    from tflite_squeeze.training.callback import TargetNotReached
    from tflite_squeeze.training.step_run import RunContext

    given, data = more(source, asked), open_data(options)
    wanted = trains(data, options)
    if trains_as and not wanted:
        raise UsageError(f"{trains_as} is training: pass labelled --data")
    if not trains_as:
        given["one_shot"] = not wanted
    with working(ctx, f"{doing} {model}") as tell, warnings.catch_warnings():
        given["context"] = RunContext(
            told=lambda done, of: tell("training, epochs", done, of), working=tell
        )
        warnings.simplefilter("ignore", TargetNotReached)  # the last line and the exit code say so
        run = resolve_name(verb)
        changed, record = run(source, asked, data, finetune if wanted else None, **given)
    kept = plain(changed)[0] if keeps(record) else None
    conclude(ctx, kept, output, record, options, closing)


def conclude(
    ctx: click.Context,
    model: Any,
    output: Path,
    record: "StepRecord",
    options: Options,
    closing: Callable[[Any], str],
) -> None:
    """Saves a model, None for none, shows its record and says whether it is what was asked for.

    Args:
        ctx: of the command.
        model: a Keras model, or the bytes of a `.tflite` file.
        output: where it goes; beside it, as rejected, where it failed.
        record: what was done to it.
        options: of the command.
        closing: as `compress` takes it.

    Raises:
        CheckFailed: the model lost too much, or `closing` says what else is wrong with it.
    """
    try:
        line, failure = closing(record), record.lost_more_than(options["max_drop"])
    except CheckFailed as error:
        line, failure = "", str(error)
    target = rejected_path(output) if failure else output
    force = options["force"] or bool(failure)
    if isinstance(model, bytes):
        write_atomically(target, model, force=force)
    elif model is not None:
        save_model(model, target, force=force)
    show(ctx, record.tables())
    write_json(options["json_target"], record, force=options["force"])
    if failure:
        kept = f"; the model is in {target}" if model is not None else ""
        raise CheckFailed(f"{output} was not written, {failure}{kept}")
    say(ctx, f"{output}: {line}")
