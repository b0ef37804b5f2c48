"""The verb: train a model with the integers that its file will have.

Reference: Jacob et al. 2018, arXiv:1712.05877.
"""

from typing import Any, NamedTuple

import numpy as np

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.emission.quantized import calibrated_inside
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.quantization.biases import round_biases
from tflite_squeeze.network.quantization.kept import kernels_of
from tflite_squeeze.network.quantization.layers import QuantizedWeights
from tflite_squeeze.network.quantization.twin import (
    kernel_name,
    plan_of_twin,
    quantized_layers,
)
from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.network.weight_error import relative_error
from tflite_squeeze.network.weights import Target, select
from tflite_squeeze.techniques.quantization.aware import twin_for
from tflite_squeeze.techniques.quantization.config import QuantizationAware
from tflite_squeeze.techniques.quantization.record import QuantizedWeight, QuantizeRecord
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.plan import Needs
from tflite_squeeze.training.step_run import RunContext, StepRun

# The weights are near where they have to be.
_NEEDS = Needs(rate=0.3, folds=True)


class Quantized(NamedTuple):
    """The quantized twin of a model, and what was done."""

    model: Any
    record: QuantizeRecord


@checked_arguments
def quantize(
    model: Any,
    config: QuantizationAware | None = None,
    data: Any = None,
    finetune: FineTune | None = None,
    *,
    one_shot: bool = False,
    context: RunContext | None = None,
    verbose: int = 0,
) -> Quantized:
    """Trains a model with the integers that its file will have (quantization-aware training).

    Normalisation is folded into the layers before it, with the statistics that it has; ranges of
    activations are calibrated on samples; then weights and activations are rounded in every
    training step. Zeros of pruned weights stay zeros, and shared values stay shared.

    Args:
        model: a functional or sequential Keras model of either version, a path to one, or a
            `LoadedModel`.
        config: the bits, and how ranges are found; 8 bits for all by default.
        data: `Data` or anything that `load_data` takes. Ranges are calibrated on it; with a
            labelled training part the model is trained.
        finetune: how to train; numbers left open are chosen. Data without labels is enough where
            the original model teaches (`FineTune(teacher="original")`).
        one_shot: calibrate only, even if there is training data.
        context: passed by a run of several steps (a recipe).
        verbose: as in `model.fit`.

    Returns:
        A `Quantized`, which unpacks as (twin, record): the twin is an ordinary Keras model, of
        which `convert` makes a file with exactly its integers; the `QuantizeRecord` has the plan,
        and quality before, after calibration and after training.

    Raises:
        UsageError: there is no data, or the model has no graph of layers or nothing to quantize.
        InputError: the data does not fit the model.

    Example:
        >>> twin, record = quantize(model, QuantizationAware(weights=4), "fashion-mnist")
    """
    asked = config or QuantizationAware()
    run = StepRun(
        model, data, finetune, one_shot=one_shot, rebuilds=True, needs=_NEEDS, context=context
    )
    if run.samples is None:
        raise UsageError(
            f"ranges of model {run.model.name!r} are calibrated on real samples: pass data"
        )
    samples = run.samples.sample("calibration", asked.samples).inputs
    twin = twin_for(run.model, asked, samples)
    originals, targets = kernels_of(run.model), _targets(twin)
    zeros = [int(np.sum(np.asarray(target.variable) == 0)) for target, _ in targets]
    calibrated = run.verdict(twin)
    run.train(twin, verbose=verbose)
    for target, _ in targets:
        target.layer.settle()
    round_biases(twin)
    record = QuantizeRecord(
        config=asked,
        plan=plan_of_twin(twin),
        weights=tuple(
            _weight(target, planned, before, originals)
            for (target, planned), before in zip(targets, zeros, strict=True)
        ),
        skipped=_left(twin),
        calibrated=calibrated.quality if calibrated else None,
        calibrated_agreement=calibrated.agreement if calibrated else None,
        calibrated_divergence=calibrated.divergence if calibrated else None,
        **run.facts(twin),
    )
    return Quantized(twin, record)


def _targets(twin: Any) -> list[tuple[Target, str]]:
    """The weights that are trained on a grid, each with its name in the plan."""
    planned = {id(layer): kernel_name(name) for name, layer in quantized_layers(twin).items()}
    return [
        (target, planned[id(target.layer)])
        for target in select(twin).targets
        if id(target.layer) in planned
    ]


def _weight(
    target: Target, planned: str, zeros_before: int, originals: dict[str, tuple[str, Any]]
) -> QuantizedWeight:
    kernel = np.asarray(target.variable)
    return QuantizedWeight(
        name=target.name,
        was=originals.get(target.layer.name, (target.name, None))[0],
        planned=planned,
        layer_type=target.layer.plain_kind,
        parameters=target.size,
        error=relative_error(kernel, np.asarray(target.layer.rounded_values())),
        zeros_before=zeros_before,
        zeros_after=int(np.sum(kernel == 0)),
        shared_values=_shared_values(target),
    )


def _shared_values(target: Target) -> int:
    """How many values share, zero counted where it occurs."""
    count: int = target.layer.shared_values
    return count - (not np.any(np.asarray(target.layer.segments) == 0)) if count else 0


def _left(twin: Any) -> tuple[SkippedLayer, ...]:
    """Layers that were not trained with integers, and why."""
    inside = [one.removesuffix(")").split(" (") for one in calibrated_inside(load_model(twin))]
    reason = "its insides are trained in float, and calibrated on samples when it is converted"
    left = [SkippedLayer(layer=name, layer_type=kind, reason=reason) for name, kind in inside]
    named = {one.layer for one in left}
    for target in select(twin).targets:
        layer = target.layer
        if not isinstance(layer, QuantizedWeights) and layer.name not in named:
            named.add(layer.name)
            other = f"{target.layer_type} is not trained on a grid: its weights are rounded when "
            left.append(
                SkippedLayer(
                    layer=layer.name, layer_type=target.layer_type, reason=f"{other}it is converted"
                )
            )
    return tuple(left)
