"""What the commands that change a model share: check the targets, open, run, save, show."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.data_options import open_data
from tflite_squeeze.command_line.output import check_json, progress, show, write_json
from tflite_squeeze.command_line.training_options import trains
from tflite_squeeze.network.save import check_model_output, save_model

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tflite_squeeze.tables.table import Table

Options = dict[str, Any]


def check_targets(output: Path, options: Options, inputs: Iterable[Path]) -> None:
    """Refuses the model and the JSON that are to be written before any work is spent on them.

    Args:
        output: the model.
        options: of the command.
        inputs: files that are read.
    """
    sources = list(inputs)
    check_model_output(output, force=options["force"], inputs=sources)
    check_json(options["json_target"], force=options["force"], inputs=[*sources, output])


def compressed(
    ctx: click.Context,
    doing: str,
    verb: Callable[..., tuple[Any, Any]],
    model: Any,
    config: Any,
    training: Any,
    options: Options,
    **more: Any,
) -> tuple[Any, Any]:
    """Runs a technique's verb on the data that the options name, with training or without.

    Args:
        ctx: of the command.
        doing: what the progress display says.
        verb: takes (model, config, data, finetune, one_shot=...) and returns (model, record).
        model: a Keras model.
        config: the technique's.
        training: how to train, where the options and the data let it.
        options: of the command.
        **more: what else the verb takes.

    Returns:
        (model, record).
    """
    data = open_data(options)
    one_shot = not trains(data, options)
    with progress(ctx, doing):
        return verb(model, config, data, None if one_shot else training, one_shot=one_shot, **more)


def keep(
    ctx: click.Context,
    model: Any,
    output: Path,
    record: "BaseModel",
    tables: Iterable["Table"],
    options: Options,
) -> None:
    """Saves a model, None for none, and shows its record.

    Args:
        ctx: of the command.
        model: a Keras model.
        output: where it goes.
        record: what was done to it.
        tables: the record's.
        options: of the command.
    """
    if model is not None:
        save_model(model, output, force=options["force"])
    show(ctx, tables)
    write_json(options["json_target"], record, force=options["force"])
