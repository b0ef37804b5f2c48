"""`tflite-squeeze factorize`: a Keras model in, the same model of thinner layers out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.compressing import check_targets, compressed, keep
from tflite_squeeze.command_line.data_options import data_options
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.output import force_option, json_option, say
from tflite_squeeze.command_line.training_options import finetune_of, training_options
from tflite_squeeze.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from tflite_squeeze.techniques.low_rank.config import Factorize

_SCHEMES = ("auto", "channel", "spatial", "tucker")
_QUANTIZATIONS = ("none", "float16", "dynamic", "int8", "int16x8")


@click.command(
    epilog="Example: tflite-squeeze factorize models/lenet_300_100.keras -o thin.keras "
    "--data fashion-mnist --rank 16 --measure --epochs 3"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@data_options
@click.option("--rank", type=click.IntRange(min=1), help="The rank of every layer.")
@click.option("--ratio", type=float, help="Instead: this share of each full rank.")
@click.option("--energy", type=float, help="Instead: keep this share of the squared values.")
@click.option("--max-error", type=float, help="Instead: the most each layer may be off on data.")
@click.option("--vbmf", is_flag=True, help="Instead: as many as stand out of noise.")
@click.option("--macs-ratio", type=float, help="Instead: this share of the model's MACs.")
@click.option("--bytes-ratio", type=float, help="Instead: this share of the model's weights.")
@click.option(
    "--layer", "layers", multiple=True, metavar="PATTERN=RANK",
    help="Rank of the layers of that name or type, R or R1,R2 for Tucker; may be repeated.",
)  # fmt: skip
@click.option(
    "--scheme", type=click.Choice(_SCHEMES), default="auto", show_default=True,
    help="How convolutions are split.",
)  # fmt: skip
@click.option("--multiple", type=click.IntRange(min=1), help="Round ranks up to this multiple.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Factorize these layers only.")
@click.option(
    "--protect", multiple=True, metavar="PATTERN", help="Leave these out; first and last too."
)
@click.option("--plain-svd", is_flag=True, help="Do not weigh the factors by the data.")
@click.option("--samples", type=click.IntRange(min=1), help="Examples to weigh them by (512).")
@click.option("--factorized-layers", is_flag=True, help="Write FactorizedDense and ...Conv2D.")
@click.option("--measure", is_flag=True, help="Keep only what LiteRT really runs faster.")
@click.option(
    "--quantize", type=click.Choice(_QUANTIZATIONS), help="What --measure converts to (none)."
)
@training_options
@model_options
@force_option
@json_option
@click.pass_context
def factorize_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Split layers into thinner ones: Dense, Conv2D, EinsumDense and Embedding.

    With data the factors keep what the layers answer on it; with labelled data the model is then
    trained on, unless --epochs is 0. Splits that save nothing, or with --measure are not faster,
    are refused with the numbers. Exits 1 when no split was left, or a budget was missed.
    """
    check_targets(output, options, [model])
    config, training = _config(options), finetune_of(options)
    source = open_layers(model, options)
    from tflite_squeeze.techniques.low_rank.paying import factorize
    from tflite_squeeze.techniques.low_rank.tables import factorize_tables

    doing = f"Factorizing {model}"
    thin, record = compressed(ctx, doing, factorize, source.model, config, training, options)
    keep(ctx, thin if record.layers else None, output, record, factorize_tables(record), options)
    if not record.layers:
        raise CheckFailed(
            f"{output} was not written, every split was refused (see the reasons): ask for lower "
            f"ranks, or leave this model whole"
        )
    if not record.reached:
        raise CheckFailed(f"{output}: {'; '.join(record.shortfalls)}: ask for lower ranks")
    say(
        ctx,
        f"{output}: {len(record.layers)} layers split, {record.parameters_ratio:.1%} of the "
        f"parameters and {record.macs_ratio:.1%} of the multiply-accumulates are left",
    )


def _config(options: dict[str, Any]) -> "Factorize":
    from tflite_squeeze.command_line.compressing import config_of
    from tflite_squeeze.techniques.low_rank.config import Factorize

    if options["quantize"] is not None and not options["measure"]:
        raise UsageError("--quantize says what --measure converts to: pass both")
    names = ("rank", "ratio", "energy", "max_error", "macs_ratio", "bytes_ratio", "scheme",
             "multiple", "only", "protect", "samples")  # fmt: skip
    return config_of(
        Factorize,
        **{name: options[name] for name in names},
        vbmf=options["vbmf"],
        ranks=_ranks(options["layers"]),
        data_aware=not options["plain_svd"],
        emit="factorized" if options["factorized_layers"] else "plain",
        measure=(options["quantize"] or "none") if options["measure"] else None,
    )


def _ranks(texts: tuple[str, ...]) -> dict[str, int | tuple[int, int]]:
    ranks: dict[str, int | tuple[int, int]] = {}
    for text in texts:
        pattern, _, numbers = text.rpartition("=")
        given = numbers.split(",")
        if not pattern or len(given) > 2 or not all(one.strip().isdecimal() for one in given):
            raise UsageError(f"--layer is {text!r}: write PATTERN=RANK, such as dense_*=16")
        values = [int(one) for one in given]
        ranks[pattern] = values[0] if len(values) == 1 else (values[0], values[1])
    return ranks
