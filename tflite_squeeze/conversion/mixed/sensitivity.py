"""What a network's answers lose when single tensors are quantized otherwise, measured on samples.

The quantized network is computed in float, eagerly: nothing is built, traced or converted for a
candidate.

Reference: Wu et al. 2020, arXiv:2004.09602, section 6.1 (one layer at a time).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.emission.calibration.quantized_run import quantized_answers
from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)
from tflite_squeeze.training.progress import Working

Array = NDArray[Any]
Loss = Callable[[Sequence[Array]], float]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A unit of a network, and what its tensors might be quantized to.

    Attributes:
        name: of the unit.
        weights: entries of a plan by name; None leaves the weight in float.
        activations: likewise.
    """

    name: str
    weights: Mapping[str, WeightQuantization | None] = field(default_factory=dict)
    activations: Mapping[str, ActivationQuantization | None] = field(default_factory=dict)

    def put_into(self, plan: QuantizationPlan) -> QuantizationPlan:
        """A plan with these entries in place of its own.

        Example:
            >>> Candidate(name="dense", weights={"dense/kernel": None}).put_into(plan).weights
            {}
        """
        weights = {**plan.weights, **self.weights}
        activations = {**plan.activations, **self.activations}
        return QuantizationPlan(
            weights={name: one for name, one in weights.items() if one is not None},
            activations={name: one for name, one in activations.items() if one is not None},
        )


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What the answers lose by a candidate.

    Attributes:
        candidate: which.
        loss: of the plan with its entries.
    """

    candidate: Candidate
    loss: float


class PlannedNetwork:
    """A network on samples, under one plan after another.

    Args:
        network: what `folded` returned, of either version of Keras.
        inputs: samples by the name of the input, (N, ...), preprocessed.

    Attributes:
        inputs: as given.
        float_answers: the outputs without quantization, one after the other, (N, ...).
    """

    def __init__(self, network: Any, inputs: Mapping[str, Array]) -> None:
        self._network = network
        self.inputs = inputs
        self.float_answers = self.answers(QuantizationPlan())

    def answers(self, plan: QuantizationPlan) -> list[Array]:
        """The outputs under a plan; what it does not list is computed in float.

        Args:
            plan: ranges known; scales of weights may be open.
        """
        return quantized_answers(self._network, plan, self.inputs)


def sensitivities(
    network: PlannedNetwork,
    base: QuantizationPlan,
    candidates: Sequence[Candidate],
    loss: Loss,
    tell: Working,
) -> list[Sensitivity]:
    """Measures candidates one at a time.

    Args:
        network: on the samples.
        base: the plan of all else: an empty one measures what each costs alone, a whole one what
            each changes beside the others.
        candidates: what is put into it in turn.
        loss: how far answers are from those wanted, such as `Divergence(model, answers).of`.
        tell: of the progress: what is done, how many, of how many.

    Returns:
        A line for each candidate, in their order.

    Example:
        >>> found = sensitivities(network, QuantizationPlan(), candidates, loss, tell)
        >>> max(found, key=lambda one: one.loss).candidate.name
        'boxes_and_scores'
    """
    found = []
    for done, candidate in enumerate(candidates):
        tell("measuring sensitivities", done, len(candidates))
        answers = network.answers(candidate.put_into(base))
        found.append(Sensitivity(candidate=candidate, loss=loss(answers)))
    return found
