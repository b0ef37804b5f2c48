"""Schemes and ranks that a config asks for, or that a budget may choose from, for one kernel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import matches
from tflite_squeeze.techniques.low_rank.config import Factorize, Unit
from tflite_squeeze.techniques.low_rank.factor_schemes import Choice, SchemeName, Unfolded
from tflite_squeeze.techniques.low_rank.factorable import Factorable, Weighed
from tflite_squeeze.techniques.low_rank.low_rank import tail_energy
from tflite_squeeze.techniques.low_rank.rank_budget import (
    rank_for_loss,
    rank_for_ratio,
    rounded_up,
)
from tflite_squeeze.techniques.low_rank.vbmf import evbmf_rank

Array = NDArray[Any]
Ranks = tuple[int, ...]

# Options of one layer; between neighbours of so many a budget hardly differs.
_MOST = 64
# Each that is timed is converted; kernels compute 8 channels at a time or more.
_MOST_TIMED, _TIMED_MULTIPLE = 6, 8
_NO_RULE = dict.fromkeys(("macs_ratio", "bytes_ratio", "budget", "keep"))


@dataclass(frozen=True)
class Way:
    """An option of a budget.

    Attributes:
        choice: how the layer is split; None for the whole layer.
        loss: share of the energy of its outputs that is lost.
    """

    choice: Choice | None
    loss: float

    def cost(self, unit: str, whole: int) -> int:
        """Weights for "bytes", else multiply-accumulates; those given for the whole layer."""
        if self.choice is None:
            return whole
        return self.choice.parameters if unit == "bytes" else self.choice.macs


def choices(one: Factorable, config: Factorize, unfolded: Unfolded) -> list[Choice]:
    """The ways to split one kernel that a rule other than a budget asks for, cheapest first.

    Args:
        one: the layer.
        config: the configuration that was used.
        unfolded: the kernel, weighed by its inputs.

    Returns:
        One for each scheme that comes into question; none where the config says nothing of this
        layer.

    Raises:
        UsageError: a rank was given that its scheme has not.
    """
    given = _named(one.layer, config.ranks)
    if given is None and config.rule is None:
        return []
    ways = []
    for scheme in _schemes(one, config, given):
        if given is not None:
            ranks = _given_ranks(one, scheme, given)
        else:
            ranks = _ruled_ranks(one, scheme, config, unfolded)
        ways.append(one.choice(scheme, ranks))
    return sorted(ways, key=lambda way: (way.macs, way.parameters))


def raised(one: Factorable, way: Choice, config: Factorize) -> Choice | None:
    """The same chain with the next higher ranks.

    Args:
        one: the layer.
        way: its choice so far.
        config: what was asked for; ranks rise by its `multiple`.

    Returns:
        None where nothing is left to raise, or the config gives the layer's rank by name.
    """
    if _named(one.layer, config.ranks) is not None:
        return None
    full = one.full_ranks(way.scheme)
    ranks = tuple(
        rounded_up(rank + 1, most, config.multiple)
        for rank, most in zip(way.ranks, full, strict=True)
    )
    higher = one.choice(way.scheme, ranks)
    return higher if higher.ranks != way.ranks else None


def _named(layer: Any, by_pattern: dict[str, Any]) -> Any:
    """What the first pattern that means a layer stands for; None where none does."""
    return next((value for key, value in by_pattern.items() if matches(layer, key)), None)


def _schemes(one: Factorable, config: Factorize, given: Any) -> Sequence[SchemeName]:
    wanted = _named(one.layer, config.schemes) or config.scheme
    if len(one.schemes) == 1:
        return one.schemes
    if isinstance(given, tuple) and wanted == "auto":
        return ("tucker",)
    if wanted != "auto":
        return (wanted,)
    if given is not None or config.rule in ("rank", "ratio"):
        # Equal ranks of different schemes are worth different things; this one pays most often.
        return ("spatial",)
    return one.schemes


def _given_ranks(one: Factorable, scheme: SchemeName, given: int | tuple[int, int]) -> Ranks:
    full = one.full_ranks(scheme)
    pair = given if isinstance(given, tuple) else (given,) * len(full)
    if len(pair) != len(full):
        raise UsageError(
            f"layer {one.layer.name!r} is given rank {given}: its scheme {one.schemes[0]!r} takes "
            f"one number"
        )
    return pair


def _ruled_ranks(
    one: Factorable, scheme: SchemeName, config: Factorize, unfolded: Unfolded
) -> Ranks:
    full = one.full_ranks(scheme)
    if config.rank is not None:
        ranks = [min(config.rank, most) for most in full]
    elif config.ratio is not None:
        ranks = [rank_for_ratio(most, config.ratio) for most in full]
    elif config.vbmf:
        values = one.unfolded(None).spectra(scheme)
        ranks = [max(1, evbmf_rank(*_with_shape(one, scheme, some, at)))
                 for at, some in enumerate(values)]  # fmt: skip
    else:
        # The energy lost adds up over the cuts of a scheme.
        lost = 1 - config.energy if config.energy is not None else (config.max_error or 0.0) ** 2
        values = unfolded.spectra(scheme)
        ranks = [rank_for_loss(some, lost / len(values)) for some in values]
    return tuple(
        rounded_up(rank, most, config.multiple) for rank, most in zip(ranks, full, strict=True)
    )


def _with_shape(
    one: Factorable, scheme: SchemeName, values: Array, at: int
) -> tuple[Array, tuple[int, int]]:
    """Singular values and the shape of the matrix that they are of."""
    rows, columns, received, sent = one.shape
    if scheme == "spatial":
        return values, (rows * received, columns * sent)
    if scheme == "tucker" and at == 0:
        return values, (received, rows * columns * sent)
    return values, (rows * columns * received, sent)


def affordable(layer: Weighed, config: Factorize, unit: Unit) -> list[Way]:
    """The ways to split a kernel that a budget may choose from, cheapest first.

    Args:
        layer: which.
        config: the configuration that was used.
        unit: of the budget.

    Returns:
        Of every rank of every scheme those than which no cheaper one loses as little, and last the
        whole layer; only what `ranks` says where it names the layer.
    """
    one = layer.one
    if named := choices(one, config.model_copy(update=_NO_RULE), layer.unfolded):
        return [Way(named[0], 0.0)]
    ways = []
    multiple = config.multiple
    if unit == "latency" and min(one.full_ranks(one.schemes[0])) > 2 * _TIMED_MULTIPLE:
        multiple = max(multiple, _TIMED_MULTIPLE)
    for scheme in _schemes(one, config, None):
        tails = [tail_energy(values) for values in layer.unfolded.spectra(scheme)]
        full = one.full_ranks(scheme)
        for last in range(1, full[-1] + 1):
            if last % multiple and last != full[-1]:
                continue
            ranks: Ranks = (last,)
            if len(full) > 1:
                # The other cut loses no more than the last one.
                first = max(1, int(np.argmax(tails[0] <= tails[1][last] + 1e-12)))
                ranks = (rounded_up(first, full[0], multiple), last)
            way = one.choice(scheme, ranks)
            cuts = zip(tails, way.ranks, strict=True)
            ways.append(Way(way, float(sum(tail[rank] for tail, rank in cuts))))
    whole = one.size if unit == "bytes" else one.macs
    most = _MOST_TIMED if unit == "latency" else _MOST
    saving = [way for way in ways if way.cost(unit, whole) < whole]
    return [*_front(saving, unit, most), Way(None, 0.0)]


def _front(ways: Sequence[Way], unit: str, most: int) -> list[Way]:
    """The ways that lose less than all cheaper ones, thinned out."""
    front: list[Way] = []
    for way in sorted(ways, key=lambda way: (way.cost(unit, 0), way.loss)):
        if not front or way.loss < front[-1].loss:
            front.append(way)
    picked = np.unique(np.linspace(0, len(front) - 1, min(len(front), most)).round().astype(int))
    return [front[index] for index in picked]
