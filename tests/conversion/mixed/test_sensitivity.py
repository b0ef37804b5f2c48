"""What the answers lose by one tensor, on numbers computed by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tflite_squeeze.conversion.mixed.sensitivity import Candidate, PlannedNetwork, sensitivities
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)

BYTE = ActivationQuantization(low=0, high=255)


def network_of(library: Any) -> PlannedNetwork:
    """x · 0.5 on 3 samples: steps of the input are 1, those of the kernel 0.5 / 127."""
    model = library.Sequential(
        [library.Input((1,), name="x"), library.layers.Dense(1, use_bias=False, name="half")]
    )
    model.layers[-1].set_weights([np.array([[0.5]], np.float32)])
    inputs = np.array([[0.2], [3.0], [300.0]], np.float32)
    return PlannedNetwork(folded(model), {"x": inputs})


def largest(network: PlannedNetwork) -> Any:
    def loss(answers: Sequence[Any]) -> float:
        return float(np.abs(answers[0] - network.float_answers[0]).max())

    return loss


def test_each_candidate_alone_costs_its_own_rounding(library: Any) -> None:
    network = network_of(library)
    candidates = [
        Candidate(name="x", activations={"x": BYTE}),
        Candidate(name="kernel", weights={"half/kernel": WeightQuantization(bits=8)}),
        Candidate(name="coarse", weights={"half/kernel": WeightQuantization(bits=2, scale=0.4)}),
    ]
    told: list[tuple[int, int]] = []
    found = sensitivities(
        network,
        QuantizationPlan(),
        candidates,
        largest(network),
        lambda _, done, of: told.append((done, of)),
    )
    # 300 is clipped to 255 and halved; 0.5 is on its own grid; 0.5 becomes 0.4 of 300.
    assert [one.loss for one in found] == pytest.approx([22.5, 0.0, 30.0], abs=1e-4)
    assert told == [(0, 3), (1, 3), (2, 3)]


def test_what_a_candidate_leaves_in_float_costs_nothing(library: Any) -> None:
    network = network_of(library)
    base = QuantizationPlan(
        weights={"half/kernel": WeightQuantization(bits=2, scale=0.4)}, activations={"x": BYTE}
    )
    both = Candidate(name="all", weights={"half/kernel": None}, activations={"x": None})
    (found,) = sensitivities(network, base, [both], largest(network), lambda *_: None)
    assert both.put_into(base) == QuantizationPlan()
    assert found.loss == 0
