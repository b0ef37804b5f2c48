"""`tflite-squeeze distill`: a student and its teachers in, a trained student out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.compressing import check_targets, conclude, max_drop_option
from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.model_options import model_options, open_layers, open_model
from tflite_squeeze.command_line.output import force_option, json_option, progress
from tflite_squeeze.command_line.training_options import (
    DISTILL,
    finetune_of,
    plain_training_options,
)
from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.foreign.torch.source import is_factory

if TYPE_CHECKING:
    from tflite_squeeze.network.loading import LoadedModel
    from tflite_squeeze.techniques.distillation.record import DistillRecord
    from tflite_squeeze.training.config import Distill


@click.command(
    epilog="Example: tflite-squeeze distill student.keras teacher.keras -o taught.keras "
    "--data mnist --epochs 10"
)
@click.argument("student", type=click.Path(path_type=Path))
@click.argument("teachers", metavar="TEACHER...", type=click.Path(path_type=Path), nargs=-1,
                required=True)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@data_options
@config_options(
    DISTILL, "distance", "temperature", "lam", "label_weight", distance={"metavar": "NAME"}
)
@click.option(
    "--hint", "hints", multiple=True, metavar="STUDENT=TEACHER",
    help="Pair of layers whose features are to match; may be repeated.",
)  # fmt: skip
@click.option(
    "--attention", "attentions", multiple=True, metavar="STUDENT=TEACHER",
    help="Pair of layers whose attention maps are to match; may be repeated.",
)  # fmt: skip
@config_options(
    DISTILL, "student_outputs", "teacher_outputs", "cache", "cache_dir",
    cache_dir={"metavar": "FOLDER"},
)  # fmt: skip
@plain_training_options
@max_drop_option
@model_options
@force_option
@json_option
@click.pass_context
def distill_command(
    ctx: click.Context, /, student: Path, teachers: tuple[Path, ...], output: Path, **options: Any
) -> None:
    """Train a student on a teacher's outputs, with or without labels.

    A teacher is a Keras model, a SavedModel or a .tflite file; several are an ensemble. Exits 1
    when the student ends up worse than it was.
    """
    check_targets(output, options, [student, *teachers])
    config, training = _config(options), finetune_of(options)
    if options["epochs"] == 0:
        raise UsageError("--epochs is 0, but distillation is training: give at least 1")
    source = open_layers(student, options)
    from tflite_squeeze.techniques.distillation.distill import distill

    taught_by = [_opened(path, options) for path in teachers]
    data = open_data(options)
    if data is None:
        raise UsageError("distillation needs examples, labelled or not: pass --data")
    # LiteRT greets whoever loads a file with it.
    with progress(ctx, f"Distilling into {student}"), caught_chatter():
        model, record = distill(source.model, config, data, taught_by, training)
    conclude(
        ctx, model, output, record, options,
        lambda record: _conclusion(record, ", ".join(map(str, teachers))),
    )  # fmt: skip


def _opened(teacher: Path, options: dict[str, Any]) -> "LoadedModel":
    """A teacher; --state-dict and --input are the student's."""
    if is_factory(teacher):
        raise UsageError(
            f"teacher {teacher} is a function, whose options are the student's: rebuild it by "
            f"tflite-squeeze import, and give the model"
        )
    return open_model(teacher, {**options, "state_dict": None, "network_inputs": ()})


def _conclusion(record: "DistillRecord", teachers: str) -> str:
    if not record.reached:
        raise CheckFailed(
            "it is worse than the student was: train for more epochs, or with another "
            "--learning-rate"
        )
    return f"distilled from {teachers}"


def _config(options: dict[str, Any]) -> "Distill":
    from tflite_squeeze.training.config import Distill

    hints = [_hint(text, "features") for text in options["hints"]]
    hints += [_hint(text, "attention") for text in options["attentions"]]
    return config_of(Distill, hints=hints or None)


def _hint(text: str, compare: str) -> dict[str, str]:
    student, equals, teacher = text.partition("=")
    if not (student and equals and teacher):
        option = "hint" if compare == "features" else "attention"
        raise UsageError(f"--{option} is {text!r}: write STUDENT=TEACHER, such as conv_1=conv_2")
    return {"student": student, "teacher": teacher, "compare": compare}
