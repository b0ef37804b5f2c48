"""What recurrent layers, attention, and wrappers of layers do with channels."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import Node, Value
from tflite_squeeze.network.layer_state import is_of_keras
from tflite_squeeze.techniques.narrowing import layer_rules, normalization_rules, shape_rules
from tflite_squeeze.techniques.narrowing.following import (
    HEADS,
    Edit,
    Following,
    Role,
    Rule,
    Stays,
    count,
    registering,
    resized,
)

Array = NDArray[Any]

RULES: dict[str, Rule] = {}
rule = registering(RULES)
_PLAIN = layer_rules.RULES | normalization_rules.RULES | shape_rules.RULES

# How many values of each unit a cell computes.
_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1, "ConvLSTM1D": 4, "ConvLSTM2D": 4, "ConvLSTM3D": 4}


@rule(*_GATES)
def recurrent(follow: Following, node: Node) -> str:
    """Units are made of all channels and of all units of the step before."""
    layer = node.source
    if len(layer.weights) != 2 + bool(layer.use_bias):
        return "has weights of other kinds"
    if layer.stateful:
        return "keeps its state from batch to batch"
    if getattr(layer, "data_format", None) == "channels_first":
        return "has its channels first"
    if reason := layer_rules.mixes(layer):
        return reason
    width = "units" if hasattr(layer, "units") else "filters"
    given, made = follow.received(node), follow.made(layer, getattr(layer, width))
    gates = np.tile(made, _GATES[node.kind])
    follow.cuts(layer, 0, -2, given, Role.TAKES)
    follow.cuts(layer, 0, -1, gates, Role.MAKES)
    follow.cuts(layer, 1, -2, made, Role.TAKES)
    follow.cuts(layer, 1, -1, gates, Role.MAKES)
    if layer.use_bias:
        follow.cuts(layer, 2, -1, gates, Role.MAKES)
    follow.counts(layer, width, made)
    for state in node.inputs[1:]:
        follow.join(made, follow.values[state])
    for index in range(len(node.shapes)):
        follow.values[Value(node.name, index)] = made
    return ""


@rule("MultiHeadAttention")
def multi_head_attention(follow: Following, node: Node) -> str:
    """Whole heads, the width of queries and keys, and that of values."""
    layer, named = node.source, ("query", "key", "value")
    config = layer.get_config()
    size = config["output_shape"]
    if len(size if isinstance(size, list | tuple) else [0]) != 1:
        return "has an output of several axes"
    weights = _parts(layer)
    if weights is None:
        return "has weights of other kinds"
    heads = follow.made(layer, config["num_heads"], HEADS)
    keys = follow.made(layer, config["key_dim"], "key widths")
    values = follow.made(layer, config["value_dim"], "value widths")
    inputs = _attended(follow, node)
    for name, width in zip(named, (keys, keys, values), strict=True):
        kernel, bias = weights[name]
        ids = follow.received(node, inputs[name], name)
        follow.cuts(layer, kernel, 0, ids, Role.TAKES)
        for weight in (kernel, bias)[: 1 + bool(config["use_bias"])]:
            follow.cuts(layer, weight, -2, heads, Role.MAKES)
            follow.cuts(layer, weight, -1, width, Role.MAKES)
        if f"{name}_shape" in config and config[f"{name}_shape"] is not None:
            follow.sets(layer, f"{name}_shape", resized(tuple(config[f"{name}_shape"]), ids))
    made = _attention_ends(follow, node, weights["output"], heads, values)
    follow.counts(layer, "num_heads", heads)
    follow.counts(layer, "key_dim", keys)
    follow.counts(layer, "value_dim", values)
    query = follow.values[inputs["query"]]

    def output_shape(stays: Stays) -> tuple[int] | None:
        """None stands for the width of the queries."""
        width = count(stays, made)
        return None if size is None and width == count(stays, query) else (width,)

    follow.sets(layer, "output_shape", output_shape)
    _keep_scale(follow, layer, weights["query"], keys)
    return ""


def _parts(layer: Any) -> dict[str, tuple[int, int]] | None:
    """The numbers of the kernel and the bias of each projection."""
    places = {id(weight): index for index, weight in enumerate(layer.weights)}
    found: dict[str, tuple[int, int]] = {}
    for name in ("query", "key", "value", "output"):
        inner = getattr(layer, f"_{name}_dense")
        numbers = [places[id(weight)] for weight in inner.weights]
        if len(numbers) != 1 + bool(layer.get_config()["use_bias"]):
            return None
        found[name] = (numbers[0], numbers[-1])
    return found


def _attended(follow: Following, node: Node) -> dict[str, Value]:
    """The tensors that queries, keys and values are made of; all others stay as they are."""
    args = dict(zip(("query", "value", "key"), node.args, strict=False))
    args |= {name: value for name, value in node.kwargs.items() if value is not None}
    given: dict[str, Value] = {name: args[name] for name in ("query", "value")}
    given["key"] = args.get("key") or given["value"]
    for value in node.inputs:
        if value not in given.values():
            follow.fix(follow.values[value], f"layer {node.source.name} has them as a mask")
    return given


def _attention_ends(
    follow: Following, node: Node, output: tuple[int, int], heads: Array, values: Array
) -> Array:
    """The projection of what was attended to; the scores have no channels."""
    layer = node.source
    kernel, bias = output
    made = follow.made(layer, follow.width(Value(node.name)))
    follow.cuts(layer, kernel, 0, heads, Role.TAKES)
    follow.cuts(layer, kernel, 1, values, Role.TAKES)
    follow.cuts(layer, kernel, 2, made, Role.MAKES)
    if bias != kernel:
        follow.cuts(layer, bias, 0, made, Role.MAKES)
    follow.values[Value(node.name)] = made
    for index in range(1, len(node.shapes)):
        scores = follow.values[Value(node.name, index)] = follow.new(
            follow.width(Value(node.name, index))
        )
        follow.fix(scores, f"layer {layer.name} puts out its scores")
        follow.fix(heads, f"layer {layer.name} puts out its scores")
    return made


def _keep_scale(follow: Following, layer: Any, query: tuple[int, int], keys: Array) -> None:
    """Scores are divided by the root of the width, which a cut must not change."""
    for weight in query:
        follow.edit(layer).scales[weight] = lambda stays: (count(stays, keys) / len(keys)) ** 0.5


@rule("GroupedQueryAttention")
def grouped_query_attention(follow: Following, node: Node) -> str:
    """Whole heads of keys with all their queries, and the width of all heads."""
    layer = node.source
    config, weights = layer.get_config(), _parts(layer)
    if weights is None or config.get("use_gate"):
        return "has weights of other kinds"
    key_heads = follow.made(layer, config["num_key_value_heads"], HEADS)
    repeats = config["num_query_heads"] // config["num_key_value_heads"]
    query_heads = np.repeat(key_heads, repeats)
    width = follow.made(layer, config["head_dim"], "widths of heads")
    inputs = _attended(follow, node)
    for name, heads in (("query", query_heads), ("key", key_heads), ("value", key_heads)):
        kernel, bias = weights[name]
        follow.cuts(layer, kernel, 0, follow.received(node, inputs[name], name), Role.TAKES)
        for weight in (kernel, bias)[: 1 + bool(config["use_bias"])]:
            follow.cuts(layer, weight, -2, heads, Role.MAKES)
            follow.cuts(layer, weight, -1, width, Role.MAKES)
    made = _attention_ends(follow, node, weights["output"], query_heads, width)
    follow.join(made, follow.values[inputs["query"]])
    follow.counts(layer, "num_query_heads", query_heads)
    follow.counts(layer, "num_key_value_heads", key_heads)
    follow.counts(layer, "head_dim", width)
    _keep_scale(follow, layer, weights["query"], width)
    return ""


@rule("Attention", "AdditiveAttention")
def attention(follow: Following, node: Node) -> str:
    """Scores of queries and keys, by which values are added."""
    layer, given = node.source, node.args[0] if node.args else node.kwargs.get("inputs")
    if not isinstance(given, list | tuple) or len(node.inputs) != len(given):
        return "takes something beside queries, values and keys"
    query, value, *key = given
    follow.join(follow.values[query], follow.values[key[0] if key else value])
    if node.kind == "AdditiveAttention":
        # It has a number for each channel of the values or of the queries, which are as many.
        follow.join(follow.values[query], follow.values[value])
    follow.values[Value(node.name)] = follow.values[value]
    for index in range(1, len(node.shapes)):
        scores = follow.values[Value(node.name, index)] = follow.new(
            follow.width(Value(node.name, index))
        )
        follow.fix(scores, f"layer {layer.name} puts out its scores")
    if node.kind == "AdditiveAttention" and layer.weights:
        ids = follow.received(node, query, "query")
        follow.cuts(layer, 0, 0, ids, Role.TAKES)
    return ""


@rule("TimeDistributed")
def time_distributed(follow: Following, node: Node) -> str:
    """What the layer inside does at each step."""
    (given,) = node.inputs
    inside, out = Value(f"{node.name}/in"), Value(node.name)
    shape, result = follow.shape(given), follow.shape(out)
    follow.shapes[inside] = (shape[0], *shape[2:])
    follow.values[inside] = follow.values[given]
    reason = _inner(follow, node, node.source.layer, inside, (result[0], *result[2:]), "layer", 0)
    if not reason:
        follow.values[out] = follow.values[Value(f"{node.name}/{node.source.layer.name}")]
    return reason


@rule("Bidirectional")
def bidirectional(follow: Following, node: Node) -> str:
    """Two recurrent layers of the same width, one of which goes backwards."""
    layer, inputs = node.source, node.inputs
    if len(inputs) != 1 or type(layer.forward_layer).__name__ not in _GATES:
        return "has states of its own, or a layer inside that is not known"
    made, offset = [], 0
    for inner, key in ((layer.forward_layer, "layer"), (layer.backward_layer, "backward_layer")):
        shape = (*follow.shape(inputs[0])[:-1], inner.cell.units)
        if reason := _inner(follow, node, inner, inputs[0], shape, key, offset):
            return reason
        made.append(follow.values[Value(f"{node.name}/{inner.name}")])
        offset += len(inner.weights)
    follow.join(*made)
    outputs = [Value(node.name, index) for index in range(len(node.shapes))]
    both = np.concatenate(made) if layer.merge_mode == "concat" else made[0]
    for index, value in enumerate(outputs):
        follow.values[value] = both if layer.merge_mode and not index else made[0]
    return ""


def _inner(
    follow: Following, node: Node, inner: Any, given: Value, shape: Any, key: str, offset: int
) -> str:
    """Follows channels through a layer inside another, whose weights and settings these are.

    Args:
        follow: what is known.
        node: the call of the outer layer.
        inner: the inner layer.
        given: what it is called on.
        shape: of what it puts out.
        key: of its configuration in that of the outer layer.
        offset: the number of its first weight among those of the outer layer.
    """
    kind = type(inner).__name__
    known = _PLAIN.get(kind, recurrent if kind in _GATES else None)
    if known is None or not is_of_keras(type(inner)):
        return f"has a layer inside that is not known ({kind})"
    name = f"{node.name}/{inner.name}"
    follow.shapes[Value(name)] = shape
    call = replace(node, name=name, source=inner, kind=kind, args=(given,), kwargs={}, tensors=())
    call = replace(call, tensors=(_Shaped(shape),))
    reason = known(follow, call)
    follow.sources.pop(id(inner), None)
    outer = node.source
    for one in follow.axes.pop(id(inner), []):
        follow.cuts(outer, one.weight + offset, one.axis, one.ids, one.role)
    edit = follow.edits.pop(id(inner), Edit())
    for path, setting in edit.settings.items():
        if key in outer.get_config():
            follow.sets(outer, (key, "config", *path), setting)
    follow.sites = [(outer if one is inner else one, *site) for one, *site in follow.sites]
    return reason


class _Shaped:
    """A symbolic tensor of which only the shape is known."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape
