"""Which activations and kernels of a network have to stay in float, measured on samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.conversion.mixed.choice import fewest
from tflite_squeeze.conversion.mixed.judging import Judge
from tflite_squeeze.conversion.mixed.record import KeptInFloat
from tflite_squeeze.conversion.mixed.sensitivity import PlannedNetwork, sensitivities
from tflite_squeeze.conversion.mixed.units import Unit, left_in_float, units_of
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.layer_macs import layer_macs
from tflite_squeeze.network.quantization.folding import OUTPUT_AXES
from tflite_squeeze.network.quantization.in_float import with_float_operands
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.training.progress import Working
from tflite_squeeze.verification.record import without_remedy

Array = NDArray[Any]

_MACS = 2.5e12  # for all runs of a search: about two minutes on one core
_FEWEST_SAMPLES, _MOST_SAMPLES = 32, 512
_SEARCHING = 20  # runs, beside one for each unit
# All kernels in float cost as much as so many activations: four times the bytes of the file.
_KERNELS_COST = 60


class Search:
    """A network whose units are measured once, and of which more and more may stay in float.

    Args:
        network: what `folded` returned, or what calibration made of it.
        plan: of 8 bits, ranges known.
        inputs: samples by the name of the input, (N, ...).
        judge: of its answers to them.
        tell: of the progress.

    Attributes:
        network: as given.
        plan: as given.
        order: the units, the most sensitive first, large kernels later.
        losses: of the answers when one unit alone is quantized, by its name in the plan.
    """

    def __init__(
        self,
        network: Any,
        plan: QuantizationPlan,
        inputs: Mapping[str, Array],
        judge: Judge,
        tell: Working,
    ) -> None:
        self.network, self.plan = network, plan
        self._run = PlannedNetwork(network, inputs)
        self._judge, self._tell = judge, tell
        self._tries = 0
        units = units_of(network, plan)
        found = sensitivities(
            self._run, QuantizationPlan(), [one.alone for one in units], judge.loss, tell
        )
        weights = kernel_sizes(network)
        pairs = sorted(
            zip(units, found, strict=True),
            key=lambda pair: -pair[1].loss / _cost(pair[0], weights),
        )
        self.order = [unit for unit, _ in pairs]
        self.losses = {unit.alone.name: one.loss for unit, one in pairs}

    def fewest(self) -> list[Unit]:
        """The units that have to stay in float for the answers to pass; none where all may go."""
        return fewest(self.order, self._passes)

    def plan_with(self, kept: Sequence[Unit]) -> QuantizationPlan:
        """The plan with some units in float."""
        return with_float_operands(left_in_float(self.plan, kept), self.network)

    def told(self, kept: Sequence[Unit]) -> tuple[KeptInFloat, ...]:
        """What a record says of those that are kept.

        Args:
            kept: in the order of their sensitivity.
        """
        return tuple(
            KeptInFloat(
                name=unit.name,
                kind=unit.kind,
                loss=self.losses[unit.alone.name],
                without=self._first_failure([one for one in kept if one is not unit]),
            )
            for unit in kept
        )

    def _first_failure(self, kept: Sequence[Unit]) -> str:
        """Why the answers fail, without the remedy behind it; "" where they do not."""
        return without_remedy(next(iter(self._failures(kept)), ""))

    def _passes(self, kept: Sequence[Unit]) -> bool:
        self._tries += 1
        self._tell("looking for the fewest in float", self._tries, len(self.order))
        return not self._failures(kept)

    def _failures(self, kept: Sequence[Unit]) -> tuple[str, ...]:
        return self._judge.failures(self._run.answers(self.plan_with(kept)))


def kernel_sizes(network: Any) -> dict[str, int]:
    """The number of weights of each kernel of a folded network, by its layer's name."""
    return {
        node.layer: int(np.size(node.source.get_weights()[0]))
        for node in graph_of(network).nodes.values()
        if node.kind in OUTPUT_AXES
    }


def _cost(unit: Unit, weights: Mapping[str, int]) -> float:
    """What a unit costs in float: about as much as others, and a kernel its bytes."""
    if unit.kind == "activation":
        return 1.0
    return 1.0 + _KERNELS_COST * weights[unit.name] / sum(weights.values())


def samples_for(network: Any, plan: QuantizationPlan) -> int:
    """On how many samples a network's units can be measured in about two minutes, 32 to 512.

    Args:
        network: what `folded` returned.
        plan: of its units.
    """
    macs = 0
    graph = graph_of(network)
    for node in graph.nodes.values():
        if node.source is None or node.operation or not node.inputs:
            continue
        shapes = [graph.nodes[one.node].shapes[one.output] for one in node.inputs]
        received, sent, *others = map(_closed, (shapes[0], node.shapes[0], *shapes[1:]))
        macs += layer_macs(node.source, received, sent, others) or 0
    runs = len(plan.activations) + len(plan.weights) + _SEARCHING
    return int(np.clip(_MACS / max(1, macs * runs), _FEWEST_SAMPLES, _MOST_SAMPLES))


def _closed(shape: Any) -> tuple[int, ...] | None:
    return None if shape is None else tuple(size or 1 for size in shape)
