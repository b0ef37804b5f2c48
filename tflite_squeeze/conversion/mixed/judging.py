"""Answers of a network that is not a file yet, judged as its file would be."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network.flavors import named_outputs
from tflite_squeeze.network.graph import Value, graph_of
from tflite_squeeze.runtime.fidelity import are_distributions
from tflite_squeeze.runtime.parts import parts_of
from tflite_squeeze.training.teaching.losses import kl
from tflite_squeeze.verification.labels import labels_by_output
from tflite_squeeze.verification.limits import Tolerance
from tflite_squeeze.verification.record import OutputFidelity, compare_output, failures_of

Array = NDArray[Any]

_MOST = 1e4  # of noise to signal: what is lost is lost
_SMALLEST = 1e-7  # probability
_ERRORS_IN_INTERVAL = 1.96  # standard errors on each side of a 95 % interval


class Judge:
    """The check of a conversion, on answers to the same samples.

    Args:
        network: what `folded` returned: the order and the names of the outputs.
        answers: of the float model, one after the other, (N, ...).
        labels: of the samples, as in `Data.sample`; None without.
        tolerance: the limits.
    """

    def __init__(
        self, network: Any, answers: Sequence[Array], labels: Any, tolerance: Tolerance
    ) -> None:
        self._order = graph_of(network).outputs
        self._names: Mapping[str, Value] = named_outputs(network, graph_of(network).ends)
        self._known = self._by_name(answers)
        self._labels, _ = labels_by_output(labels, self._known)
        self._tolerance = tolerance

    @property
    def counts_classes(self) -> bool:
        """Whether an output has classes, of which the right or the equal ones are counted."""
        compared = self._compared(self._known)
        return any(one.accuracy or one.agreement is not None for one in compared)

    def failures(self, answers: Sequence[Array]) -> tuple[str, ...]:
        """The limits that answers do not meet, in words.

        Args:
            answers: one after the other, (N, ...).
        """
        compared = self._compared(self._by_name(answers))
        return failures_of(compared, self._tolerance, Quantization.MIXED)

    def surely_passes(self, answers: Sequence[Array]) -> bool:
        """Whether answers meet all limits, those of classes by one standard error more.

        Args:
            answers: one after the other, (N, ...).
        """
        compared = self._compared(self._by_name(answers))
        if failures_of(compared, self._tolerance, Quantization.MIXED):
            return False
        return all(_is_sure(one, self._tolerance, len(answers[0])) for one in compared)

    def _compared(self, answers: Mapping[str, Array]) -> tuple[OutputFidelity, ...]:
        return tuple(
            compare_output(
                "", name, self._known[name], found, self._labels.get(name),
                least_part_db=self._tolerance.min_part_db,
            )
            for name, found in answers.items()
        )  # fmt: skip

    def loss(self, answers: Sequence[Array]) -> float:
        """How far answers are from the model's: of each output its divergence, summed.

        Of classes it is the mean KL divergence in nats, of numbers `noise`.

        Args:
            answers: one after the other, (N, ...).
        """
        return sum(_loss(self._known[name], one) for name, one in self._by_name(answers).items())

    def _by_name(self, answers: Sequence[Array]) -> dict[str, Array]:
        values = dict(zip(self._order, answers, strict=True))
        return {name: np.asarray(values[value]) for name, value in self._names.items()}


def _is_sure(one: OutputFidelity, tolerance: Tolerance, count: int) -> bool:
    """Whether what is lost, and one standard error of it, is within the limits."""
    lost, share = one.accuracy, one.agreement
    if lost is not None:
        error = (lost.difference - lost.low) / _ERRORS_IN_INTERVAL
        return error - lost.difference <= tolerance.max_drop + 1e-12
    if share is not None:
        return share - math.sqrt(share * (1 - share) / count) >= tolerance.min_agreement
    return True


def _loss(known: Array, found: Array) -> float:
    if not np.isfinite(found).all():
        return float("inf")
    if are_distributions(known):
        logs = [np.log(np.maximum(one, _SMALLEST)).astype(np.float32) for one in (known, found)]
        return max(0.0, float(np.mean(kl(*logs))))
    return noise(known, found)


def noise(known: Array, found: Array) -> float:
    """The share of noise in the variance of a part of an output, on average over its parts.

    Where an output has parts along several axes, that of the worst: so a score beside boxes in
    pixels counts as much as they do.

    Args:
        known: (N, ...).
        found: of the same shape.

    Example:
        >>> known = np.array([[0.0, 0.0], [2.0, 200.0]])
        >>> noise(known, known + [[1.0, 0.0], [1.0, 0.0]])
        0.5
    """
    shares = [np.minimum(10 ** (-parts.sqnr_db / 10), _MOST) for parts in parts_of(known, found)]
    return max((float(np.mean(one)) for one in shares), default=0.0)
