"""Which variables of which layers may change, and why the others may not."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import PatternError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.skipped import SkippedLayer

Array = NDArray[Any]

NOT_BUILT = "not built: call the model once first"

# Layer type → its weights, each with the axes that are outputs; the others are inputs, the
# innermost last. The names hold in both versions of Keras but for those with two.
_KERNELS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "Dense": (("kernel", (-1,)),),
    "EinsumDense": (("kernel", (-1,)),),
    "Conv1D": (("kernel", (-1,)),),
    "Conv2D": (("kernel", (-1,)),),
    "Conv3D": (("kernel", (-1,)),),
    "Conv1DTranspose": (("kernel", (-2,)),),
    "Conv2DTranspose": (("kernel", (-2,)),),
    "Conv3DTranspose": (("kernel", (-2,)),),
    "DepthwiseConv1D": (("kernel|depthwise_kernel", (-2, -1)),),
    "DepthwiseConv2D": (("kernel|depthwise_kernel", (-2, -1)),),
    "SeparableConv1D": (("depthwise_kernel", (-2, -1)), ("pointwise_kernel", (-1,))),
    "SeparableConv2D": (("depthwise_kernel", (-2, -1)), ("pointwise_kernel", (-1,))),
    "Embedding": (("embeddings", (0,)),),
    "LSTM": (("cell.kernel", (-1,)), ("cell.recurrent_kernel", (-1,))),
    "GRU": (("cell.kernel", (-1,)), ("cell.recurrent_kernel", (-1,))),
    "SimpleRNN": (("cell.kernel", (-1,)), ("cell.recurrent_kernel", (-1,))),
    "ConvLSTM1D": (("cell.kernel", (-1,)), ("cell.recurrent_kernel", (-1,))),
    "ConvLSTM2D": (("cell.kernel", (-1,)), ("cell.recurrent_kernel", (-1,))),
    "ConvLSTM3D": (("cell.kernel", (-1,)), ("cell.recurrent_kernel", (-1,))),
    "LSTMCell": (("kernel", (-1,)), ("recurrent_kernel", (-1,))),
    "GRUCell": (("kernel", (-1,)), ("recurrent_kernel", (-1,))),
    "SimpleRNNCell": (("kernel", (-1,)), ("recurrent_kernel", (-1,))),
    "ConvLSTMCell": (("kernel", (-1,)), ("recurrent_kernel", (-1,))),
}
_NORMALISATION = ("BatchNormalization", "LayerNormalization", "GroupNormalization",
                  "UnitNormalization", "SpectralNormalization", "RMSNormalization",
                  "Normalization")  # fmt: skip
# Inside the recurrent layers above they were seen with those.
_CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell", "ConvLSTMCell")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A weight that may change.

    Attributes:
        name: layer and weight, such as "dense_300/kernel"; unique in the model.
        layer: the Keras layer.
        layer_type: its class name.
        variable: the Keras variable.
        shape: its shape.
        output_axes: which axes count outputs.
    """

    name: str
    layer: Any
    layer_type: str
    variable: Any
    shape: tuple[int, ...]
    output_axes: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many weights it has."""
        return int(np.prod(self.shape))

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """(outputs, inputs) of its matrix."""
        rows = int(np.prod([self.shape[axis] for axis in self.output_axes]))
        return rows, self.size // rows

    def matrix(self, values: Array) -> Array:
        """The weight as the runtime multiplies by it: (outputs, inputs), inputs innermost last.

        Args:
            values: of the variable's shape.
        """
        outputs = [axis % values.ndim for axis in self.output_axes]
        inputs = [axis for axis in range(values.ndim) if axis not in outputs]
        moved = np.transpose(values, [*outputs, *inputs])
        rows = int(np.prod([values.shape[axis] for axis in outputs]))
        return moved.reshape(rows, -1)

    def from_matrix(self, matrix: Array) -> Array:
        """The inverse of `matrix`."""
        rank = len(self.shape)
        outputs = [axis % rank for axis in self.output_axes]
        inputs = [axis for axis in range(rank) if axis not in outputs]
        order = [*outputs, *inputs]
        moved = matrix.reshape([self.shape[axis] for axis in order])
        return np.transpose(moved, np.argsort(order))


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of a model may change, in the model's order, and what may not."""

    targets: tuple[Target, ...]
    skipped: tuple[SkippedLayer, ...]


def select(model: Any, *, only: Iterable[str] = (), protect: Iterable[str] = ()) -> Selection:
    """Finds the weights of a model that a weight-space technique may change.

    Args:
        model: a Keras model of either version.
        only: patterns of names or types; empty for all.
        protect: patterns of names or types that stay as they are, and "first" or "last".

    Returns:
        Kernels and embeddings, each once even when layers are shared, and what was left out.
        Biases and normalisation are never among them.
    """
    targets: list[Target] = []
    skipped: list[SkippedLayer] = []
    seen: set[int] = set()
    layers = flavors.walk_layers(model)
    only, protect = tuple(only), tuple(protect)
    check_patterns(layers, only=only, protect=protect)
    for layer in layers:
        found, reason = _kernels_of(layer, seen)
        kind = type(layer).__name__
        if found and not matches_any(layer, only or ("*",)):
            reason = "not among the layers that were asked for"
        elif found and matches_any(layer, protect):
            reason = "protected"
        if reason:
            skipped.append(SkippedLayer(layer=layer.name, layer_type=kind, reason=reason))
        else:
            targets.extend(found)
    targets, ends = _without_ends(_uniquely_named(targets), set(protect))
    if _own_weights(model):
        kind = type(model).__name__
        reason = "weights of the model itself are not known to be a kernel"
        skipped.append(SkippedLayer(layer=model.name, layer_type=kind, reason=reason))
    return Selection(targets=tuple(targets), skipped=(*skipped, *ends))


def check_patterns(layers: list[Any], /, **patterns: tuple[str, ...]) -> None:
    """Refuses patterns that mean no layer: a misspelt one would protect nothing, silently."""
    for option, given in patterns.items():
        for pattern in given:
            if option in ("protect", "layers") and pattern in ("first", "last"):
                continue
            if not any(matches(layer, pattern) for layer in layers):
                names = ", ".join(dict.fromkeys(one.name for one in layers if one.weights))
                raise PatternError(f"{option} names {pattern!r}, which matches none of {names}")


def matches(layer: Any, pattern: str) -> bool:
    """Whether a pattern such as "block_*", "Dense" or "type:Dense" means a layer."""
    kind = pattern.removeprefix("type:")
    return fnmatch.fnmatchcase(type(layer).__name__, kind) or (
        kind == pattern and fnmatch.fnmatchcase(layer.name, pattern)
    )


def matches_any(layer: Any, patterns: Iterable[str]) -> bool:
    """Whether one of some patterns means a layer."""
    return any(matches(layer, pattern) for pattern in patterns)


def _kernels_of(layer: Any, seen: set[int]) -> tuple[list[Target], str]:
    """A layer's weights that may change, or why there are none; "" for a layer without weights."""
    kind = type(layer).__name__
    known = next(
        (_KERNELS[base.__name__] for base in type(layer).__mro__ if base.__name__ in _KERNELS), None
    )
    if known is None:
        if not _own_weights(layer):
            return [], ""
        if any(base.__name__ in _NORMALISATION for base in type(layer).__mro__):
            return [], "normalisation is never changed"
        return [], f"layers of type {kind} are not known to have a kernel"
    if not layer.built and kind not in _CELLS:
        return [], NOT_BUILT
    found = []
    for attributes, outputs in known:
        variable = _attribute(layer, attributes)
        if variable is None or id(variable) in seen:
            continue
        seen.add(id(variable))
        weight = attributes.rpartition(".")[2].partition("|")[0]
        if hasattr(layer, "equation"):
            outputs = _einsum_outputs(layer.equation, outputs)
        found.append(
            Target(
                name=f"{layer.name}/{weight}",
                layer=layer,
                layer_type=kind,
                variable=variable,
                shape=tuple(int(size) for size in variable.shape),
                output_axes=outputs,
            )
        )
    if found or any(base.__name__ in _CELLS for base in type(layer).__mro__):
        return found, ""
    return [], "its weights belong to a layer that was seen before"


def _einsum_outputs(equation: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of an EinsumDense kernel that its result has; the others are summed over."""
    _, kernel, result = equation.replace("...", "").replace("->", ",").split(",")
    axes = tuple(axis for axis, letter in enumerate(kernel) if letter in result)
    return axes or default


def _attribute(layer: Any, attributes: str) -> Any:
    """The first that is there of `a|b`, or of `a.b` inside `a`."""
    for path in attributes.split("|"):
        value: Any = layer
        for name in path.split("."):
            # Keras 3 computes `kernel` anew for layers with LoRA; the variable is behind it.
            value = (
                getattr(value, f"_{name}", None)
                if name == "kernel" and hasattr(value, f"_{name}")
                else getattr(value, name, None)
            )
        if value is not None:
            return value
    return None


def _own_weights(layer: Any) -> list[Any]:
    """Trainable (or frozen) weights that are the layer's own, not those of layers inside it."""
    inner = {
        id(weight)
        for child in layer._flatten_layers(include_self=False, recursive=True)
        for weight in child.weights
    }
    weights = layer.trainable_weights if layer.trainable else layer.weights
    return [weight for weight in weights if id(weight) not in inner]


def _uniquely_named(targets: list[Target]) -> list[Target]:
    """Layers inside others may share a name; the second and later ones get a number."""
    counts: dict[str, int] = {}
    named = []
    for target in targets:
        counts[target.name] = counts.get(target.name, 0) + 1
        number = counts[target.name]
        name = target.name if number == 1 else f"{target.name}#{number}"
        named.append(
            Target(
                name=name,
                layer=target.layer,
                layer_type=target.layer_type,
                variable=target.variable,
                shape=target.shape,
                output_axes=target.output_axes,
            )
        )
    return named


def _without_ends(
    targets: list[Target], protect: set[str]
) -> tuple[list[Target], list[SkippedLayer]]:
    """Leaves the first and the last layer out where that was asked for."""
    ends = []
    if targets and "first" in protect:
        ends.append(targets[0].layer)
    if targets and "last" in protect:
        ends.append(targets[-1].layer)
    kept = [target for target in targets if all(target.layer is not end for end in ends)]
    unique = {id(end): end for end in ends}.values()
    return kept, [
        SkippedLayer(layer=end.name, layer_type=type(end).__name__, reason="protected")
        for end in unique
    ]


_Value = TypeVar("_Value")


def by_pattern(layers: Mapping[str, _Value], targets: Sequence[Target]) -> dict[int, _Value]:
    """What was given layer by layer, by the index of the target; the last pattern holds.

    Args:
        layers: value by pattern, such as {"conv_*": 0.5, "Dense": 0.9}.
        targets: the weights.

    Raises:
        UsageError: a pattern matches no layer.
    """
    own: dict[int, _Value] = {}
    for pattern, value in layers.items():
        found = [i for i, target in enumerate(targets) if matches(target.layer, pattern)]
        if not found:
            names = ", ".join(dict.fromkeys(target.layer.name for target in targets))
            raise PatternError(f"layers names {pattern!r}, which matches none of {names}")
        own.update(dict.fromkeys(found, value))
    return own
