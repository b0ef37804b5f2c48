"""Models rebuilt with some layers replaced by chains of others, in the graph's own description.

Both Kerases describe a model as data: layers with configurations, and by which calls they are
joined. In that description a chain takes over the calls of the layer that it replaces, and its last
layer takes over the name, so that everything behind stays as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.factorized_layers import NAMES, factorized_class
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.observing import example_for
from tflite_squeeze.network.variables import open_batch

_GRAPHS = ("Functional", "Sequential", "Model")


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """A layer to be made.

    Attributes:
        class_name: of a layer of Keras, or of `io.factorized_layers`.
        config: as `from_config` takes it.
        weights: as `set_weights` takes them.
    """

    class_name: str
    config: dict[str, Any]
    weights: tuple[Any, ...]

    def made(self, flavor: Flavor) -> Any:
        """The layer, not built."""
        if self.class_name in NAMES:
            return factorized_class(self.class_name, flavor).from_config(dict(self.config))
        layers = flavors.keras_of(flavor).layers
        return getattr(layers, self.class_name).from_config(dict(self.config))


Replacements = Mapping[int, Sequence[LayerSpec]]


def graph_layers(model: Any) -> tuple[list[Any], dict[int, str]]:
    """The layers that can be replaced, and why others cannot.

    Args:
        model: a Keras model of either flavour.

    Returns:
        Layers that stand in the graph of the model or of a nested model; and reasons by id of
        every other layer inside.

    Raises:
        UsageError: the model itself has no graph of layers.
    """
    if not _is_graph(model):
        raise UsageError(
            f"model {model.name!r} is subclassed ({type(model).__name__}): its graph cannot be "
            f"rewritten; build it as a Sequential or functional model"
        )
    found: list[Any] = []
    reasons: dict[int, str] = {}
    _walk(model, found, reasons)
    counts: dict[int, int] = {}
    for layer in found:
        counts[id(layer)] = counts.get(id(layer), 0) + 1
    for layer in found:
        if counts[id(layer)] > 1:
            reasons[id(layer)] = "it stands in several nested models at once"
    known = {id(layer) for layer in found}
    for layer in found:
        for inner in flavors.walk_layers(layer):
            if id(inner) not in known:
                kind = type(layer).__name__
                reason = f"it is inside {layer.name!r} ({kind}), not in a graph of its own"
                reasons.setdefault(id(inner), reason)
    unique = {id(layer): layer for layer in found if id(layer) not in reasons}
    return list(unique.values()), reasons


def _walk(model: Any, found: list[Any], reasons: dict[int, str]) -> None:
    called_with = _odd_calls(model)
    seen: set[int] = set()
    for layer in model.layers:
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if _is_graph(layer):
            _walk(layer, found, reasons)
            continue
        found.append(layer)
        if layer.name in called_with:
            reasons[id(layer)] = "it is called with arguments of its own"


def _is_graph(model: Any) -> bool:
    return hasattr(model, "layers") and type(model).__name__ in _GRAPHS


def _odd_calls(model: Any) -> set[str]:
    """Names of layers that some call gives more than one tensor."""
    return {
        data["name"]
        for data in model.get_config()["layers"]
        if any(not _is_plain(node) for node in data.get("inbound_nodes", ()))
    }


def _is_plain(node: Any) -> bool:
    if isinstance(node, dict):  # Keras 3
        given = [value for value in node["kwargs"].values() if value is not None]
        tensor = node["args"][0] if len(node["args"]) == 1 else None
        return not given and isinstance(tensor, dict)
    return len(node) == 1 and not any(value is not None for value in node[0][3].values())


def rewritten(model: Any, replacements: Replacements) -> Any:
    """An equal model in which layers are replaced by chains.

    Args:
        model: a Keras model of either flavour, with a graph of layers.
        replacements: chain by id of the layer. Its last layer has the name of that layer.

    Returns:
        A new model with weights of its own. A loss is kept, optimiser and metrics are not.

    Raises:
        UsageError: it cannot be rebuilt from its configuration.
    """
    flavor = flavors.known_flavor(model)
    keras = flavors.keras_of(flavor)
    try:
        config = _replaced(model, model.get_config(), replacements, flavor)
        with flavors.trusted(flavor):
            made = type(model).from_config(config, custom_objects=_strangers(model, keras))
        if not made.built:
            made.build(open_batch(model))
        _carry_weights(model, made, replacements)
        made(example_for(model), training=False)  # what a Lambda lost shows only now
    except (NotImplementedError, TypeError, ValueError, AttributeError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UsageError(
            f"model {model.name!r} cannot be rebuilt from its configuration ({reason}): give each "
            f"layer of your own a get_config, and build the model with an input shape"
        ) from error
    loss = getattr(model, "loss", None)
    if loss is not None:
        made.compile(loss=loss)
    return made


def _strangers(model: Any, keras: Any) -> dict[str, Any]:
    """Classes that a Keras does not know by itself; the model is at hand, so they are."""
    own = keras.__name__
    kinds = {type(layer) for layer in flavors.walk_layers(model)}
    return {kind.__name__: kind for kind in kinds if kind.__module__.split(".")[0] != own}


def _replaced(
    model: Any, config: dict[str, Any], replacements: Replacements, flavor: Flavor
) -> dict[str, Any]:
    """The configuration of a model with the chains in it."""
    layers = {layer.name: layer for layer in model.layers}
    described = []
    for data in config["layers"]:
        layer = layers.get(data["config"]["name"])
        if layer is None:  # the InputLayer of a Sequential
            described.append(data)
        elif _is_graph(layer):
            inner = _replaced(layer, data["config"], replacements, flavor)
            described.append({**data, "config": inner})
        elif id(layer) in replacements:
            described += _chained(data, replacements[id(layer)], set(layers), flavor)
        else:
            described.append(data)
    return {**config, "layers": described}


def _chained(
    data: dict[str, Any], chain: Sequence[LayerSpec], taken: set[str], flavor: Flavor
) -> list[dict[str, Any]]:
    """The chain in the words of the layer's own description."""
    keras = flavors.keras_of(flavor)
    described = []
    before: str | None = None
    for spec in chain:
        name = spec.config["name"]
        if name in taken and spec is not chain[-1]:
            raise ValueError(f"a layer is named {name!r} already: rename it")
        one = keras.saving.serialize_keras_object(spec.made(flavor))
        one.pop("build_config", None)
        if "inbound_nodes" in data:
            nodes = data["inbound_nodes"]
            if before is not None:
                nodes = [_joined(node, before, index) for index, node in enumerate(nodes)]
            one |= {"name": name, "inbound_nodes": nodes}
        described.append(one)
        before = name
    return described


def _joined(node: Any, name: str, index: int) -> Any:
    """A call that takes what the call of that number of another layer gave."""
    if not isinstance(node, dict):  # tf_keras: [[layer, call, tensor, arguments]]
        return [[name, index, 0, dict(node[0][3])]]
    tensor = node["args"][0]
    config = {**tensor["config"], "keras_history": [name, index, 0]}
    return {**node, "args": [{**tensor, "config": config}]}


def _carry_weights(model: Any, made: Any, replacements: Replacements) -> None:
    """Gives the new model's layers the weights of the old one's, and chains theirs."""
    new = {layer.name: layer for layer in made.layers}
    for layer in {id(layer): layer for layer in model.layers}.values():
        if id(layer) in replacements:
            for spec in replacements[id(layer)]:
                new[spec.config["name"]].set_weights(list(spec.weights))
        elif _is_graph(layer):
            _carry_weights(layer, new[layer.name], replacements)
        else:
            new[layer.name].set_weights(layer.get_weights())


def standing_alone(chain: Sequence[LayerSpec], input_spec: tf.TensorSpec, flavor: Flavor) -> Any:
    """A model of one chain only, with its weights.

    Args:
        chain: the layers.
        input_spec: of the input, batch first.
        flavor: the Keras.
    """
    keras = flavors.keras_of(flavor)
    # One name for all, so that files made of several take the same inputs.
    inputs = keras.Input(tuple(input_spec.shape[1:]), dtype=input_spec.dtype.name, name="received")
    outputs, layers = inputs, [spec.made(flavor) for spec in chain]
    for layer in layers:
        outputs = layer(outputs)
    for layer, spec in zip(layers, chain, strict=True):
        layer.set_weights(list(spec.weights))
    return keras.Model(inputs, outputs)
