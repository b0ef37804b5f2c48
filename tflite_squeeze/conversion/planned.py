"""Models that become the file of a plan: first their quantized twin, then that one's file."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.conversion.calibration import calibrated_source, eight_bits
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.calibration.calibrate import calibrated
from tflite_squeeze.emission.calibration.record import CalibrationRecord
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.endpoints import endpoints_of, fixed_specs
from tflite_squeeze.emission.low_bit.grids import Grid
from tflite_squeeze.emission.quantization import Quantization, uncalibrated
from tflite_squeeze.emission.quantized import is_quantized_twin
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.biases import round_biases
from tflite_squeeze.network.quantization.folding import IN_FLOAT, OUTPUT_AXES, folded
from tflite_squeeze.network.quantization.in_float import with_float_operands, without_layers
from tflite_squeeze.network.quantization.plan import ActivationQuantization, QuantizationPlan
from tflite_squeeze.network.quantization.points import roundings_of, with_bits
from tflite_squeeze.network.quantization.twin import (
    kernel_name,
    plan_for,
    plan_of_twin,
    refuse_strangers,
    twin_of,
)

_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Twin:
    """What is converted in a model's place.

    Attributes:
        source: the quantized twin, or the model itself.
        config: the options; a plan in them has all ranges.
        examples: number of samples that ranges of a plan were calibrated on.
        record: what `--calibrate` did.
        grids: of a model in float whose kernels are on them.
        notes: for the report.
    """

    source: LoadedModel
    config: Convert
    examples: int = 0
    record: CalibrationRecord | None = None
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()


def planned(source: LoadedModel, config: Convert, samples: Data | None) -> Twin:
    """The twin of a model by the plan of a conversion, without the layers that it keeps in float.

    Args:
        source: the model, which `prepared` has seen.
        config: with a plan, or with layers to keep in float of one for 8 bits.
        samples: to calibrate the ranges on that the plan leaves open.

    Raises:
        UsageError: the model is not of Keras, has a plan of its own, or the plan does not fit it.
        InputError: ranges are open, and there are no samples.
    """
    option = "--keep-float" if config.plan is None else "--plan"
    if source.kind not in (ModelKind.KERAS, ModelKind.TF_KERAS):
        raise UsageError(f"{option} quantizes Keras models; {source.name!r} is none: leave it out")
    refuse_own_plan(source, option)
    network = folded(source.model)
    plan = config.plan or eight_bits(network, per_channel_dense=config.per_channel_dense)
    plan = without_layers(plan, source.model, network, config.keep_float)
    plan = _fitting(plan, network, source.name)
    opened = [name for name, one in plan.activations.items() if one.low is None]
    if samples is None and config.calibrate is not None:
        raise uncalibrated(Quantization.INT8)
    if samples is None and opened:
        raise InputError(
            f"the plan leaves the range of {_some(opened)} open, which is calibrated on real "
            f"samples: pass --data, such as --data samples.npz, or give low and high"
        )
    if samples is not None and config.calibrate is not None:
        twin, record = calibrated_source(source, config, samples, _without_numbers(plan))
        plan = plan_of_twin(twin.model)
        return Twin(source=twin, config=config.model_copy(update={"plan": plan}), record=record)
    examples = 0
    if opened and samples is not None:
        given = calibration_inputs(source, config, samples)
        examples = len(next(iter(given.values())))
        plan = calibrated(network, given, "mse", plan)
    twin = replace(source, model=twin_of(network, plan))
    round_biases(twin.model)
    return Twin(source=twin, config=config.model_copy(update={"plan": plan}), examples=examples)


def refuse_own_plan(source: LoadedModel, option: str) -> None:
    """Refuses a model that is quantized already.

    Args:
        source: the model.
        option: what would quantize it again.

    Raises:
        UsageError: it is a quantized network.
    """
    if is_quantized_twin(source):
        raise UsageError(
            f"model {source.name!r} is a quantized network, which has a plan of its own: leave "
            f"{option} out"
        )


def _fitting(plan: QuantizationPlan, network: Any, name: str) -> QuantizationPlan:
    """A plan that a file of a network can follow, each of its scales and fixed ranges written out.

    Raises:
        UsageError: no file can.
    """
    whole = plan_for(network)
    refuse_strangers(name, plan, whole)
    plan = with_float_operands(_quantized_part(plan), network)
    _refuse_float_kernels(plan, network)
    return _with_fixed_ranges(_with_all_scales(plan, network), whole)


def _without_numbers(plan: QuantizationPlan) -> QuantizationPlan:
    """A plan that leaves scales and ranges to calibration.

    Raises:
        UsageError: it gives scales, which do not fit weights that calibration changes.
    """
    scaled = [name for name, one in plan.weights.items() if one.scale is not None]
    if scaled:
        raise UsageError(
            f"--calibrate changes weights, and the plan gives scales to {_some(scaled)}: leave the "
            f"scales out, or --calibrate"
        )
    return plan


def _quantized_part(plan: QuantizationPlan) -> QuantizationPlan:
    """A plan without what stays in float, as does all that it does not list."""
    return QuantizationPlan(
        weights={name: one for name, one in plan.weights.items() if one.bits is not None},
        activations={name: one for name, one in plan.activations.items() if one.bits is not None},
    )


def _refuse_float_kernels(plan: QuantizationPlan, network: Any) -> None:
    """The converter makes integers of kernels between rounded activations."""
    roundings, graph = roundings_of(network), graph_of(network)
    for node in graph.nodes.values():
        kernel = kernel_name(node.layer)
        if node.kind not in OUTPUT_AXES or node.kind in IN_FLOAT or kernel in plan.weights:
            continue
        around = roundings[node.layer], roundings[graph.nodes[node.inputs[0].node].layer]
        if all(points and points <= plan.activations.keys() for points in around):
            raise UsageError(
                f"the plan keeps {kernel!r} in float between activations of 8 bits, where files "
                f"have integers: keep {_some(around[0])} in float, too"
            )


def _with_all_scales(plan: QuantizationPlan, network: Any) -> QuantizationPlan:
    """With a scale for each channel where the plan gives one for all."""
    weights = dict(plan.weights)
    for node in graph_of(network).nodes.values():
        name = kernel_name(node.layer)
        if node.kind not in OUTPUT_AXES or name not in weights:
            continue
        weight, axes = weights[name], OUTPUT_AXES[node.kind]
        shape = node.source.get_weights()[0].shape
        if weight.axis not in (None, axes[0], axes[0] + len(shape)):
            raise UsageError(
                f"the plan counts channels of {name!r} on axis {weight.axis}, and the runtime on "
                f"axis {axes[0]}: give that, or none for one scale"
            )
        channels = math.prod(shape[axis] for axis in axes)
        if weight.scale is not None and weight.axis is not None:
            if len(weight.scale) not in (1, channels):
                raise UsageError(
                    f"the plan gives {len(weight.scale)} scales to the {channels} channels of "
                    f"{name!r}: give one, or {channels}"
                )
            scales = weight.scale * (channels // len(weight.scale))
            weights[name] = weight.model_copy(update={"scale": scales})
        if weight.zero_point:
            raise UsageError(
                f"the plan gives {name!r} the zero point {weight.zero_point}, and files of plans "
                f"have symmetric weights: leave it out"
            )
    return plan.model_copy(update={"weights": weights})


def _with_fixed_ranges(plan: QuantizationPlan, whole: QuantizationPlan) -> QuantizationPlan:
    """With the ranges that the runtime fixes."""
    activations: dict[str, ActivationQuantization] = {}
    for name, one in plan.activations.items():
        fixed = with_bits(whole.activations[name], one.bits)
        if fixed.low is not None and one.low is not None and one != fixed:
            raise UsageError(
                f"the plan gives {name!r} the range from {one.low:g} to {one.high:g}, and the "
                f"runtime fixes it from {fixed.low:g} to {fixed.high:g}: leave low and high out"
            )
        activations[name] = one if fixed.low is None else fixed
    return plan.model_copy(update={"activations": activations})


def calibration_inputs(
    source: LoadedModel, config: Convert, samples: Data
) -> dict[str, NDArray[Any]]:
    """Samples to calibrate on, (N, ...) by input name."""
    (endpoint,) = endpoints_of(source)
    fitted = samples.fitted_to(fixed_specs(endpoint, config.batch, config.input_shapes))
    batches = list(fitted.calibration_batches(config.calibration_samples, _BATCH))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _some(names: Iterable[str]) -> str:
    """The first names of a list, and how many more there are."""
    listed = [repr(name) for name in names]
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
