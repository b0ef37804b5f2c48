"""The verb: give weights, or weights and inputs, one or two bits."""

import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tflite_squeeze import flavors
from tflite_squeeze.compress import keras_variables
from tflite_squeeze.compress.binarize_config import Binarize
from tflite_squeeze.compress.binarize_record import BinarizedWeight, BinarizeRecord
from tflite_squeeze.compress.finetune import finetune as train
from tflite_squeeze.compress.finetune_config import FineTune
from tflite_squeeze.compress.layers import Selection, Target, select
from tflite_squeeze.compress.quality import metric_name, validation_quality
from tflite_squeeze.compress.records import SkippedLayer
from tflite_squeeze.compress.replacing import replaceable
from tflite_squeeze.compress.ternary_network import shared_axes, ternary_network
from tflite_squeeze.errors import UsageError
from tflite_squeeze.io.data import Data, load_data

_STORED = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D",
           "SeparableConv2D")  # fmt: skip
# In tf_keras they descend from convolutions.
_NOT_STORED = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")


class Binarized(NamedTuple):
    """A model with binary or ternary weights, and what was done to it."""

    model: Any
    record: BinarizeRecord


def binarize(
    model: Any,
    config: Binarize,
    data: Any = None,
    finetune: FineTune | None = None,
    *,
    one_shot: bool = False,
    in_place: bool = False,
    verbose: int = 0,
) -> Binarized:
    """Trains a model until its weights are {-s, s} or {-s, 0, s}.

    Args:
        model: a Keras model of either flavour.
        config: which weights become what.
        data: `Data` or anything that `load_data` takes. With a labelled training part the weights
            are trained while they are quantised on every call; without, they are quantised once.
        finetune: how to train; 3 epochs by default.
        one_shot: quantise at once and train not, though there is data to train on.
        in_place: change the model itself, not a copy.
        verbose: as in `model.fit`.

    Returns:
        (model, record). The model has the layers that it had.

    Raises:
        UsageError: nothing can be binarised, or training was asked for without labelled data.
        InputError: the data does not fit the model.

    Example:
        >>> config = Binarize(weights="ternary", inputs="float")
        >>> model, record = binarize(model, config, "mnist", FineTune(epochs=20))
    """
    started = time.perf_counter()
    changed = model if in_place else keras_variables.copy_of(model)
    selection = _selected(changed, config)
    samples = None if data is None else load_data(data).fitted_to(flavors.input_specs(changed))
    training = _training(samples, finetune, one_shot=one_shot)
    before = validation_quality(changed, samples)
    network = ternary_network(changed, selection.targets, config)
    history: dict[str, list[float]] = {}
    if training is not None and samples is not None:
        history = train(changed, samples, training, around=network, verbose=verbose).history
    network.write_values()
    weights = tuple(_weight(target, config) for target in selection.targets)
    binarised = sum(weight.parameters for weight in weights)
    record = BinarizeRecord(
        model=model.name,
        config=config,
        finetune=training,
        weights=weights,
        other_parameters=int(changed.count_params()) - binarised,
        skipped=selection.skipped,
        metric=metric_name(changed),
        before=before,
        after=validation_quality(changed, samples),
        history=history,
        notes=samples.notes if samples is not None else (),
        seconds=time.perf_counter() - started,
    )
    return Binarized(changed, record)


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
        reasons = "; ".join(f"{item.layer}: {item.reason}" for item in skipped)
        raise UsageError(
            f"nothing to binarise in model {model.name!r} ({reasons}): see --only and --protect"
        )
    return replace(selection, targets=tuple(kept), skipped=tuple(skipped))


def _training(
    samples: Data | None, finetune: FineTune | None, *, one_shot: bool
) -> FineTune | None:
    """How to train, or None for not at all."""
    if one_shot:
        return None
    able = samples is not None and samples.labelled and samples.train is not None
    if finetune is not None and not able:
        raise UsageError("binary weights are trained on labelled data: pass data with labels")
    return (finetune or FineTune()) if able else None


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
    )
