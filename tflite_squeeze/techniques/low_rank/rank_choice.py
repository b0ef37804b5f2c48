"""Schemes and ranks that a config asks for, for one kernel or under a global budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import matches
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factor_schemes import (
    SchemeName,
    full_ranks,
    macs_of,
    parameters_of,
    possible_ranks,
    spectra,
    stages,
)
from tflite_squeeze.techniques.low_rank.factorable import Factorable
from tflite_squeeze.techniques.low_rank.low_rank import tail_energy
from tflite_squeeze.techniques.low_rank.rank_budget import (
    Options,
    rank_for_loss,
    rank_for_ratio,
    rounded_up,
    spend,
)
from tflite_squeeze.techniques.low_rank.vbmf import evbmf_rank

Array = NDArray[Any]
Ranks = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A way to split a kernel.

    Attributes:
        scheme: which chain.
        ranks: of it.
        parameters: weights of the chain's kernels.
        macs: its multiply-accumulates for one example.
    """

    scheme: SchemeName
    ranks: Ranks
    parameters: int
    macs: int


def choice_of(one: Factorable, scheme: SchemeName, ranks: Ranks) -> Choice:
    """A way with its costs."""
    ranks = possible_ranks(scheme, one.shape, ranks)
    chain = stages(scheme, one.shape, ranks)
    macs = macs_of(chain, one.places)
    if one.kind == "Embedding":  # the first of the two is looked up in
        macs -= macs_of(chain[:1], one.places)
    return Choice(scheme=scheme, ranks=ranks, parameters=parameters_of(chain), macs=macs)


def choices(one: Factorable, config: Factorize, second: Array | None) -> list[Choice]:
    """The ways to split one kernel that a rule other than a budget asks for, cheapest first.

    Args:
        one: the layer.
        config: the configuration that was used.
        second: second moment of the kernel's inputs, or None.

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
            ranks = _ruled_ranks(one, scheme, config, second)
        ways.append(choice_of(one, scheme, ranks))
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
    full = full_ranks(way.scheme, one.shape)
    ranks = tuple(
        rounded_up(rank + 1, most, config.multiple)
        for rank, most in zip(way.ranks, full, strict=True)
    )
    higher = choice_of(one, way.scheme, ranks)
    return higher if higher.ranks != way.ranks else None


def _named(layer: Any, by_pattern: dict[str, Any]) -> Any:
    """What the first pattern that means a layer stands for; None where none does."""
    return next((value for key, value in by_pattern.items() if matches(layer, key)), None)


def _schemes(one: Factorable, config: Factorize, given: Any) -> Sequence[SchemeName]:
    wanted = _named(one.layer, config.schemes) or config.scheme
    if len(one.schemes) == 1 or (isinstance(given, tuple) and wanted == "auto"):
        return ("tucker",) if isinstance(given, tuple) else one.schemes
    if wanted != "auto":
        return (wanted,)
    if given is not None or config.rule in ("rank", "ratio"):
        # Equal ranks of different schemes are worth different things; this one pays most often.
        return ("spatial",)
    return one.schemes


def _given_ranks(one: Factorable, scheme: SchemeName, given: int | tuple[int, int]) -> Ranks:
    full = full_ranks(scheme, one.shape)
    pair = given if isinstance(given, tuple) else (given,) * len(full)
    if len(pair) != len(full) or (isinstance(given, tuple) and len(one.schemes) == 1):
        raise UsageError(
            f"layer {one.layer.name!r} is given rank {given}: its scheme {one.schemes[0]!r} takes "
            f"one number"
        )
    return pair


def _ruled_ranks(
    one: Factorable, scheme: SchemeName, config: Factorize, second: Array | None
) -> Ranks:
    full = full_ranks(scheme, one.shape)
    if config.rank is not None:
        ranks = [min(config.rank, most) for most in full]
    elif config.ratio is not None:
        ranks = [rank_for_ratio(most, config.ratio) for most in full]
    elif config.vbmf:
        values = spectra(scheme, one.kernel, None)
        ranks = [max(1, evbmf_rank(*_with_shape(one, scheme, some, at)))
                 for at, some in enumerate(values)]  # fmt: skip
    else:
        # The energy lost adds up over the cuts of a scheme.
        lost = 1 - config.energy if config.energy is not None else (config.max_error or 0.0) ** 2
        values = spectra(scheme, one.kernel, second)
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


def budgeted(
    layers: Sequence[Factorable],
    config: Factorize,
    seconds: Sequence[Array | None],
    total: int,
) -> list[Choice | None]:
    """The ways to split all kernels under a global budget.

    Args:
        layers: those that may be split.
        config: with `macs_ratio` or `bytes_ratio`. Layers that `ranks` names have those.
        seconds: second moment of the inputs of each kernel, or None.
        total: multiply-accumulates, or parameters, of the whole model.

    Returns:
        A choice for each layer; None for one that stays whole.

    Raises:
        UsageError: the budget cannot be kept at any rank.
    """
    unit = config.budget
    ratio = config.macs_ratio if unit == "macs" else config.bytes_ratio
    if unit is None or ratio is None:
        raise UsageError("there is no budget to spend: pass macs_ratio or bytes_ratio")
    ways: list[list[Choice | None]] = []
    options = []
    for one, second in zip(layers, seconds, strict=True):
        some, losses = _all_ways(one, config, second)
        whole = one.macs if unit == "macs" else one.kernel.size
        costs = [
            whole if way is None else way.macs if unit == "macs" else way.parameters for way in some
        ]
        ways.append(some)
        options.append(Options(costs=np.array(costs, float), losses=np.array(losses)))
    stays = total - sum(one.macs if unit == "macs" else one.kernel.size for one in layers)
    if ratio * total < stays:
        raise UsageError(
            f"{unit}_ratio {ratio:g} leaves {ratio * total:,.0f} of {total:,}, and the layers that "
            f"cannot be factorized need {stays:,} alone: raise it above {stays / total:.2f}"
        )
    chosen = spend(options, ratio * total - stays)
    return [some[index] for some, index in zip(ways, chosen, strict=True)]


def _all_ways(
    one: Factorable, config: Factorize, second: Array | None
) -> tuple[list[Choice | None], list[float]]:
    """Every rank of every scheme that is cheaper than the whole layer, and the whole layer."""
    fixed = choices(one, config.model_copy(update={"macs_ratio": None, "bytes_ratio": None}), None)
    if fixed:
        return list(fixed[:1]), [0.0]
    ways: list[Choice | None] = [None]
    losses = [0.0]
    for scheme in _schemes(one, config, None):
        tails = [tail_energy(values) for values in spectra(scheme, one.kernel, second)]
        full = full_ranks(scheme, one.shape)
        for last in range(1, full[-1] + 1):
            if last % config.multiple and last != full[-1]:
                continue
            ranks: Ranks = (last,)
            if scheme == "tucker":
                # The cut of the inputs loses no more than that of the outputs.
                first = max(1, int(np.argmax(tails[0] <= tails[1][last] + 1e-12)))
                ranks = (rounded_up(first, full[0], config.multiple), last)
            way = choice_of(one, scheme, ranks)
            saves = way.macs < one.macs if config.budget == "macs" else (
                way.parameters < one.kernel.size)  # fmt: skip
            if saves:
                cuts = zip(tails, ranks, strict=True)
                ways.append(way)
                losses.append(float(sum(tail[rank] for tail, rank in cuts)))
    return ways, losses
