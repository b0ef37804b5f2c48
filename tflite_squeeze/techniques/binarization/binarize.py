"""The verb: quantize weights, or weights and inputs, to one or two bits."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.observing import replaceable
from tflite_squeeze.network.skipped import SkippedLayer, why_skipped
from tflite_squeeze.network.weights import Selection, Target, select
from tflite_squeeze.techniques.binarization.bit_size import stored_numbers
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.binarization.record import BinarizedWeight, BinarizeRecord, Made
from tflite_squeeze.techniques.binarization.ternary_network import shared_axes, ternary_network
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.step_run import RunContext, StepRun

_STORED = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D",
           "SeparableConv2D")  # fmt: skip
# In tf_keras they descend from convolutions.
_NOT_STORED = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")


class Binarized(NamedTuple):
    """A model with binary or ternary weights, and what was done to it."""

    model: Any
    record: BinarizeRecord


@checked_arguments
def binarize(
    model: Any,
    config: Binarize,
    data: Any = None,
    finetune: FineTune | None = None,
    *,
    one_shot: bool = False,
    in_place: bool = False,
    context: RunContext | None = None,
    verbose: int = 0,
) -> Binarized:
    """Quantizes weights, or weights and inputs, to one or two bits, and trains them so.

    Args:
        model: a Keras model of either version, a path to one, or a `LoadedModel`.
        config: what becomes binary or ternary, and how.
        data: `Data` or anything that `load_data` takes. With a labelled training part the weights
            are trained while they are quantized on every call; without, they are quantized once.
        finetune: how to train; numbers left open are chosen. With
            `FineTune(teacher="original")` the model as it was teaches, and data without labels
            will do.
        one_shot: quantize at once and do not train, even if there is training data.
        in_place: change the model itself, not a copy; with float inputs only.
        context: passed by a run of several steps (a recipe).
        verbose: as in `model.fit`.

    Returns:
        A `Binarized`, which unpacks as (model, record): the Keras model, and a `BinarizeRecord` of
        every weight and changed layer. With float inputs the model keeps its layers; otherwise it
        is a tf_keras model with Larq's layers.

    Raises:
        UsageError: nothing can be binarized, training was asked for without labelled data, or
            Larq cannot be used in this process.
        InputError: the data does not fit the model, or a layer does not exist in tf_keras.

    Example:
        >>> config = Binarize(weights="ternary", inputs="float")
        >>> model, record = binarize(model, config, "mnist", FineTune(epochs=20))
    """
    rebuilds = config.inputs == "binary"
    run = StepRun(
        model, data, finetune,
        one_shot=one_shot, in_place=in_place, rebuilds=rebuilds, context=context,
    )  # fmt: skip
    if rebuilds and run.in_place:
        raise UsageError("binary inputs need layers of another type: leave in_place out")
    if rebuilds:
        from tflite_squeeze.techniques.binarization.larq_binarize import with_binary_inputs

        made = with_binary_inputs(run.model, config, run, verbose=verbose)
    else:
        made = _with_float_inputs(run.model, config, run, verbose=verbose)
    binarized = sum(weight.parameters for weight in made.weights)
    record = BinarizeRecord(
        config=config,
        weights=made.weights,
        other_parameters=stored_numbers(made.model) - binarized,
        changes=made.changes,
        skipped=made.skipped,
        **run.facts(made.model, *made.notes),
    )
    return Binarized(made.model, record)


def _with_float_inputs(model: Any, config: Binarize, run: StepRun, *, verbose: int) -> Made:
    selection = _selected(model, config)
    network = ternary_network(model, selection.targets, config)
    run.train(model, around=network, verbose=verbose)
    network.write_values()
    return Made(
        model=model,
        weights=tuple(_weight(target, config) for target in selection.targets),
        skipped=selection.skipped,
    )


def _selected(model: Any, config: Binarize) -> Selection:
    """The weights that a file can hold in few bits, or at least exactly."""
    selection = replaceable(select(model, only=config.only, protect=config.protect))
    kept, skipped = [], list(selection.skipped)
    for target in selection.targets:
        bases = {base.__name__ for base in type(target.layer).__mro__}
        if bases & set(_STORED) and not bases & set(_NOT_STORED):
            kept.append(target)
        else:
            skipped.append(
                SkippedLayer(
                    layer=target.layer.name,
                    layer_type=target.layer_type,
                    reason="no kernel of the stock runtime takes few-bit weights in such a layer",
                )
            )
    if not kept:
        reasons = why_skipped(skipped)
        raise UsageError(
            f"nothing to binarize in model {model.name!r} ({reasons}): see --only and --protect"
        )
    return replace(selection, targets=tuple(kept), skipped=tuple(skipped))


def _weight(target: Target, config: Binarize) -> BinarizedWeight:
    values = np.asarray(target.variable)
    matrix = target.matrix(values)
    axes = shared_axes(target, per_channel=config.per_channel)
    return BinarizedWeight(
        name=target.name,
        layer_type=target.layer_type,
        parameters=target.size,
        bits=1 if config.weights == "binary" else 2,
        scales=target.size // int(np.prod([target.shape[axis] for axis in axes])),
        zeros=int(np.sum(values == 0)),
        most_values=max(len(np.unique(row)) for row in matrix),
        allowed_values=2 if config.weights == "binary" else 3,
    )
