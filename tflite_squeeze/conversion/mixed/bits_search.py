"""How many bits the weights of each layer get: the fewest bytes within the limits, on samples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.conversion.mixed.bit_moves import Choice, Move, bits_after, moves
from tflite_squeeze.conversion.mixed.judging import Judge
from tflite_squeeze.conversion.mixed.sensitivity import (
    Candidate,
    PlannedNetwork,
    sensitivities,
)
from tflite_squeeze.emission.calibration.adjusting import (
    Adjusted,
    adjusted,
    with_clipped_kernels,
)
from tflite_squeeze.emission.calibration.calibrate import observe
from tflite_squeeze.emission.calibration.equalization import equalized, pairs_of
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.quantization.plan import (
    QuantizationPlan,
    WeightBits,
    WeightQuantization,
)
from tflite_squeeze.network.quantization.twin import kernel_name, plan_for
from tflite_squeeze.training.progress import Working

Array = NDArray[Any]

_SCALE_BYTES = 4
_ROUNDS = 4
_CHOOSING = "choosing the bits of layers"


@dataclass(frozen=True, kw_only=True)
class _Rounded:
    """A layer with its kernel on a grid, as if all else was in float."""

    weights: Sequence[Array]
    grid: WeightQuantization
    clipped: bool


class _WithRounded(PlannedNetwork):
    """A network whose candidates bring the kernels that make up for their own rounding."""

    def __init__(self, network: Any, inputs: Mapping[str, Array]) -> None:
        self.rounded: dict[tuple[str, WeightQuantization], Sequence[Array]] = {}
        self._layers = {kernel_name(one.layer): one for one in graph_of(network).nodes.values()}
        super().__init__(network, inputs)

    def answers(self, plan: QuantizationPlan) -> list[Array]:
        """The outputs with the kernels that belong to the grids of a plan."""
        kept = []
        try:
            for name, grid in plan.weights.items():
                layer = self._layers[name].source
                kept.append((layer, layer.get_weights()))
                layer.set_weights(self.rounded[name, grid])
            return super().answers(QuantizationPlan())
        finally:
            for layer, weights in kept:
                layer.set_weights(weights)


class BitsSearch:
    """A network whose layers are measured once in each number of bits.

    Args:
        network: what `folded` returned; perhaps its channels are made alike here.
        allowed: the bits that each layer may have, by its name, the most first.
        inputs: samples to round on, (N, ...) by the name of the input.
        chosen_on: others to choose by.
        judge: of answers to these.
        passes: whether a network is within the limits, perhaps on more samples.
        tell: of the progress.

    Attributes:
        choices: what each layer costs in each number of bits, by its name.
        order: of the moves, the cheapest first.
    """

    def __init__(
        self,
        network: Any,
        allowed: Mapping[str, Sequence[WeightBits]],
        inputs: Mapping[str, Array],
        chosen_on: Mapping[str, Array],
        judge: Judge,
        passes: Callable[[Any], bool],
        tell: Working,
    ) -> None:
        self._allowed, self._inputs, self._chosen_on = allowed, inputs, chosen_on
        self._judge, self._is_within, self._tell, self._tries = judge, passes, tell, 0
        self._clipped: dict[tuple[str, WeightBits], bool] = {}
        self.network = self._alike(network)
        self.choices = self._measured()
        self.order = moves(self.choices)

    def fewest_bytes(self) -> list[Move]:
        """Moves that pass together: the longest beginning of the order that does.

        What follows is tried without the layer that ended it, and so on, a few times.
        """
        done: list[Move] = []
        rest = self.order
        for _ in range(_ROUNDS):
            count = self._longest(done, rest)
            done = [*done, *rest[:count]]
            if count == len(rest):
                break
            ended = rest[count].layer
            rest = [move for move in rest[count:] if move.layer != ended]
        return done

    def _longest(self, done: Sequence[Move], rest: Sequence[Move]) -> int:
        """How many of the next moves pass beside those that are done, found by bisection."""
        good, bad = 0, len(rest) + 1
        middle = len(rest)
        while bad - good > 1:
            if self._passes([*done, *rest[:middle]]):
                good = middle
            else:
                bad = middle
            middle = (good + bad) // 2
        return good

    def _passes(self, done: Sequence[Move]) -> bool:
        self._tries += 1
        self._tell(_CHOOSING, self._tries, _ROUNDS * (1 + len(self.order).bit_length()))
        return self._is_within(self.rounded(done).model)

    def bits(self, done: Sequence[Move]) -> dict[str, WeightBits]:
        """The bits of each layer after some moves."""
        start = {layer: allowed[0] for layer, allowed in self._allowed.items()}
        return {layer: _as_bits(bits) for layer, bits in bits_after(done, start).items()}

    def rounded(self, done: Sequence[Move]) -> Adjusted:
        """The network with all kernels on their grids, and all that this did made up for."""
        plan = self._plan(self.network, self.bits(done))
        return adjusted(self.network, plan, self._inputs)

    def plan(self, done: Sequence[Move]) -> QuantizationPlan:
        """Kernels in the bits that they have after some moves, with open scales."""
        return _grids(self.network, self.bits(done), clipped=False)

    def _alike(self, network: Any) -> Any:
        """The network with channels made alike, where its answers are nearer in few bits then."""
        bits = {layer: allowed[len(allowed) // 2] for layer, allowed in self._allowed.items()}
        made = [network]
        if pairs_of(network).found:
            seen = observe(network, self._inputs, QuantizationPlan())
            made += [equalized(network, seen.greatest), equalized(network)]
        losses = []
        for at, one in enumerate(made if len(made) > 1 else ()):
            self._tell("making channels alike", at, len(made))
            done = adjusted(one, self._plan(one, bits), self._inputs)
            answers = PlannedNetwork(done.model, self._chosen_on).float_answers
            losses.append(self._judge.loss(answers))
        return made[int(np.argmin(losses))] if losses else network

    def _plan(self, network: Any, bits: Mapping[str, WeightBits]) -> QuantizationPlan:
        """Grids for all layers, clipped where that was better for the layer alone."""
        found = {}
        for clipped in (False, True):
            those = {k: v for k, v in bits.items() if self._clipped.get((k, v), False) == clipped}
            found.update(_grids(network, those, clipped=clipped).weights)
        return QuantizationPlan(weights=found)

    def _measured(self) -> dict[str, list[Choice]]:
        """The loss of each layer alone in each number of bits, the better of two scales."""
        run = _WithRounded(self.network, self._chosen_on)
        candidates, about = [], []
        for layer, one in self._alone():
            run.rounded[kernel_name(layer), one.grid] = one.weights
            candidates.append(Candidate(name=layer, weights={kernel_name(layer): one.grid}))
            about.append(one)
        found = sensitivities(run, QuantizationPlan(), candidates, self._judge.loss, self._tell)
        choices: dict[str, dict[int, Choice]] = {layer: {} for layer in self._allowed}
        for one, measured in zip(about, found, strict=True):
            layer, bits = measured.candidate.name, one.grid.bits or 8
            known = choices[layer].get(bits)
            if known is None or measured.loss < known.loss:
                self._clipped[layer, _as_bits(bits)] = one.clipped
                size = _size(one, bits)
                choices[layer][bits] = Choice(bits=bits, bytes=size, loss=measured.loss)
        return {layer: list(by_bits.values()) for layer, by_bits in choices.items()}

    def _alone(self) -> list[tuple[str, _Rounded]]:
        found = []
        for bits in sorted({one for allowed in self._allowed.values() for one in allowed}):
            those = {layer: bits for layer, allowed in self._allowed.items() if bits in allowed}
            for clipped in (False, True) if bits < 8 else (False,):
                plan = _grids(self.network, those, clipped=clipped)
                done = adjusted(self.network, plan, self._inputs, alone=True)
                layers = {one.layer: one.source for one in graph_of(done.model).nodes.values()}
                for layer in those:
                    weights = layers[layer].get_weights()
                    grid = done.plan.weights[kernel_name(layer)]
                    found.append((layer, _Rounded(weights=weights, grid=grid, clipped=clipped)))
        return found


def _grids(network: Any, bits: Mapping[str, WeightBits], *, clipped: bool) -> QuantizationPlan:
    whole = plan_for(network).weights
    plan = QuantizationPlan(
        weights={
            kernel_name(layer): whole[kernel_name(layer)].model_copy(update={"bits": one})
            for layer, one in bits.items()
        }
    )
    return with_clipped_kernels(network, plan) if clipped else plan


def _size(one: _Rounded, bits: int) -> int:
    return one.weights[0].size * bits // 8 + _SCALE_BYTES * len(one.grid.scale or ())


def _as_bits(bits: int) -> WeightBits:
    return 8 if bits == 8 else 4 if bits == 4 else 2
