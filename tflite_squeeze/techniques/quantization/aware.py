"""The quantized twin of a model, for the user's own training or for the verb's."""

import glob
from collections.abc import Mapping
from typing import Any

import numpy as np

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.emission.calibration.calibrate import calibrated
from tflite_squeeze.emission.calibration.weight_scales import as_columns, least_error
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors, tfmot
from tflite_squeeze.network.larq_library import is_larq_model
from tflite_squeeze.network.quantization.fitting import fitted_plan
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.in_float import with_activation_bits
from tflite_squeeze.network.quantization.kept import kernels_of
from tflite_squeeze.network.quantization.layers import has_free_scales
from tflite_squeeze.network.quantization.plan import (
    QuantizationPlan,
    WeightBits,
    WeightQuantization,
    float32_number,
)
from tflite_squeeze.network.quantization.twin import is_twin, kernel_name, plan_for, twin_of
from tflite_squeeze.network.weights import check_patterns, matches, select
from tflite_squeeze.techniques.quantization.config import QuantizationAware


@checked_arguments
def quantization_aware(model: Any, config: QuantizationAware | None = None) -> Any:
    """The quantized twin of a model: an ordinary Keras model that trains, saves and loads.

    It computes with the integers that its file will have. Normalisation is folded into the layers
    before it. Ranges of activations begin with the first batch that it is trained on. Zeros of
    pruned weights stay zeros, and shared values stay shared.

    Args:
        model: a functional or sequential Keras model of either version, trained before.
        config: the bits, and how ranges are found; 8 bits for all by default.

    Returns:
        A new model, compiled as the model is. `convert` makes a file of it that has its integers,
        `plan_of_twin` tells its ranges and scales, `float_model` takes the rounding out again.

    Raises:
        UsageError: the model has no graph of layers, is quantized already, or a pattern of
            `layers` matches nothing.

    Example:
        >>> twin = quantization_aware(model, QuantizationAware(weights=4))
        >>> twin.fit(x, y, epochs=3)
        >>> convert(twin).save("model.tflite")
    """
    return twin_for(model, config or QuantizationAware())


def twin_for(
    model: Any, config: QuantizationAware, samples: Mapping[str, Any] | None = None
) -> Any:
    """The same, with ranges that were calibrated on samples.

    Args:
        model: a Keras model of either version.
        config: the bits, and how ranges are found.
        samples: by the name of the input, (N, ...), preprocessed; None leaves ranges open.

    Raises:
        UsageError: as `quantization_aware`.
        InputError: an activation is no number on the samples.
    """
    _refuse(model)
    plain = folded(model)
    plan = _plan(plain, config, model)
    if samples is not None:
        plan = calibrated(plain, samples, config.calibrate, plan)
    if config.learns_scales:
        plan = _with_least_error(plain, plan)
    originals = {layer: values for layer, (_, values) in kernels_of(model).items()}
    return twin_of(
        plain, plan, estimator=config.estimator, learned_scale=config.learns_scales,
        delay=config.delay, originals=originals,
    )  # fmt: skip


def _refuse(model: Any) -> None:
    if is_twin(model):
        raise UsageError(
            f"model {model.name!r} is a quantized network already: go on training it with fit, or "
            f"pass what float_model makes of it"
        )
    wrapped = [one for one in flavors.walk_layers(model) if type(one).__name__ in tfmot.QUANTIZING]
    if wrapped:
        raise UsageError(
            f"layer {wrapped[0].name!r} of model {model.name!r} belongs to TensorFlow Model "
            f"Optimization's quantization ({type(wrapped[0]).__name__}): {tfmot.QUANTIZED_REMEDY}"
        )
    if is_larq_model(model):
        raise UsageError(
            f"model {model.name!r} has Larq's layers, which have quantizers of their own: convert "
            f"it as it is, for --runtime larq or with --quantize"
        )


def _plan(plain: Any, config: QuantizationAware, model: Any) -> QuantizationPlan:
    """The plan of a folded model, with the bits of single layers, by their names before or then."""
    if config.plan is not None:
        plan = fitted_plan(config.plan, plain, model.name)
    else:
        plan = plan_for(plain, weights=config.weights, activations=config.activations)
    if not plan.weights:
        raise UsageError(
            f"model {plain.name!r} has no convolution and no Dense layer whose kernel could be "
            f"quantized in training: calibrate it, with convert --quantize int8"
        )
    plan = _with_weights_of_layers(plain, plan, config.layer_weights, model)
    names = [name.removesuffix("/kernel") for name in plan.weights]
    ends = {"first": glob.escape(names[0]), "last": glob.escape(names[-1])}
    wide = {ends.get(name, name): bits for name, bits in config.layer_activations.items()}
    return with_activation_bits(plan, model, plain, wide, "layers")


def _with_weights_of_layers(
    plain: Any, plan: QuantizationPlan, bits: Mapping[str, WeightBits], model: Any
) -> QuantizationPlan:
    owners = _owners(model)
    layers = {
        kernel_name(layer.name): layer
        for layer in flavors.walk_layers(plain)
        if kernel_name(layer.name) in plan.weights
    }
    alike = {name: (one, owners.get(one.name, one)) for name, one in layers.items()}
    check_patterns([one for pair in alike.values() for one in pair], layers=tuple(bits))
    names = list(plan.weights)
    weights = dict(plan.weights)
    for pattern, wanted in bits.items():
        ends = {"first": names[0], "last": names[-1]}
        for name, weight in plan.weights.items():
            named = ends[pattern] == name if pattern in ends else (
                any(matches(one, pattern) for one in alike.get(name, ()))
            )  # fmt: skip
            if named:
                weights[name] = weight.model_copy(update={"bits": wanted})
    for name, layer in layers.items():
        _refuse_fewer_bits(layer, weights[name])
    return plan.model_copy(update={"weights": weights})


def _owners(model: Any) -> dict[str, Any]:
    """The layers of a model by what the layers of their kernels are called once it is folded."""
    by_weight = {target.name: target.layer for target in select(model).targets}
    return {layer: by_weight[weight] for layer, (weight, _) in kernels_of(model).items()}


def _refuse_fewer_bits(layer: Any, weight: WeightQuantization) -> None:
    kind = type(layer).__name__
    if weight.bits != 8 and not has_free_scales(kind, layer):
        raise UsageError(
            f"layer {layer.name!r} ({kind}) has 8 bits in every file: give it 8, by "
            f'layers={{"{layer.name}": 8}} or --layer {layer.name}=8'
        )


def _with_least_error(plain: Any, plan: QuantizationPlan) -> QuantizationPlan:
    """A plan with the scales from which training goes on."""
    weights = dict(plan.weights)
    for target in select(plain).targets:
        name = kernel_name(target.layer.name)
        if name in weights and has_free_scales(target.layer_type, target.layer):
            planned = weights[name]
            columns = as_columns(
                np.asarray(target.variable), planned.axis, depthwise=len(target.output_axes) == 2
            )
            scales = tuple(float32_number(one) for one in least_error(columns, planned.levels))
            weights[name] = planned.model_copy(update={"scale": scales})
    return plan.model_copy(update={"weights": weights})
