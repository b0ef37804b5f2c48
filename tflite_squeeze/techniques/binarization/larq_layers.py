"""Layers of a graph as Larq's layers: which can be, with which quantizers, and why others stay."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal

from tflite_squeeze.errors import PatternError, UsageError
from tflite_squeeze.network.graph import Graph, Node
from tflite_squeeze.network.larq_library import larq
from tflite_squeeze.network.skipped import SkippedLayer, why_skipped
from tflite_squeeze.network.weights import matches
from tflite_squeeze.techniques.binarization.config import Binarize

Phase = Literal["binary", "inputs", "float"]

# Layer type → its kernels: the prefix of the quantizer's and the constraint's argument.
KERNELS: dict[str, tuple[str, ...]] = {
    "Dense": ("kernel",),
    "Conv1D": ("kernel",),
    "Conv2D": ("kernel",),
    "Conv3D": ("kernel",),
    "DepthwiseConv2D": ("depthwise",),
    "SeparableConv1D": ("depthwise", "pointwise"),
    "SeparableConv2D": ("depthwise", "pointwise"),
    "Conv2DTranspose": ("kernel",),
    "Conv3DTranspose": ("kernel",),
}
_PADS = ("Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv2D")
_OTHERS = ("EinsumDense", "LSTM", "GRU", "SimpleRNN", "Embedding", "ConvLSTM2D", "DepthwiseConv1D",
           "Conv1DTranspose", "MultiHeadAttention", "GroupQueryAttention")  # fmt: skip


def chosen(
    graph: Graph, config: Binarize, projections: Collection[str]
) -> tuple[tuple[str, ...], tuple[SkippedLayer, ...]]:
    """Which nodes become binary, and why the others do not.

    Args:
        graph: the model.
        config: the configuration.
        projections: nodes that bring a residual shortcut to the shape of its sum.

    Returns:
        Names in the model's order, and what was left out.

    Raises:
        UsageError: a pattern matches no layer, or no layer is left.
    """
    weighted = [node for node in graph.nodes.values() if node.kind in (*KERNELS, *_OTHERS)]
    _check(weighted, only=config.only, protect=config.protect, layers=tuple(config.layers))
    ends = {"first": weighted[:1], "last": weighted[-1:]}
    kept, skipped = [], []
    for node in weighted:
        protected = any(
            node in ends.get(pattern, []) or _means(node, pattern) for pattern in config.protect
        )
        reason = _reason(graph, node, config, protected=protected)
        if not reason and node.name in projections:
            reason = "the projection of a residual shortcut stays in float"
        if reason:
            skipped.append(SkippedLayer(layer=node.name, layer_type=node.kind, reason=reason))
        else:
            kept.append(node.name)
    if not kept:
        reasons = why_skipped(skipped)
        raise UsageError(f"nothing to binarize in model {graph.name!r} ({reasons}): see --protect")
    return tuple(kept), tuple(skipped)


def _reason(graph: Graph, node: Node, config: Binarize, *, protected: bool) -> str:
    if node.kind not in KERNELS:
        return f"Larq has no layer for {node.kind}"
    if config.only and not any(_means(node, pattern) for pattern in config.only):
        return "not among the layers that were asked for"
    if protected:
        return "protected: the first and the last layer, and what --protect names, stay in float"
    if sum(one.layer == node.layer for one in graph.nodes.values()) > 1:
        return "it is called more than once, and each call would need signs of its own"
    return ""


def _means(node: Node, pattern: str) -> bool:
    return node.source is not None and matches(node.source, pattern)


def _check(nodes: list[Node], **patterns: tuple[str, ...]) -> None:
    for option, given in patterns.items():
        for pattern in given:
            if option == "protect" and pattern in ("first", "last"):
                continue
            if not any(_means(node, pattern) for node in nodes):
                names = ", ".join(node.name for node in nodes)
                raise PatternError(f"{option} names {pattern!r}, which matches none of {names}")


def quantizers(graph: Graph, name: str, config: Binarize) -> tuple[str, str]:
    """Names of the quantizers of a node's inputs and kernel; "none" for none."""
    node = graph.nodes[name]
    return config.quantizers_of([one for one in config.layers if _means(node, one)])


def with_larq_layers(
    graph: Graph, config: Binarize, phases: Mapping[str, Phase]
) -> tuple[Graph, dict[str, Any]]:
    """A graph whose binary nodes are layers of Larq.

    Args:
        graph: the model, already in its new order; it is not changed.
        config: the configuration.
        phases: node → whether weights and inputs are binary ("binary"), inputs only ("inputs"),
            or none yet ("float"), where inputs are clipped to the range in which signs have a
            derivative.

    Returns:
        The graph, and Larq's classes by kind.
    """
    library = larq()
    changed = Graph(name=graph.name, starts=graph.starts, ends=graph.ends)
    classes: dict[str, Any] = {}
    for node in graph.nodes.values():
        if node.name in phases:
            settings = _settings(library, graph, node, config, phases[node.name])
            kind = f"Quant{node.kind}"
            classes[kind] = getattr(library.layers, kind)
            node = replace(node, kind=kind, config={**node.config, **settings})
        changed.nodes[node.name] = node
    return changed, classes


def _settings(
    library: Any, graph: Graph, node: Node, config: Binarize, phase: Phase
) -> dict[str, Any]:
    inputs, kernel = quantizers(graph, node.name, config)
    settings: dict[str, Any] = {"input_quantizer": None}
    if inputs != "none":
        made = (
            library.activations.hard_tanh
            if phase == "float"
            else _quantizer(library, inputs, config, "activations")
        )
        settings["input_quantizer"] = made
    if node.kind in _PADS and node.config.get("padding") == "same" and inputs != "none":
        settings["pad_values"] = 1.0  # zeros are no binary values
    for prefix in KERNELS[node.kind]:
        binary = phase == "binary"
        made = _quantizer(library, kernel, config, "weights") if binary else None
        settings[f"{prefix}_quantizer"] = made
        clips = config.clip and kernel != "dorefa_quantizer" and config.optimizer != "bop"
        settings[f"{prefix}_constraint"] = "weight_clip" if clips else None
    return settings


def _quantizer(library: Any, name: str, config: Binarize, mode: str) -> Any:
    if name == "dorefa_quantizer":
        return library.quantizers.DoReFa(k_bit=config.bits, mode=mode)
    return name
