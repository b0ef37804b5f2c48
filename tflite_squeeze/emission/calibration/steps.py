"""All of calibration in a row; each step stays only if the network then answers more alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.calibration.adjusting import adjusted, with_clipped_kernels
from tflite_squeeze.emission.calibration.calibrate import Observed, filled, observe
from tflite_squeeze.emission.calibration.config import Calibrate, Choice
from tflite_squeeze.emission.calibration.equalization import equalized, pairs_of
from tflite_squeeze.emission.calibration.quantized_run import batches_of, quantized_answers
from tflite_squeeze.emission.calibration.ranges import Method
from tflite_squeeze.emission.calibration.record import CalibrationRecord, CalibrationStep
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.network.quantization.points import points_of
from tflite_squeeze.network.quantization.twin import plan_for
from tflite_squeeze.network.running import answers_of

Array = NDArray[Any]
Samples = Mapping[str, Array]
# (model, its answers) → how far other answers are from those.
Judge = Callable[[Any, Sequence[Array]], Callable[[Sequence[Array]], float]]

_OTHERS: tuple[Method, ...] = ("percentile", "mse", "entropy")
_MOST_HELD = 512
_FEWEST_HELD = 32


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A network and the plan by which it becomes a file.

    Attributes:
        model: folded, perhaps with equalized channels, rounded kernels and corrected biases.
        plan: all ranges known, and the scales of kernels that are on their grids already.
        record: what was done.
    """

    model: Any
    plan: QuantizationPlan
    record: CalibrationRecord


@dataclass(frozen=True, kw_only=True)
class _State:
    """A network that might become a file: its plan follows from the rest.

    Attributes:
        model: in float.
        observed: what its tensors are on samples.
        method: of the ranges.
        clipped: whether kernels are clipped.
        rounding: whether they make up for rounding.
        bias: whether biases are corrected.
    """

    model: Any
    observed: Observed
    method: Method = "minmax"
    clipped: bool = False
    rounding: bool = False
    bias: bool = False


def quantized_by_calibration(
    model: Any,
    samples: Samples,
    config: Calibrate | None = None,
    *,
    judge: Judge,
    plan: QuantizationPlan | None = None,
) -> Calibrated:
    """Quantizes a network without labels or training.

    Args:
        model: of either version of Keras, in float32, with a graph of layers.
        samples: by the name of the input, (N, ...), preprocessed. The first are calibrated on,
            the rest decide what is kept.
        config: what may be done; by default all that helps.
        judge: how far answers are from the model's, such as
            `lambda model, answers: Divergence(model, answers).of`.
        plan: what is quantized to what; ranges that it gives stay. By default, 8 bits for all.

    Returns:
        The network, its plan, and a record with a line for each step.

    Raises:
        InputError: an activation is NaN or infinite on the samples.
        UsageError: the model has no graph of layers.

    Example:
        >>> judge = lambda model, answers: Divergence(model, answers).of
        >>> found = quantized_by_calibration(model, {"image": images}, judge=judge)
        >>> found.record.lines[0]
        'equalize by activations: divergence 0.31 → 0.0042, kept'
    """
    config = Calibrate() if config is None else config
    network = folded(model)
    some, held = _split(samples, config.samples)
    judged = held or some
    apart = judge(model, _float_answers(network, judged))
    plan = plan_for(network) if plan is None else plan
    work = _Steps(config, plan, some, judged, apart, _fixed_ends(network))
    state = _State(model=network, observed=observe(network, some, work.plan))
    start = work.begin(state)
    state = work.equalize(state)
    state = work.choose_ranges(state)
    for name, setting, change in (
        ("clip weights", config.clip_weights, _clip),
        ("correct biases", config.correct_bias, _correct),
        ("round with compensation", config.rounding, _round),
    ):
        state = work.attempt(state, name, setting, [change(state)])
    record = CalibrationRecord(
        config=config,
        samples=state.observed.count,
        held_back=len(next(iter(held.values()))) if held else 0,
        start=start,
        end=work.best,
        steps=tuple(work.tried),
    )
    made, known, _ = work.network_of(state)
    return Calibrated(model=made, plan=known, record=record)


def _clip(state: _State) -> _State:
    return replace(state, clipped=True)


def _correct(state: _State) -> _State:
    return replace(state, bias=True)


def _round(state: _State) -> _State:
    return replace(state, rounding=True)


@dataclass
class _Steps:
    """What all steps share, and what was tried."""

    config: Calibrate
    plan: QuantizationPlan
    samples: Samples
    judged: Samples
    apart: Callable[[Sequence[Array]], float]
    fixed_ends: frozenset[str]
    tried: list[CalibrationStep] = field(default_factory=list)
    best: float = float("inf")

    def begin(self, state: _State) -> float:
        """Judges the network with min/max ranges alone."""
        self.best, _ = self._judge(state)
        return self.best

    def network_of(self, state: _State) -> tuple[Any, QuantizationPlan, tuple[str, ...]]:
        """The network of a state, its plan, and what was left on the way."""
        plan = filled(self.plan, state.observed, state.method)
        if state.clipped:
            plan = with_clipped_kernels(state.model, plan)
        if not (state.rounding or state.bias):
            return state.model, plan, ()
        done = adjusted(state.model, plan, self.samples, rounding=state.rounding, bias=state.bias)
        return done.model, done.plan, done.left

    def attempt(
        self,
        state: _State,
        name: str,
        setting: Choice,
        candidates: Sequence[_State],
        notes: Sequence[str] = (),
    ) -> _State:
        """Takes the best of some candidates where it is better, or was asked for."""
        if setting == "off" or not candidates:
            return state
        judged = [(*self._judge(one), one) for one in candidates]
        after, left, found = min(judged, key=lambda one: one[0])
        asked = setting == "on"
        kept = asked or after < self.best
        step = CalibrationStep(
            name=name, before=self.best, after=after, kept=kept, asked=asked,
            notes=(*notes, *left),
        )  # fmt: skip
        self.tried.append(step)
        if not kept:
            return state
        self.best = after
        return found

    def equalize(self, state: _State) -> _State:
        """Makes channels alike, by activations or by kernels."""
        pairs = pairs_of(state.model)
        if self.config.equalize == "off" or not pairs.found:
            return state
        candidates = []
        for greatest in (state.observed.greatest, None):
            made = equalized(state.model, greatest)
            seen = observe(made, self.samples, self.plan)
            candidates.append(replace(state, model=made, observed=seen))
        name = f"equalize {len(pairs.found)} pairs of layers"
        return self.attempt(state, name, self.config.equalize, candidates, pairs.refused)

    def choose_ranges(self, state: _State) -> _State:
        """Takes the ranges that were asked for, or the best."""
        method = self.config.method
        if method == "minmax":
            return state
        if method != "auto":
            return self.attempt(state, f"ranges by {method}", "on", [replace(state, method=method)])
        for other in _OTHERS:
            name = f"ranges by {other}"
            state = self.attempt(state, name, "auto", [replace(state, method=other)])
        return state

    def _judge(self, state: _State) -> tuple[float, tuple[str, ...]]:
        made, plan, left = self.network_of(state)
        # Rounding of the probabilities themselves is the same whatever is tried, and hides it.
        inside = {k: v for k, v in plan.activations.items() if k not in self.fixed_ends}
        plan = plan.model_copy(update={"activations": inside})
        return self.apart(quantized_answers(made, plan, self.judged)), left


def _split(samples: Samples, count: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """The samples to calibrate on, and others to judge on; none where there are too few."""
    whole = len(next(iter(samples.values())))
    first = min(count, whole - whole // 4)
    held = min(whole - first, _MOST_HELD)
    if held < _FEWEST_HELD:
        return {name: values[:count] for name, values in samples.items()}, {}
    return (
        {name: values[:first] for name, values in samples.items()},
        {name: values[first : first + held] for name, values in samples.items()},
    )


def _fixed_ends(network: Any) -> frozenset[str]:
    """Outputs whose range the runtime fixes."""
    graph, points = graph_of(network), points_of(network)
    ends = {graph.nodes[value.node].layer for value in graph.outputs}
    return frozenset(one for one in ends if one in points and points[one].low is not None)


def _float_answers(network: Any, inputs: Samples) -> list[Array]:
    parts = [answers_of(network, batch) for batch in batches_of(inputs)]
    return [np.concatenate(one) for one in zip(*parts, strict=True)]
