"""Plans that were written by hand, as the files of a network can follow them."""

import math
from collections.abc import Iterable
from typing import Any

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.quantization.folding import IN_FLOAT, OUTPUT_AXES
from tflite_squeeze.network.quantization.in_float import with_float_operands
from tflite_squeeze.network.quantization.plan import ActivationQuantization, QuantizationPlan
from tflite_squeeze.network.quantization.points import roundings_of, with_bits
from tflite_squeeze.network.quantization.twin import kernel_name, plan_for, refuse_strangers


def fitted_plan(plan: QuantizationPlan, network: Any, name: str) -> QuantizationPlan:
    """A plan that a file of a network can follow, each of its scales and fixed ranges written out.

    Args:
        plan: what is wanted.
        network: what `folded` returned.
        name: of its model.

    Returns:
        The plan without what stays in float.

    Raises:
        UsageError: no file can follow it.

    Example:
        >>> plan = fitted_plan(load_plan("plan.yaml"), folded(model), model.name)
    """
    whole = plan_for(network)
    refuse_strangers(name, plan, whole)
    plan = with_float_operands(_quantized_part(plan), network)
    _refuse_float_kernels(plan, network)
    return _with_fixed_ranges(_with_all_scales(plan, network), whole)


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
                f"have integers: keep {some(around[0])} in float, too"
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


def some(names: Iterable[str]) -> str:
    """The first names of a list, and how many more there are.

    Example:
        >>> some("abcdef")
        "'a', 'b', 'c' and 3 more"
    """
    listed = [repr(name) for name in names]
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
