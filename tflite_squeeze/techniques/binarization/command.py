"""`tflite-squeeze binarize`: a Keras model in, a binary or ternary one out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from tflite_squeeze.command_line.compressing import check_targets, compressed, config_of, keep
from tflite_squeeze.command_line.data_options import data_options
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.output import force_option, json_option, say
from tflite_squeeze.command_line.training_options import finetune_of, training_options
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.network.larq_library import arrange_for_larq
from tflite_squeeze.techniques.binarization.config import (
    Binarize,
    LayerQuantizers,
    QuantizerName,
)

if TYPE_CHECKING:
    from tflite_squeeze.techniques.binarization.record import BinarizeRecord

_QUANTIZERS = get_args(QuantizerName)
_LAYER_FORM = "PATTERN=INPUT[:KERNEL], such as conv_1=none or block_*=ste_sign:magnitude_aware_sign"


@click.command(
    epilog="Example: tflite-squeeze binarize models/lenet_5.keras -o binary.h5 "
    "--data fashion-mnist --epochs 10"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@data_options
@click.option(
    "--weights", type=click.Choice(("binary", "ternary")), default="binary", show_default=True,
    help="What weights become: {-1, 1} or {-1, 0, 1}, times a scale with float inputs.",
)  # fmt: skip
@click.option(
    "--inputs", type=click.Choice(("binary", "float")), default="binary", show_default=True,
    help="binary: Larq's layers, for Larq Compute Engine. float: plain layers, for LiteRT.",
)  # fmt: skip
@click.option(
    "--weight-scale", type=click.Choice(("mean", "trained")),
    help="With float inputs: the scale is the mean magnitude (the default), or trained.",
)  # fmt: skip
@click.option("--threshold", type=float, help="With ternary weights: what becomes 0.")
@click.option("--one-scale", is_flag=True, help="With float inputs: one scale for each tensor.")
@click.option("--input-quantizer", type=click.Choice(_QUANTIZERS), help="Of inputs: ste_sign.")
@click.option("--kernel-quantizer", type=click.Choice(_QUANTIZERS), help="Of kernels: ste_sign.")
@click.option("--bits", type=click.IntRange(1, 8), help="Of dorefa_quantizer: 2.")
@click.option(
    "--layer", "layers", multiple=True, metavar="PATTERN=INPUT[:KERNEL]",
    help="Quantizers of the layers of that name or type; may be repeated.",
)  # fmt: skip
@click.option("--no-clip", is_flag=True, help="Let latent weights leave [-1, 1].")
@click.option("--optimizer", type=click.Choice(("adam", "bop")), help="bop has no latent weights.")
@click.option(
    "--stages", type=click.Choice(("joint", "two-stage", "gradual")),
    help="All at once (the default); inputs first, then weights; or layer by layer.",
)  # fmt: skip
@click.option(
    "--initialize", type=click.Choice(("trained", "random")),
    help="Whether latent weights begin as the float ones (the default), or anew.",
)  # fmt: skip
@click.option("--only", multiple=True, metavar="PATTERN", help="Binarise these layers only.")
@click.option(
    "--protect", multiple=True, metavar="PATTERN",
    help="Leave these in float. Without it, the first and the last layer; 'none' for no layer.",
)  # fmt: skip
@training_options
@model_options
@force_option
@json_option
@click.pass_context
def binarize_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Give weights, or weights and inputs, one or two bits.

    With labelled data the model is trained while its weights are quantised on every call; without,
    or with --epochs 0, they are quantised once. Exits 1 when a weight has more values than it
    should.
    """
    check_targets(output, options, [model])
    config, training = _config(options), finetune_of(options)
    if config.inputs == "binary":
        arrange_for_larq()
    source = open_layers(model, options)
    from tflite_squeeze.techniques.binarization.binarize import binarize
    from tflite_squeeze.techniques.binarization.tables import binarize_tables

    doing = f"Binarising {model}"
    binarised, record = compressed(ctx, doing, binarize, source.model, config, training, options)
    keep(ctx, binarised, output, record, binarize_tables(record), options)
    if not record.reached:
        raise CheckFailed(_too_many(output, record))
    say(
        ctx,
        f"{output}: {len(record.weights)} weights of "
        f"{'1 bit' if config.weights == 'binary' else '2 bits'}, {record.packed_bytes:,} bytes "
        f"packed instead of {record.float_bytes:,}",
    )


def _too_many(output: Path, record: "BinarizeRecord") -> str:
    wrong = ", ".join(weight.name for weight in record.weights if not weight.exact)
    return f"{output} has weights of more values than asked for ({wrong}): report this"


def _config(options: dict[str, Any]) -> "Binarize":
    protect = options["protect"]
    if "none" in protect:
        if len(protect) > 1:
            raise UsageError(f"--protect is {', '.join(protect)}: 'none' stands alone")
        protect = ()
    return config_of(
        Binarize,
        weights=options["weights"],
        inputs=options["inputs"],
        scale=options["weight_scale"],
        threshold=options["threshold"],
        per_channel=False if options["one_scale"] else None,
        input_quantizer=options["input_quantizer"],
        kernel_quantizer=options["kernel_quantizer"],
        bits=options["bits"],
        layers=_layers(options["layers"]) or None,
        clip=False if options["no_clip"] else None,
        optimizer=options["optimizer"],
        stages=options["stages"],
        initialize=options["initialize"],
        only=options["only"],
        protect=protect if options["protect"] else None,
    )


def _layers(texts: tuple[str, ...]) -> dict[str, LayerQuantizers]:
    layers = {}
    for text in texts:
        pattern, _, names = text.rpartition("=")
        given, colon, kernel = names.partition(":")
        known = (not given or given in (*_QUANTIZERS, "none")) and (
            not colon or kernel in _QUANTIZERS
        )
        if not pattern or not names or not known:
            raise UsageError(
                f"--layer is {text!r}: write {_LAYER_FORM}; quantizers are {', '.join(_QUANTIZERS)}"
            )
        layers[pattern] = LayerQuantizers.model_validate(
            {"input": given or None, "kernel": kernel or None}
        )
    return layers
