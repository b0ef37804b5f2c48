"""The units of a network that can stay in float: its activations and its kernels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tflite_squeeze.conversion.mixed.sensitivity import Candidate
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.network.quantization.points import roundings_of


@dataclass(frozen=True, kw_only=True)
class Unit:
    """An activation or a kernel, and what a plan says of it in either case.

    Attributes:
        name: of the layer, the operation or the input.
        kind: which of the two.
        alone: it is quantized, to be put into a plan in which nothing is.
        in_float: it is not, to be put into a plan in which all is.
    """

    name: str
    kind: Literal["activation", "kernel"]
    alone: Candidate
    in_float: Candidate


def units_of(network: Any, plan: QuantizationPlan) -> list[Unit]:
    """What of a plan can be left in float, the activations in the order of the data first.

    A kernel takes the activation that its layer puts out with it: between two activations of 8
    bits, files have integers.

    Args:
        network: what `folded` returned.
        plan: of 8 bits, ranges known.
    """
    units = [
        Unit(
            name=name,
            kind="activation",
            alone=Candidate(name=name, activations={name: one}),
            in_float=Candidate(name=name, activations={name: None}),
        )
        for name, one in plan.activations.items()
    ]
    roundings = roundings_of(network)
    for name, weight in plan.weights.items():
        layer = name.rpartition("/")[0]
        behind = dict.fromkeys(sorted(roundings[layer] & plan.activations.keys()))
        units.append(
            Unit(
                name=layer,
                kind="kernel",
                alone=Candidate(name=name, weights={name: weight}),
                in_float=Candidate(name=name, weights={name: None}, activations=behind),
            )
        )
    return units


def left_in_float(plan: QuantizationPlan, units: Sequence[Unit]) -> QuantizationPlan:
    """A plan without some of its units."""
    for unit in units:
        plan = unit.in_float.put_into(plan)
    return plan
