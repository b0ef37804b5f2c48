"""Multiply-accumulate operations per Keras layer, for one example."""

import math
from collections.abc import Sequence
from typing import Any

from tflite_squeeze.network.flavors import walk_layers

Shape = tuple[int, ...] | None  # -1 stands for an open dimension, None for an unknown shape

_CONVOLUTIONS = frozenset({"Conv1D", "Conv2D", "Conv3D"})
_DEPTHWISE = frozenset({"DepthwiseConv1D", "DepthwiseConv2D"})
_SEPARABLE = frozenset({"SeparableConv1D", "SeparableConv2D"})
_TRANSPOSED = frozenset({"Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"})
_RECURRENT = frozenset({"RNN", "SimpleRNN", "GRU", "LSTM", "Bidirectional"})
# They multiply what they are given with itself, or hold layers that nobody else sees.
_OPAQUE = frozenset({
    "Attention", "AdditiveAttention", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Dot", "Lambda",
})  # fmt: skip
_ATTENTION = frozenset({"GroupedQueryAttention", "GroupQueryAttention", "MultiHeadAttention"})
# Their matrices are looked up in, or added, not multiplied with.
_FREE = frozenset({"Embedding", "LayerNormalization", "GroupNormalization", "PReLU"})


def model_layers(model: Any) -> list[Any]:
    """The layers of a model that compute: nested models and wrappers give way to their layers.

    A recurrent layer stays whole: its cell counts as a layer only in Keras.
    """
    inside: set[int] = set()
    leaves = []
    for layer in walk_layers(model):
        below = walk_layers(layer)
        if id(layer) in inside or _holds_layers(layer, below):
            continue
        inside.update(id(one) for one in below)
        if type(layer).__name__ != "InputLayer":
            leaves.append(layer)
    return leaves


def _holds_layers(layer: Any, below: list[Any]) -> bool:
    """Whether a layer is a model, whose layers stand for it."""
    return bool(below) and hasattr(layer, "layers") and not hasattr(layer, "cell")


def layer_macs(
    layer: Any, received: Shape, output: Shape, others: Sequence[Shape] = ()
) -> int | None:
    """The multiply-accumulates of one call of a layer on one example.

    Args:
        layer: a Keras layer of either version; subclasses count like their base.
        received: the shape of its input, batch included.
        output: the shape of its output, batch included.
        others: the shapes of its further inputs: the values that attention looks up, and their
            keys; without them it looks at its own input.

    Returns:
        The count; None where it is not known.

    Example:
        >>> layer_macs(Dense(300), (-1, 784), (-1, 300))
        235200
    """
    kinds = {base.__name__ for base in type(layer).__mro__}
    if kinds & _OPAQUE:
        return None
    if kinds & _ATTENTION:
        return _attention(layer, received, others[0] if others else received)
    matrices = _matrices(layer)
    if not matrices or kinds & _FREE:
        return 0
    steps_end = 2
    if "TimeDistributed" in kinds:
        kinds, steps_end = {base.__name__ for base in type(layer.layer).__mro__}, 3
    if "EinsumDense" in kinds:
        return _times(
            _elements(output), _summed_over(getattr(layer, "layer", layer).equation, matrices[0])
        )
    if kinds & _RECURRENT:
        steps = _elements(received, upto=steps_end)
        return None if steps is None else steps * sum(map(math.prod, matrices))
    if kinds & _TRANSPOSED:
        return _times(_elements(received), math.prod(matrices[0][:-1]))
    if kinds & (_SEPARABLE | _DEPTHWISE | _CONVOLUTIONS | {"Dense"}):
        return _convolution(kinds, matrices, output)
    return None


def _matrices(layer: Any) -> list[tuple[int, ...]]:
    """The shapes of what a layer multiplies with; a bias of a GRU has two rows, and is none."""
    # A table of tf_keras is among the weights, but has no shape.
    shapes = [
        tuple(getattr(variable, "shape", ()))
        for variable in layer.weights
        if "bias" not in getattr(variable, "name", "").split("/")[-1]
    ]
    return [shape for shape in shapes if len(shape) > 1]


def _attention(layer: Any, query: Shape, value: Shape) -> int | None:
    """The projections, the scores of each pair of positions, and the sums of values by them."""
    places, looked_up = _elements(query, upto=-1), _elements(value, upto=-1)
    if query is None or value is None or places is None or looked_up is None:
        return None
    kernels = {
        name: tuple(getattr(layer, f"_{name}_dense").kernel.shape)
        for name in ("query", "key", "value", "output", "gate")
        if getattr(layer, f"_{name}_dense", None) is not None
    }
    projected = sum(
        math.prod(kernel) * (looked_up if name in ("key", "value") else places)
        for name, kernel in kernels.items()
    )
    axes = getattr(layer, "_attention_axes", None) or range(1, len(query) - 1)
    pairs = places * math.prod(value[axis] for axis in axes)
    widths = math.prod(kernels["query"][1:]) + math.prod(kernels["output"][:2])
    return int(projected + pairs * widths)


def _convolution(kinds: set[str], matrices: list[tuple[int, ...]], output: Shape) -> int | None:
    """Kernels are (places…, in, out), depthwise ones (places…, in, multiplier)."""
    elements = _elements(output)
    if kinds & _SEPARABLE:
        depthwise, pointwise = matrices[0], matrices[1]
        places = None if elements is None else elements // pointwise[-1]
        return _times(places, math.prod(depthwise) + math.prod(pointwise))
    per_output = matrices[0][:-2] if kinds & _DEPTHWISE else matrices[0][:-1]
    return _times(elements, math.prod(per_output))


def _summed_over(equation: str, kernel: tuple[int, ...]) -> int:
    """The elements of a kernel that go into one output of an einsum."""
    _, letters, result = equation.replace("->", ",").split(",")
    sizes = zip(letters, kernel, strict=True)
    return math.prod(size for letter, size in sizes if letter not in result)


def _elements(shape: Shape, upto: int | None = None) -> int | None:
    """The elements of one example, or of its first dimensions only."""
    if shape is None or any(size < 0 for size in shape[1:upto]):
        return None
    return math.prod(shape[1:upto])


def _times(elements: int | None, each: int) -> int | None:
    return None if elements is None else elements * each
