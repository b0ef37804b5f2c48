"""The twin of a network: it computes in float what the network's quantized file computes.

Reference: Jacob et al. 2018, arXiv:1712.05877.
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.graph import INPUT, Graph, Node, graph_of, has_graph
from tflite_squeeze.network.quantization.fake import largest_magnitudes
from tflite_squeeze.network.quantization.folding import IN_FLOAT, OUTPUT_AXES, is_depthwise
from tflite_squeeze.network.quantization.kept import has_zeros, sharing_of
from tflite_squeeze.network.quantization.layers import (
    LAYERS,
    Estimator,
    QuantizedActivation,
    QuantizedFunction,
    QuantizedWeights,
    has_free_scales,
    in_version,
)
from tflite_squeeze.network.quantization.plan import (
    ActivationBits,
    ActivationQuantization,
    QuantizationPlan,
    WeightBits,
    WeightQuantization,
    float32_number,
)
from tflite_squeeze.network.quantization.points import (
    AVERAGES,
    FIXED,
    borrowers_of,
    kind_of,
    points_of,
    with_bits,
)
from tflite_squeeze.network.rewriting import (
    Follower,
    LayerSpec,
    OperationChange,
    changed,
    config_of,
    rewritten,
)
from tflite_squeeze.network.variables import raw_variable

# What makes a layer of `layers` beyond the configuration of the plain one.
_OWN = ("kernel_quantization", "learned_scale", "keeps_zeros", "shared_values", "delay")
# Behind the name of a layer whose rounded output has it.
INSIDE = "_unrounded"
# Activations that are several operators in a file.
_IN_PARTS = {
    "Activation:swish": "swish", "Activation:silu": "swish", "Silu": "swish", "tf.nn.silu": "swish",
    "Activation:hard_sigmoid": "hard_sigmoid", "HardSigmoid": "hard_sigmoid",
}  # fmt: skip

_FIXED = {
    **{f"Activation:{name}": name for name in FIXED},
    **{name.capitalize(): name for name in ("sigmoid", "tanh")},
}


def plan_for(
    model: Any, *, weights: WeightBits | None = 8, activations: Any = 8
) -> QuantizationPlan:
    """The plan that one rule makes for all of a folded model: ranges are still open.

    Args:
        model: what `folded` returned.
        weights: bits of the kernels of convolutions and Dense layers, with a scale a channel;
            None for float.
        activations: bits of activations.

    Raises:
        UsageError: the model has no graph of layers.

    Example:
        >>> plan_for(folded(model)).weights["conv2d/kernel"].bits
        8
    """
    kernels = {
        kernel_name(node.layer): WeightQuantization(bits=weights, axis=OUTPUT_AXES[node.kind][0])
        for node in graph_of(model).nodes.values()
        if node.kind in OUTPUT_AXES and node.kind not in IN_FLOAT
    }
    points = {name: with_bits(point, activations) for name, point in points_of(model).items()}
    return QuantizationPlan(weights=kernels, activations=points)


def kernel_name(layer: str) -> str:
    """What a plan calls the kernel of a layer."""
    return f"{layer}/kernel"


def twin_of(
    model: Any,
    plan: QuantizationPlan,
    *,
    estimator: Estimator = "average",
    learned_scale: bool = False,
    delay: int = 0,
    originals: Mapping[str, Any] | None = None,
) -> Any:
    """The quantized twin of a folded model: an ordinary Keras model that trains, saves and loads.

    Args:
        model: what `folded` returned.
        plan: what is quantized to what; what it does not name stays in float.
        estimator: how training finds ranges that no kernel of the runtime fixes.
        learned_scale: whether training finds the scales of weights too, from those of the plan on.
        delay: training steps before anything is rounded.
        originals: kernels before `folded`, by layer; those whose weights share values keep sharing
            them.

    Returns:
        A new model, compiled as the model is. Its trainable weights are those of the model, and
        the bounds and scales that are learned. Weights that are zero stay zero in training.

    Raises:
        UsageError: the plan names what the model does not have, or a layer cannot be rebuilt.

    Example:
        >>> twin = twin_of(folded(model), plan_for(folded(model)))
    """
    refuse_strangers(model.name, plan, plan_for(model))
    fixed = {name for name, point in points_of(model).items() if point.low is not None}
    flavor = flavors.known_flavor(model)
    layers: dict[int, list[LayerSpec]] = {}
    followers: dict[int, Follower] = {}
    quantizers: dict[str, LayerSpec] = {}
    borrowed = borrowers_of(model)
    graph = graph_of(model)
    ends = {value.node for value in graph.outputs}
    for key, nodes in graph.calls().items():
        node = nodes[0]
        weight = plan.weights.get(kernel_name(node.layer))
        if weight is not None and weight.bits is not None and node.kind in OUTPUT_AXES:
            original = (originals or {}).get(node.source.name)
            layers[key] = [
                _with_grid(node, weight, original, learned_scale=learned_scale, delay=delay)
            ]
        point = borrowed.get(node.layer, node.layer)
        activation = plan.activations.get(point)
        if _is_rounded_inside(node, activation, flavor):
            bits = activation.bits if activation else 8
            layers[key] = [_function(node, _IN_PARTS[kind_of(node)], flavor, bits=bits)]
        elif activation is None and _spreads_its_range(graph, node):
            layers[key] = [_function(node, _FIXED[kind_of(node)], flavor)]
        if activation is not None and activation.bits is not None:
            how: Estimator = "fixed" if point in fixed else estimator
            kind = in_version(QuantizedActivation.keras_name, flavor)
            rounds = not (how == "fixed" and any(one.name in ends for one in nodes))
            name = f"{point}_range"
            if _names_an_output(node, ends) and point == node.layer:
                name = node.source.name
                (spec,) = layers.get(key, [changed(node.source)])
                layers[key] = [replace(spec, config={**spec.config, "name": name + INSIDE})]
            quantizer = _quantizer(
                kind, point, activation, how, name=name, delay=delay, rounds_training=rounds
            )
            spec = quantizers.setdefault(point, quantizer)
            followers[key] = Follower(spec=spec, call=_call(graph, node, point))
    return rewritten(model, layers, _in_training(model), followers)


def _in_training(model: Any) -> dict[int, OperationChange]:
    """Nested models without `training=False` of their own, by which ranges would not follow.

    Keras 3 lets `fit` decide in any case; normalisation, for which it is given, is folded.
    """

    def call(args: Any, kwargs: Any) -> tuple[Any, Any]:
        return args, {key: one for key, one in kwargs.items() if key != "training"}

    return {
        id(one): OperationChange(attributes={}, call=call)
        for one in flavors.walk_layers(model)
        if has_graph(one)
    }


def _names_an_output(node: Node, ends: Collection[str]) -> bool:
    """Whether losses and files call an output by the name of a layer."""
    return node.name in ends and not (node.path or node.operation or node.kind == INPUT)


def _call(graph: Graph, node: Node, point: str) -> dict[str, bool]:
    """How what rounds a tensor is called: with its own range, or with that of another."""
    if point == node.layer:
        return {}
    # What borrows the range before a pool may be the ReLU that the pool applies.
    kinds = {kind_of(node), kind_of(graph.nodes[node.inputs[0].node])}
    return {"observing": False, "averaged": not kinds.isdisjoint(AVERAGES)}


def _is_rounded_inside(
    node: Node, activation: ActivationQuantization | None, flavor: Flavor
) -> bool:
    """Whether a node is an activation that a file computes in several operators."""
    function = _IN_PARTS.get(kind_of(node))
    own = function == "swish" or (function and flavor is Flavor.KERAS)  # tf_keras has another one
    return bool(own) and node.plain_call and activation is not None and bool(activation.bits)


def _spreads_its_range(graph: Graph, node: Node) -> bool:
    """Whether a function has a fixed range that a converter would give to what reads it, too."""
    return kind_of(node) in _FIXED and node.plain_call and bool(graph.consumers(node.name))


def _function(
    node: Node, function: str, flavor: Flavor, *, bits: ActivationBits | None = 8
) -> LayerSpec:
    config = {"name": node.source.name, "function": function, "bits": bits}
    return LayerSpec(
        kind=in_version(QuantizedFunction.keras_name, flavor), config=config, weights=()
    )


def refuse_strangers(model: str, plan: QuantizationPlan, known: QuantizationPlan) -> None:
    """Refuses a plan that names what a model does not have.

    Args:
        model: the model's name.
        plan: the plan.
        known: what `plan_for` returns for the model.

    Raises:
        UsageError: with the names that are nearest to the first stranger.
    """
    for what, named, there in (
        ("weight", plan.weights, known.weights),
        ("activation", plan.activations, known.activations),
    ):
        strangers = [name for name in named if name not in there]
        if strangers:
            nearest = difflib.get_close_matches(strangers[0], there, n=4, cutoff=0.0)
            raise UsageError(
                f"the plan names the {what} {strangers[0]!r}, which model {model!r} does not "
                f"have: the nearest are {', '.join(map(repr, nearest)) or 'none'}"
            )


def _with_grid(
    node: Node,
    weight: WeightQuantization,
    original: Any,
    *,
    learned_scale: bool,
    delay: int,
) -> LayerSpec:
    spec = changed(node.source)
    learned_scale = learned_scale and has_free_scales(node.kind, node.source)
    kernel = np.asarray(spec.weights[0])
    sharing = None if original is None else sharing_of(original, kernel, OUTPUT_AXES[node.kind])
    config = {
        **spec.config, "kernel_quantization": weight.model_dump(mode="json"),
        "learned_scale": learned_scale, "delay": delay,
        "keeps_zeros": has_zeros(kernel), "shared_values": 0 if sharing is None else sharing.count,
    }  # fmt: skip
    weights = list(spec.weights)
    if learned_scale:
        weights.append(_start(node, weight))
    if sharing is not None:
        weights += [sharing.segments, sharing.factors, sharing.means]
    if delay:
        weights.append(np.float32(0))
    kind = in_version(f"Quantized{node.kind}", flavors.known_flavor(node.source))
    return LayerSpec(kind=kind, config=config, weights=tuple(weights), like=None)


def _start(node: Node, weight: WeightQuantization) -> Any:
    """The greatest values of a grid whose steps are trained: of the plan, or of the kernel."""
    depthwise = is_depthwise(node.kind)
    own = largest_magnitudes(node.source.get_weights()[0], weight, depthwise=depthwise)
    if weight.scale is None:
        return np.asarray(own)
    return np.resize(np.asarray(weight.scale, np.float32) * weight.levels, np.shape(own))


def _quantizer(
    kind: Any, point: str, activation: ActivationQuantization, how: Estimator, **more: Any
) -> LayerSpec:
    config = {
        "point": point, "bits": activation.bits, "estimator": how, **more,
    }  # fmt: skip
    bounds = (activation.low or 0.0, activation.high or 0.0)
    counted = (0.0,) if more["delay"] else ()
    weights = tuple(np.float32(one) for one in (*bounds, *counted))
    return LayerSpec(kind=kind, config=config, weights=weights)


def quantized_activations(twin: Any) -> list[Any]:
    """A twin's layers that round tensors."""
    return [one for one in flavors.walk_layers(twin) if isinstance(one, QuantizedActivation)]


def quantized_layers(twin: Any) -> dict[str, Any]:
    """A twin's layers with kernels on a grid, by the name in the plan without "/kernel"."""
    found = {}
    for node in graph_of(twin).nodes.values():
        if isinstance(node.source, QuantizedWeights):
            found[node.layer.removesuffix(INSIDE)] = node.source
    return found


def wide_steps(twin: Any) -> frozenset[float]:
    """The steps of all that a twin rounds to 16 bits."""
    points = [one.quantization for one in quantized_activations(twin)]
    inside = [
        one.inside_step
        for one in flavors.walk_layers(twin)
        if isinstance(one, QuantizedFunction) and one.bits == 16
    ]
    steps = [one.scale for one in points if one.bits == 16] + inside
    return frozenset(one for one in steps if one is not None)


def is_twin(model: Any) -> bool:
    """Whether a model has layers that compute as quantized operators do."""
    kinds = {type(layer).__name__ for layer in flavors.walk_layers(model)}
    return not kinds.isdisjoint(LAYERS)


def plan_of_twin(twin: Any) -> QuantizationPlan:
    """The plan that a twin computes by, with the ranges and scales that it has now.

    Args:
        twin: what `twin_of` returned, trained or not.
    """
    weights = {
        kernel_name(name): layer.quantization.model_copy(update={"scale": scales_of(layer)})
        for name, layer in quantized_layers(twin).items()
    }
    activations = {one.point: one.quantization for one in quantized_activations(twin)}
    return QuantizationPlan(weights=weights, activations=activations)


def scales_of(layer: Any) -> tuple[float, ...]:
    """The step of each channel of a quantized layer's kernel."""
    largest = np.atleast_1d(np.asarray(layer.largest_values()))
    return tuple(float32_number(one) for one in largest / layer.quantization.levels)


def float_model(twin: Any) -> Any:
    """The network without quantization that a twin was trained from, with the twin's weights.

    Args:
        twin: what `twin_of` returned.

    Returns:
        A new model of plain layers of Keras, with folded normalisation.
    """
    layers: dict[int, list[LayerSpec]] = {}
    for key, nodes in graph_of(twin).calls().items():
        source = nodes[0].source
        if isinstance(source, QuantizedActivation):
            layers[key] = []
        elif isinstance(source, QuantizedFunction):
            config = {"name": source.name, "activation": source.function}
            layers[key] = [LayerSpec(kind="Activation", config=config, weights=())]
        elif isinstance(source, QuantizedWeights):
            layers[key] = [_without_grid(source)]
        if nodes[0].kind != INPUT and source.name.endswith(INSIDE):
            (spec,) = layers.get(key, [changed(source)])
            name = source.name.removesuffix(INSIDE)
            layers[key] = [replace(spec, config={**spec.config, "name": name})]
    return rewritten(twin, layers)


def _without_grid(layer: Any) -> LayerSpec:
    config = {key: value for key, value in config_of(layer).items() if key not in _OWN}
    state = ("largest", "segments", "factors", "means", "steps")
    own = {
        id(raw_variable(one)) for name in state if (one := getattr(layer, name, None)) is not None
    }
    kernel = raw_variable(layer.kernel_variable)
    weights = [
        np.asarray(layer.kept_kernel()) if raw_variable(one) is kernel else np.asarray(one)
        for one in layer.weights
        if id(raw_variable(one)) not in own
    ]
    return LayerSpec(kind=layer.plain_kind, config=config, weights=tuple(weights))
