"""A graph of either version of Keras built in tf_keras, where Larq's layers are."""

import inspect
import operator
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tflite_squeeze.errors import InputError, reason_of
from tflite_squeeze.network import flavors
from tflite_squeeze.network.graph import INPUT, Graph, Node, Value, flat, mapped, mapped_leaves
from tflite_squeeze.network.layer_state import carry_tables
from tflite_squeeze.network.rewriting import compile_settings, compile_with


def rebuilt(graph: Graph, classes: dict[str, Any] | None = None) -> Any:
    """Builds a tf_keras model of a graph; its weights are new.

    Args:
        graph: what to build.
        classes: layer classes by kind that tf_keras does not have.

    Raises:
        InputError: a layer cannot be built in tf_keras.
    """
    keras = flavors.keras_of(flavors.Flavor.TF_KERAS)
    callees: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    for node in graph.nodes.values():
        if node.kind == INPUT:
            shape, dtype = node.config["batch_shape"], node.config["dtype"]
            tensors[node.name] = keras.Input(shape[1:], dtype=dtype, name=node.name)
            continue
        if node.layer not in callees:
            callees[node.layer] = _callee(keras, node, classes or {})
        args, kwargs = (mapped(one, tensors.__getitem__) for one in (node.args, node.kwargs))
        if flavors.flavor_of(node.source) != flavors.Flavor.TF_KERAS:
            kwargs.pop("mask", None)  # which tf_keras passes on by itself
        for index, tensor in enumerate(flat(callees[node.layer](*args, **kwargs))):
            tensors[Value(node.name, index)] = tensor
    starts, ends = (mapped(one, tensors.__getitem__) for one in (graph.starts, graph.ends))
    return keras.Model(starts, ends, name=graph.name)


# What Keras 3 operations are in Python and TensorFlow, which tf_keras makes layers of.
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "Add": operator.add, "Subtract": operator.sub, "Multiply": operator.mul,
    "Divide": operator.truediv, "TrueDivide": operator.truediv, "Negative": operator.neg,
    "GetItem": operator.getitem, "NotEqual": tf.not_equal, "Maximum": tf.maximum,
    "Minimum": tf.minimum, "Relu": tf.nn.relu, "Relu6": tf.nn.relu6,
}  # fmt: skip


def _callee(keras: Any, node: Node, classes: dict[str, Any]) -> Any:
    """What tf_keras calls in the place of a node's layer or operation."""
    if not node.operation:
        return _layer(keras, node, classes)
    if flavors.flavor_of(node.source) is not None:
        return type(node.source).from_config({**node.config, "name": node.layer})
    if node.kind == "Concatenate":
        return keras.layers.Concatenate(axis=node.source.axis)
    if node.kind not in _OPERATIONS:
        raise InputError(
            f"operation {node.name!r} (keras.ops, {node.kind}) does not exist in tf_keras, where "
            f"Larq's layers are: use a layer in its place, or keep to inputs='float'"
        )
    return _OPERATIONS[node.kind]


def _layer(keras: Any, node: Node, classes: dict[str, Any]) -> Any:
    kind = classes.get(node.kind) or getattr(keras.layers, node.kind, None)
    if kind is None:
        raise InputError(
            f"layer {node.name!r} ({node.kind}) does not exist in tf_keras, where Larq's layers "
            f"are: replace it, or keep to inputs='float'"
        )
    known = {"name", "trainable", "dtype"}
    for base in kind.__mro__:
        known |= set(inspect.signature(base.__init__).parameters)
    config = {key: _plain(value) for key, value in node.config.items() if key in known}
    kept = {key: value for key, value in config.items() if not _left_out(key, node.config[key])}
    try:
        return kind.from_config({**kept, "name": node.layer})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"layer {node.name!r} ({node.kind}) cannot be rebuilt in tf_keras "
            f"({reason_of(error)}): replace it, or keep to inputs='float'"
        ) from error


def _left_out(key: str, value: Any) -> bool:
    """What only matters before training, where the two versions of Keras write it differently."""
    ends = ("_initializer", "_regularizer", "_constraint")
    return isinstance(value, dict) and key.endswith(ends)


def _plain(value: Any) -> Any:
    """A dtype policy of Keras 3 as tf_keras names it; all else as it is."""
    if isinstance(value, dict) and value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    return value


def copy_weights(graph: Graph, model: Any) -> tuple[str, ...]:
    """Gives a rebuilt model the weights of the layers that its own came from.

    Args:
        graph: what it was built of.
        model: the rebuilt model.

    Returns:
        Names of layers whose weights have other shapes and stay new.
    """
    different = []
    first = {node.layer: node for node in reversed(graph.nodes.values()) if not node.operation}
    for name, node in first.items():
        if node.source is None or node.kind == INPUT:
            continue
        layer, given = model.get_layer(name), node.source.get_weights()
        if not node.config.get("use_bias", True) and len(given) == len(layer.weights) + 1:
            given = given[:-1]  # a bias that normalisation has made needless
        if [w.shape for w in given] != [tuple(w.shape) for w in layer.weights]:
            different.append(name)
            continue
        layer.set_weights(given)
        carry_tables(node.source, layer)
    return tuple(different)


def compile_across(model: Any, made: Any) -> None:
    """Compiles a tf_keras model as one of either version of Keras is.

    Args:
        model: the one that may be compiled.
        made: the tf_keras model.

    Raises:
        InputError: tf_keras lacks a loss of the model's.
    """
    settings = compile_settings(model)
    if flavors.flavor_of(model) is flavors.Flavor.KERAS:
        settings = {key: mapped_leaves(one, _setting_of(key)) for key, one in settings.items()}
    compile_with(made, settings)


def _setting_of(key: str) -> Callable[[Any], Any]:
    """What turns a Keras 3 loss, metric or optimiser into that of tf_keras."""
    modules = {"optimizer": "optimizers", "loss": "losses"}
    module = getattr(flavors.keras_of(flavors.Flavor.TF_KERAS), modules.get(key, "metrics"))

    def crossed(setting: Any) -> Any:
        kind = type(setting) if hasattr(setting, "get_config") else setting
        if not hasattr(kind, "__name__") or not kind.__module__.startswith("keras."):
            return setting
        other = getattr(module, kind.__name__, None)
        if other is None and key == "loss":
            raise InputError(
                f"loss {kind.__name__} does not exist in tf_keras, where Larq's layers are: "
                f"compile the model with another, or keep to inputs='float'"
            )
        if other is None or kind is setting:
            return other
        known = set(inspect.signature(other.__init__).parameters)
        return other(**{name: one for name, one in setting.get_config().items() if name in known})

    # Its rate and its state are the training's own.
    return (lambda _: None) if key == "optimizer" else crossed
