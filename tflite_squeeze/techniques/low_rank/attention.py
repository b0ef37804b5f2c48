"""MultiHeadAttention: each head's products of projections at a lower rank, in the layer itself.

A head compares x and y by xᵀ Wq Wkᵀ y, and adds values as Wv Wo: only these two products matter.
Their best approximations of a lower rank on the data are projections of fewer dimensions, so that
the result is a plain MultiHeadAttention with a smaller `key_dim` and `value_dim`. Biases are rows
of Wq and Wk, and what values lose on average goes into the bias of the output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.rewriting import LayerSpec, changed
from tflite_squeeze.network.weight_error import damped
from tflite_squeeze.techniques.low_rank.factor_schemes import Choice, SchemeName
from tflite_squeeze.techniques.low_rank.low_rank import Moment, tail_energy

Array = NDArray[Any]


class HeadMoments(NamedTuple):
    """What the query, key and value projections of an attention are given."""

    query: Moment
    key: Moment
    value: Moment


class Projections(NamedTuple):
    """The projections of all heads; biases are the last row of query and key.

    Attributes:
        query: (inputs + 1, heads, key_dim).
        key: (inputs + 1, heads, key_dim).
        value: (inputs, heads, value_dim).
        output: (heads, value_dim, outputs).
        bias: of the outputs, with all that the values' biases and means amount to, (outputs,).
    """

    query: Array
    key: Array
    value: Array
    output: Array
    bias: Array


class HeadPairs:
    """The products of each head's projections, decomposed.

    Args:
        heads: the projections.
        moments: of their inputs; None for the plain decomposition.
        follows_mean: whether the output has a bias that makes up for the mean of what is lost.

    Attributes:
        heads: as given.
    """

    def __init__(self, heads: Projections, moments: HeadMoments | None, follows_mean: bool) -> None:
        self.heads = heads
        self._mean = moments.value.mean if moments and follows_mean else None
        self._seconds: tuple[Array | None, ...] = (None, None, None)
        if moments is not None:
            value = moments.value.centred() if follows_mean else moments.value
            self._seconds = _extended(moments.query), _extended(moments.key), value.second

    @cached_property
    def _compared(self) -> list["_Pair"]:
        query, key = self._seconds[:2]
        return [
            _Pair(self.heads.query[:, at], self.heads.key[:, at], query, key)
            for at in range(self.heads.query.shape[1])
        ]

    @cached_property
    def _added(self) -> list["_Pair"]:
        return [
            _Pair(self.heads.value[:, at], self.heads.output[at].T, self._seconds[2], None)
            for at in range(self.heads.value.shape[1])
        ]

    def spectra(self, _scheme: SchemeName) -> tuple[Array, ...]:
        """Singular values of the two products, those of all heads together."""
        return tuple(
            np.sqrt(np.sum([np.square(pair.values) for pair in pairs], axis=0))
            for pairs in (self._compared, self._added)
        )

    def factors(self, _scheme: SchemeName, ranks: tuple[int, ...]) -> Projections:
        """The projections with so many key and value dimensions for each head."""
        compared = [pair.at(ranks[0]) for pair in self._compared]
        added = [pair.at(ranks[1]) for pair in self._added]
        value = np.stack([left for left, _ in added], axis=1)
        output = np.stack([right.T for _, right in added])
        bias = self.heads.bias
        if self._mean is not None:
            lost = np.einsum("dhv,hvo->do", self.heads.value, self.heads.output)
            bias = bias + self._mean @ (lost - np.einsum("dhv,hvo->do", value, output))
        return Projections(
            query=np.stack([left for left, _ in compared], axis=1),
            key=np.stack([right for _, right in compared], axis=1),
            value=value,
            output=output,
            bias=bias,
        )

    def error(self, chain: Projections) -> float:
        """The relative root mean square error of the two products, averaged over both."""
        ranks = chain.query.shape[-1], chain.value.shape[-1]
        cuts = zip(self.spectra("heads"), ranks, strict=True)
        return float(np.sqrt(np.mean([tail_energy(values)[rank] for values, rank in cuts])))


class _Pair:
    """A product A Bᵀ with the A' and B' of lower rank whose product is nearest to it.

    Nearest is by ‖C^½ (A Bᵀ - A' B'ᵀ) D^½‖ for the second moments C and D of what both are given.
    All that is decomposed is of the size of the rank that the product has.
    """

    def __init__(self, a: Array, b: Array, c: Array | None, d: Array | None) -> None:
        self._a, self._b = a, b
        self._of_a, self._of_b = _root(a, c), _root(b, d)
        self._left, self.values, right = np.linalg.svd(self._of_a @ self._of_b)
        self._right = right.T

    def at(self, rank: int) -> tuple[Array, Array]:
        """A' (inputs, rank) and B' (inputs, rank)."""
        values = self.values[:rank]
        scale = np.where(values > 0, 1 / np.sqrt(np.where(values > 0, values, 1.0)), 0.0)
        a = self._a @ (self._of_b @ self._right[:, :rank]) * scale
        return a, self._b @ (self._of_a @ self._left[:, :rank]) * scale


def _root(matrix: Array, second: Array | None) -> Array:
    """The symmetric root of AᵀCA."""
    moved = matrix if second is None else damped(second) @ matrix
    values, vectors = np.linalg.eigh(matrix.T @ moved)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _extended(moment: Moment) -> Array:
    """The second moment of the inputs with a 1 behind them."""
    column = moment.mean[:, np.newaxis]
    return np.block([[moment.second, column], [column.T, np.ones((1, 1))]])


@dataclass(frozen=True, kw_only=True)
class FactorableAttention:
    """A MultiHeadAttention whose heads can have fewer dimensions.

    Attributes:
        layer: the Keras layer.
        lengths: of the sequences of queries and of keys.
    """

    layer: Any
    lengths: tuple[int, int]

    kind = "MultiHeadAttention"
    schemes: tuple[SchemeName, ...] = ("heads",)
    follows_mean = False
    looked_up = False

    @property
    def has_bias(self) -> bool:
        """Whether the projections have biases."""
        return getattr(self.layer._output_dense, "bias", None) is not None

    @property
    def watched(self) -> tuple[Any, ...]:
        """The layers inside whose inputs are observed."""
        return self.layer._query_dense, self.layer._key_dense, self.layer._value_dense

    @property
    def widths(self) -> tuple[int, ...]:
        """How wide the rows of each of them are."""
        return tuple(int(one.kernel.shape[0]) for one in self.watched)

    def moment_of(self, found: Sequence[Moment]) -> HeadMoments:
        """What was observed of the three."""
        return HeadMoments(*found)

    def full_ranks(self, _scheme: SchemeName) -> tuple[int, ...]:
        """(key_dim, value_dim)."""
        return int(self.layer._key_dense.kernel.shape[-1]), int(
            self.layer._value_dense.kernel.shape[-1]
        )

    def choice(self, scheme: SchemeName, ranks: tuple[int, ...]) -> Choice:
        """A way to split it, with its costs."""
        ranks = tuple(min(pair) for pair in zip(ranks, self.full_ranks(scheme), strict=True))
        return Choice(scheme=scheme, ranks=ranks, parameters=self._size(ranks),
                      macs=self._macs(ranks))  # fmt: skip

    @property
    def size(self) -> int:
        """How many weights the kernels have."""
        return self._size(self.full_ranks("heads"))

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one example."""
        return self._macs(self.full_ranks("heads"))

    def _parts(self, ranks: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Weights of the four projections."""
        heads = int(self.layer._query_dense.kernel.shape[1])
        query, key, value = (heads * width for width in self.widths)
        sent = int(np.prod(self.layer._output_dense.kernel.shape[2:])) * heads
        return query * ranks[0], key * ranks[0], value * ranks[1], sent * ranks[1]

    def _size(self, ranks: tuple[int, ...]) -> int:
        return sum(self._parts(ranks))

    def _macs(self, ranks: tuple[int, ...]) -> int:
        query, key, value, sent = self._parts(ranks)
        asked, given = self.lengths
        heads = int(self.layer._query_dense.kernel.shape[1])
        return asked * (query + sent) + given * (key + value) + asked * given * heads * sum(ranks)

    def unfolded(self, moment: HeadMoments | None) -> HeadPairs:
        """The products of the projections, weighed by their inputs."""
        return HeadPairs(self._projections(), moment, self.has_bias)

    def _projections(self) -> Projections:
        layer = self.layer
        query, key, value, output = (
            np.asarray(one.kernel, np.float64) for one in (*self.watched, layer._output_dense)
        )
        output = output.reshape(*output.shape[:2], -1)
        rows = [
            np.asarray(one.bias, np.float64)[np.newaxis] if self.has_bias
            else np.zeros((1, *one.kernel.shape[1:]))
            for one in self.watched[:2]
        ]  # fmt: skip
        bias = np.zeros(output.shape[-1])
        if self.has_bias:
            added = np.asarray(layer._value_dense.bias, np.float64)
            bias = np.asarray(layer._output_dense.bias, np.float64).reshape(-1)
            bias = bias + np.einsum("hv,hvo->o", added, output)
        return Projections(
            query=np.concatenate([query, rows[0]]),
            key=np.concatenate([key, rows[1]]),
            value=value,
            output=output,
            bias=bias,
        )

    def weights_of(self, chain: Projections, _moment: Any) -> tuple[Array, ...]:
        """The weights of the layer with these projections, in its order."""
        # Keras divides by the root of key_dim, which is another one now.
        scale = np.sqrt(chain.query.shape[-1] / self.full_ranks("heads")[0])
        values = self._values(chain._replace(query=scale * chain.query))
        return tuple(values[id(variable)] for variable in self.layer.weights)

    def _values(self, chain: Projections) -> dict[int, Array]:
        """Values by id of the layer's variables."""
        layer, values = self.layer, {}
        kernels = (chain.query[:-1], chain.key[:-1], chain.value, chain.output)
        dense = (*self.watched, layer._output_dense)
        for one, kernel in zip(dense, kernels, strict=True):
            values[id(one.kernel)] = kernel
        shape = (*chain.output.shape[:2], *layer._output_dense.kernel.shape[2:])
        values[id(layer._output_dense.kernel)] = chain.output.reshape(shape)
        if self.has_bias:
            values[id(layer._query_dense.bias)] = chain.query[-1]
            values[id(layer._key_dense.bias)] = chain.key[-1]
            values[id(layer._value_dense.bias)] = np.zeros(chain.value.shape[1:])
            bias = chain.bias.reshape(layer._output_dense.bias.shape)
            values[id(layer._output_dense.bias)] = bias
        return values

    def truncated(self, chain: Projections, _moment: Any) -> list[tuple[Any, Array]]:
        """The layer's own variables with what they would be, zeros in the dimensions left out."""
        keys, values = self.full_ranks("heads")
        more = keys - chain.query.shape[-1], values - chain.value.shape[-1]
        filled = Projections(
            query=np.pad(chain.query, [(0, 0), (0, 0), (0, more[0])]),
            key=np.pad(chain.key, [(0, 0), (0, 0), (0, more[0])]),
            value=np.pad(chain.value, [(0, 0), (0, 0), (0, more[1])]),
            output=np.pad(chain.output, [(0, 0), (0, more[1]), (0, 0)]),
            bias=chain.bias,
        )
        found = self._values(filled)
        return [(variable, found[id(variable)]) for variable in self.layer.weights]

    def specs(
        self, _scheme: SchemeName, ranks: tuple[int, ...], weights: tuple[Array, ...], _emit: str
    ) -> tuple[LayerSpec, ...]:
        """The layer with fewer dimensions."""
        return (changed(self.layer, weights, key_dim=ranks[0], value_dim=ranks[1]),)

    def whole(self) -> tuple[LayerSpec, ...]:
        """The layer itself, to be made once more."""
        return (changed(self.layer),)
