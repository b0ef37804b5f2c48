"""`tflite-squeeze factorize`: a Keras model in, the same model with low-rank layers out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_fields import choices_of
from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.option_types import pattern_type
from tflite_squeeze.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from tflite_squeeze.techniques.low_rank.config import Factorize
    from tflite_squeeze.techniques.low_rank.record import FactorizeRecord

FACTORIZE = "tflite_squeeze.techniques.low_rank.config:Factorize"


def _rank(text: str) -> int | tuple[int, ...]:
    """A rank, or two for Tucker."""
    ranks = tuple(int(one) for one in text.split(",", 1))
    return ranks if len(ranks) > 1 else ranks[0]


@compressing(
    "factorize models/lenet_300_100.keras -o thin.keras "
    "--data fashion-mnist --rank 16 --measure --epochs 3",
    config_options(
        FACTORIZE,
        "rank", "ratio", "energy", "max_error", "vbmf", "macs_ratio", "bytes_ratio",
        "budget", "keep", "ranks", "scheme", "multiple", "only", "protect", "data_aware", "repair",
        "samples", "emit",
        ranks={"names": ["--layer"], "type": pattern_type("RANK", _rank, "dense_*=16")},
        data_aware={"names": ["--data-aware/--plain-svd"]},
        emit={"names": ["--factorized-layers"], "flag_value": "factorized", "default": None},
    ),
    click.option("--measure", is_flag=True, help="Keep only the splits that LiteRT runs faster."),
    click.option(
        "--quantize",
        type=click.Choice(choices_of(FACTORIZE, "measure")),
        help="With --measure: quantization of the files that are timed.  [default: none]",
    ),
)  # fmt: skip
def factorize_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Split layers into low-rank factors: Dense, Conv2D, EinsumDense and Embedding.

    With data the factors keep what the layers answer on it; with labelled data the model is then
    trained on, unless --epochs is 0. Splits that save nothing, or with --measure are not faster,
    are refused with the numbers. Exits 1 when no split was left, or a budget was missed.
    """
    compress(
        ctx, model, output, options,
        doing="Factorizing",
        verb="tflite_squeeze.techniques.low_rank.factorize:factorize",
        config=lambda: _config(options),
        keeps=lambda record: bool(record.layers),
        closing=lambda record: _conclusion(record),
    )  # fmt: skip


def _conclusion(record: "FactorizeRecord") -> str:
    if not record.layers:
        raise CheckFailed(
            "every split was refused (see the reasons): use lower ranks, or leave this model as it "
            "is"
        )
    if not record.reached:
        raise CheckFailed(f"{'; '.join(record.shortfalls)}: ask for lower ranks")
    return (
        f"{len(record.layers)} layers split, {record.parameters_ratio:.1%} of the parameters and "
        f"{record.macs_ratio:.1%} of the multiply-accumulates are left"
    )


def _config(options: dict[str, Any]) -> "Factorize":
    from tflite_squeeze.techniques.low_rank.config import Factorize

    if options["quantize"] is not None and not options["measure"]:
        raise UsageError("--quantize says what --measure converts to: pass both")
    return config_of(
        Factorize, measure=(options["quantize"] or "none") if options["measure"] else None
    )
