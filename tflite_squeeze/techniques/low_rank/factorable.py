"""Which layers have a kernel that can be factorized, and why others have none."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network import flavors
from tflite_squeeze.network.factorized_layers import (
    Chain,
    conv_chain,
    dense_chain,
    einsum_chain,
    embedding_chain,
    separable_chain,
)
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.rewriting import LayerSpec, config_of, graph_layers
from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.network.weights import check_patterns, matches_any
from tflite_squeeze.techniques.low_rank.attention import FactorableAttention
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factor_schemes import (
    Choice,
    Places,
    SchemeName,
    Shape,
    Unfolded,
    full_ranks,
    macs_of,
    parameters_of,
    possible_ranks,
    recomposed,
    stages,
)
from tflite_squeeze.techniques.low_rank.low_rank import Moment

Array = NDArray[Any]

_SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
_ATTENTION = "MultiHeadAttention"
KINDS = ("Dense", "Conv2D", "EinsumDense", "Embedding", *_SEPARABLE, _ATTENTION)
_DEPTHWISE = "depthwise: each channel has a kernel of its own, there are no channels to share"
_NORMALISATION = "normalisation has no matrix"


@dataclass(frozen=True, kw_only=True)
class Factorable:
    """A layer with its kernel.

    Attributes:
        layer: the Keras layer.
        kind: its type.
        kernel: (rows, columns, in, out), float64; one place for all but Conv2D. Of a separable
            convolution it is the pointwise one.
        places: over how many places it moves.
    """

    layer: Any
    kind: str
    kernel: Array
    places: Places

    @property
    def shape(self) -> Shape:
        """Of the kernel."""
        rows, columns, received, sent = self.kernel.shape
        return rows, columns, received, sent

    @property
    def watched(self) -> tuple[Any, ...]:
        """The layers whose inputs are observed."""
        return (self.layer,)

    @property
    def widths(self) -> tuple[int, ...]:
        """How wide the rows are that the kernel multiplies."""
        return (self.kernel[..., 0].size,)

    @property
    def looked_up(self) -> bool:
        """Whether its inputs are ids."""
        return self.kind == "Embedding"

    def moment_of(self, found: Sequence[Moment]) -> Moment:
        """What was observed."""
        return found[0]

    @property
    def size(self) -> int:
        """How many weights the kernel has."""
        return self.kernel.size

    @property
    def has_bias(self) -> bool:
        """Whether the layer can follow the mean of its inputs."""
        return getattr(self.layer, "bias", None) is not None

    @property
    def follows_mean(self) -> bool:
        """Whether the bias makes up for the mean of what is lost."""
        return self.has_bias and self.kind != "EinsumDense"  # whose bias may span fewer axes

    @property
    def schemes(self) -> tuple[SchemeName, ...]:
        """The schemes that differ for this kernel."""
        return ("channel",) if self.shape[:2] == (1, 1) else ("channel", "spatial", "tucker")

    def full_ranks(self, scheme: SchemeName) -> tuple[int, ...]:
        """The ranks of a scheme at which nothing is lost."""
        return full_ranks(scheme, self.shape)

    def choice(self, scheme: SchemeName, ranks: tuple[int, ...]) -> Choice:
        """A way to split it, with its costs; ranks that a chain cannot have are lowered."""
        ranks = possible_ranks(scheme, self.shape, ranks)
        chain = stages(scheme, self.shape, ranks)
        macs = macs_of(chain, self.places)
        if self.kind == "Embedding":  # the first of the two is looked up in
            macs -= macs_of(chain[:1], self.places)
        return Choice(scheme=scheme, ranks=ranks, parameters=parameters_of(chain), macs=macs)

    def unfolded(self, moment: Moment | None) -> Unfolded:
        """The kernel as matrices, weighed by its inputs: a bias follows the mean of what is lost.

        Args:
            moment: of the inputs; None for the plain SVD.
        """
        if moment is None:
            return Unfolded(self.kernel)
        second = (moment.centred() if self.follows_mean else moment).second
        return Unfolded(self.kernel, second)

    def truncated(self, chain: Sequence[Array], moment: Moment | None) -> list[tuple[Any, Array]]:
        """The layer's own variables with what they would be if the chain were multiplied back.

        Args:
            chain: kernels, each (rows, columns, in, out).
            moment: of the inputs; with it a bias makes up for the mean of what is lost.
        """
        whole = recomposed(tuple(chain))
        variable = _kernel_of(self.layer)
        shape = tuple(variable.shape)
        if self.kind == "EinsumDense":
            axes = [axis for some in einsum_axes(self.layer.equation) for axis in some]
            turned = whole.reshape([shape[axis] for axis in axes])
            found = [(variable, np.transpose(turned, np.argsort(axes)))]
        else:
            found = [(variable, whole.reshape(shape))]
        if self.has_bias:
            found.append((self.layer.bias, self._bias(chain, moment)))
        return found

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one example; none for an Embedding, which looks up."""
        if self.kind == "Embedding":
            return 0
        places = self.places.rows_out * self.places.columns_out
        return self.places.calls * places * self.kernel.size

    def weights_of(self, chain: Sequence[Array], moment: Moment | None) -> tuple[Array, ...]:
        """The kernels in the shapes of the layers, and the bias of the last.

        Args:
            chain: kernels, each (rows, columns, in, out).
            moment: of the inputs; with it a bias makes up for the mean of what is lost.
        """
        kernels = list(chain)
        if self.kind in ("Dense", "Embedding"):
            kernels = [kernel[0, 0] for kernel in kernels]
        if self.kind == "EinsumDense":
            received, sent = einsum_axes(self.layer.equation)
            shape = np.asarray(self.layer.kernel).shape
            first = kernels[0][0, 0].reshape(*[shape[axis] for axis in received], -1)
            second = kernels[-1][0, 0].reshape(-1, *[shape[axis] for axis in sent])
            kernels = [first, second]
        if self.kind == "SeparableConv1D":
            kernels = [kernel[0] for kernel in kernels]
        if not self.has_bias:
            return tuple(kernels)
        return (*kernels, self._bias(chain, moment))

    def _bias(self, chain: Sequence[Array], moment: Moment | None) -> Array:
        bias = np.asarray(self.layer.bias, np.float64)
        if moment is None or not self.follows_mean:
            return bias
        lost = (self.kernel - recomposed(tuple(chain))).reshape(-1, self.kernel.shape[-1])
        return np.asarray(bias + moment.mean @ lost)

    def specs(
        self, scheme: SchemeName, ranks: tuple[int, ...], weights: tuple[Array, ...], emit: str
    ) -> tuple[LayerSpec, ...]:
        """The layers to put in the place of this one."""
        config = config_of(self.layer)
        if emit == "factorized":
            name = f"Factorized{self.kind}"
            rank = list(ranks) if len(ranks) > 1 else ranks[0]
            ranked = {**config, "kernel_constraint": None, "rank": rank}
            if self.kind == "Conv2D":
                ranked["scheme"] = scheme
            return (LayerSpec(kind=name, config=ranked, weights=weights),)
        chain = self._chain(config, scheme, ranks)
        bias = [weights[-1]] if self.has_bias else []
        held = [[kernel] for kernel in weights[: len(weights) - len(bias)]]
        held[-1] += bias
        if self.kind in _SEPARABLE:
            held[0].insert(0, np.asarray(self.layer.depthwise_kernel))
        return tuple(
            LayerSpec(kind=kind, config=one, weights=tuple(some))
            for (kind, one), some in zip(chain, held, strict=True)
        )

    def _chain(self, config: dict[str, Any], scheme: SchemeName, ranks: tuple[int, ...]) -> Chain:
        if self.kind == "Dense":
            return dense_chain(config, ranks[0])
        if self.kind == "Embedding":
            return embedding_chain(config, ranks[0])
        if self.kind == "Conv2D":
            return conv_chain(config, scheme, ranks, self.shape[2])
        if self.kind in _SEPARABLE:
            return separable_chain(self.kind, config, ranks[0])
        return einsum_chain(config, ranks[0])

    def whole(self) -> tuple[LayerSpec, ...]:
        """The layer itself, to be made once more."""
        config = config_of(self.layer)
        if "kernel_constraint" in config:
            config["kernel_constraint"] = None
        weights = tuple(self.layer.get_weights())
        return (LayerSpec(kind=self.kind, config=config, weights=weights),)


Splittable = Factorable | FactorableAttention


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A layer with what its inputs look like.

    Attributes:
        one: the layer, a `Splittable`.
        moment: of its inputs, as the layer's `moment_of` makes it; None for the plain SVD.
        unfolded: its kernel as matrices, weighed by the moment, as the layer's `unfolded` says.
    """

    one: Any
    moment: Any
    unfolded: Any


def weighed(one: Splittable, moment: Any) -> Weighed:
    """A layer with the moment of its inputs, or None."""
    return Weighed(one=one, moment=moment, unfolded=one.unfolded(moment))


def why_not(layer: Any) -> str:
    """Why a layer cannot be factorized, or "" where it can (or has nothing to factorize)."""
    kind = type(layer).__name__
    names = [base.__name__ for base in type(layer).__mro__]
    if not layer.weights and layer.built:
        return ""
    if any(name.startswith("Depthwise") for name in names):
        return _DEPTHWISE
    if kind in ("FactorizedDense", "FactorizedConv2D"):
        return "it is already factorized: merge it first for another rank"
    if any("Normalization" in name for name in names):
        return _NORMALISATION
    if kind not in KINDS:
        base = next((name for name in names if name in KINDS), None)
        if base is not None and flavors.flavor_of(layer) != type(layer).__module__.split(".")[0]:
            return f"it is a subclass of {base}, which may compute something else"
        return f"no scheme for layers of type {kind}"
    return _kind_reason(layer, kind)


def _kind_reason(layer: Any, kind: str) -> str:
    if not layer.built:
        return "not built: call the model once first"
    if getattr(layer, "lora_enabled", False):
        return "LoRA is on: merge its factors into the kernel first"
    if getattr(layer, "quantization_mode", None):
        return f"its kernel is quantized ({layer.quantization_mode}): factorize before that"
    if kind == "Conv2D" and layer.groups != 1:
        return f"grouped (groups={layer.groups}): the groups share no channels"
    if kind in ("Conv2D", *_SEPARABLE) and layer.data_format != "channels_last":
        return "channels first: TFLite has no convolution for that layout"
    if kind == "EinsumDense":
        return _equation_reason(layer.equation)
    return ""


def _equation_reason(equation: str) -> str:
    received, kernel, result = equation.replace("->", ",").split(",")
    if any(letter in received and letter in result for letter in kernel):
        return f"equation {equation}: an axis of the kernel is in both input and output"
    if not any(letter in received for letter in kernel):
        return f"equation {equation}: nothing is summed over"
    if len(set(kernel)) != len(kernel):
        return f"equation {equation}: the kernel repeats an axis"
    return ""


def _kernel_of(layer: Any) -> Any:
    kind = type(layer).__name__
    if kind in _SEPARABLE:
        return layer.pointwise_kernel
    return layer.embeddings if kind == "Embedding" else layer.kernel


def factorable(layer: Any, calls: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> Factorable:
    """Reads a layer's kernel.

    Args:
        layer: one for which `why_not` is empty.
        calls: shapes of its input and output, call by call.
    """
    kind = type(layer).__name__
    received, sent = calls[0]
    kernel = np.asarray(_kernel_of(layer), np.float64)
    if kind in _SEPARABLE:
        kernel = kernel.reshape(kernel.shape[-2:])
    if kind == "EinsumDense":
        inputs, outputs = einsum_axes(layer.equation)
        size = math.prod(kernel.shape[axis] for axis in inputs)
        kernel = np.transpose(kernel, [*inputs, *outputs]).reshape(size, -1)
    if kind == "Conv2D":
        places = Places(len(calls), received[1], received[2], sent[1], sent[2])
    else:
        kernel = kernel[np.newaxis, np.newaxis]
        many = sum(math.prod(out[1:]) // kernel.shape[-1] for _, out in calls)
        places = Places(1, 1, many, 1, many)
    return Factorable(layer=layer, kind=kind, kernel=kernel, places=places)


def einsum_axes(equation: str) -> tuple[list[int], list[int]]:
    """The axes of a kernel that are summed over, and those that the result has.

    Example:
        >>> einsum_axes("abc,cde->abde")
        ([0], [1, 2])
    """
    _, kernel, result = equation.replace("->", ",").split(",")
    summed = [axis for axis, letter in enumerate(kernel) if letter not in result]
    return summed, [axis for axis, letter in enumerate(kernel) if letter in result]


Shapes = Mapping[int, Sequence[tuple[tuple[int, ...], tuple[int, ...]]]]


@dataclass(frozen=True, kw_only=True)
class Found:
    """Layers to factorize, in the model's order, and the others with reasons."""

    layers: tuple[Splittable, ...]
    skipped: tuple[SkippedLayer, ...]


def find(model: Any, config: Factorize, shapes: Shapes) -> Found:
    """Looks through the graph of a model.

    Args:
        model: a Keras model of either version.
        config: the configuration that was used.
        shapes: of every call of every layer, by id.

    Raises:
        UsageError: the model has no graph, or a pattern means no layer.
    """
    standing, elsewhere = graph_layers(model)
    inside = flavors.walk_layers(model)
    check_patterns(
        inside,
        only=config.only,
        protect=config.protect,
        ranks=tuple(config.ranks),
        schemes=tuple(config.schemes),
    )
    able = [layer for layer in standing if layer.weights and not why_not(layer)]
    ends = _ends(able, config.protect)
    ranked = tuple(config.ranks) if config.rule is None else ()
    called = graph_of(model).calls()
    layers: list[Splittable] = []
    skipped: list[SkippedLayer] = []
    taken: set[int] = set()
    for layer in inside:
        if not layer.weights or _is_model(layer) or id(layer) in taken:
            continue
        attention = type(layer).__name__ == _ATTENTION and id(layer) in called
        reason = why_not(layer) or ("" if attention else elsewhere.get(id(layer), ""))
        asked = all(matches_any(layer, some or ("*",)) for some in (config.only, ranked))
        if not reason and not asked:
            reason = "not among the layers that were asked for"
        if not reason and (matches_any(layer, config.protect) or id(layer) in ends):
            reason = "protected"
        if not reason and id(layer._query_dense if attention else layer) not in shapes:
            reason = "it was not called when the model ran"
        if not reason and attention and (config.vbmf or len(called[id(layer)]) > 1):
            reason = "vbmf has no rule for heads" if config.vbmf else "it is called several times"
        if not reason and config.emit == "factorized" and type(layer).__name__ not in (
            "Dense", "Conv2D",
        ):  # fmt: skip
            reason = f"emit='factorized' has no layer for {type(layer).__name__}"
        if reason:
            kind = type(layer).__name__
            skipped.append(SkippedLayer(layer=layer.name, layer_type=kind, reason=reason))
        elif attention:
            lengths = [math.prod(shapes[id(one)][0][0][1:-1])
                       for one in (layer._query_dense, layer._key_dense)]  # fmt: skip
            layers.append(FactorableAttention(layer=layer, lengths=(lengths[0], lengths[1])))
            taken |= {id(one) for one in flavors.walk_layers(layer)}
        else:
            layers.append(factorable(layer, shapes[id(layer)]))
    return Found(layers=tuple(layers), skipped=tuple(skipped))


def _ends(able: Sequence[Any], protect: Sequence[str]) -> set[int]:
    """Ids of the first and the last layer, where those were asked to be left out."""
    ends = set()
    if able and "first" in protect:
        ends.add(id(able[0]))
    if able and "last" in protect:
        ends.add(id(able[-1]))
    return ends


def _is_model(layer: Any) -> bool:
    return hasattr(layer, "layers") and hasattr(layer, "predict")
