"""The one way to build a model anew: equal, or with layers changed, split or taken out.

Each layer is made from its own configuration and called as the graph says, so that shared layers
stay shared, nested models stay nested, and operations stay what they are. What a layer keeps
beside its weights comes along: statistics, vocabularies, states of random seeds, `trainable`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType
from typing import Any

from tflite_squeeze.errors import InputError, UsageError, reason_of
from tflite_squeeze.network import flavors
from tflite_squeeze.network.factorized_layers import LAYERS
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.graph import (
    INPUT,
    Node,
    Value,
    flat,
    graph_of,
    has_graph,
    mapped,
    mapped_leaves,
    written,
)
from tflite_squeeze.network.layer_state import carry_state, is_of_keras, same_flag, set_policy
from tflite_squeeze.network.variables import open_batch

# What can go wrong in the configurations and constructors of layers, the user's own among them.
_FAILURES = (NotImplementedError, TypeError, ValueError, AttributeError, KeyError)


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """A layer to be made.

    Attributes:
        kind: its class, or the name of one of Keras or of `network.factorized_layers`.
        config: as `from_config` takes it.
        weights: as `set_weights` takes them.
        like: the layer whose other state it keeps.
    """

    kind: str | type[Any]
    config: dict[str, Any]
    weights: tuple[Any, ...]
    like: Any = None

    def made(self, flavor: Flavor) -> Any:
        """The layer, not built."""
        kind: Any = self.kind
        if kind in LAYERS:
            kind = LAYERS[kind].in_version(flavor)
        elif isinstance(kind, str):
            kind = getattr(flavors.keras_of(flavor).layers, kind)
        return kind.from_config(dict(self.config))


def config_of(layer: Any) -> dict[str, Any]:
    """A layer's configuration, with functions of someone's own as they are, not by their names.

    What a lambda refers to outside itself no configuration keeps.
    """
    config = written(layer)
    for key in config:
        value = getattr(layer, key, None)
        if isinstance(value, FunctionType) and not is_of_keras(value):
            config[key] = value
    return config


def changed(layer: Any, weights: Sequence[Any] | None = None, **settings: Any) -> LayerSpec:
    """A layer to be made of another, with some settings changed.

    Args:
        layer: the other.
        weights: those that it is to have; None for those of the other.
        **settings: what differs in its configuration.
    """
    weights = layer.get_weights() if weights is None else weights
    config = {**config_of(layer), **settings}
    return LayerSpec(kind=type(layer), config=config, weights=tuple(weights), like=layer)


@dataclass(frozen=True, kw_only=True)
class Follower:
    """A layer to be put behind another.

    Attributes:
        spec: the layer; those with the same spec share one.
        call: arguments of the call beside the tensor.
    """

    spec: LayerSpec
    call: Mapping[str, Any] = field(default_factory=dict)


Replacements = Mapping[int, Sequence[LayerSpec]]
Followers = Mapping[int, Follower]


@dataclass(frozen=True, kw_only=True)
class OperationChange:
    """What differs in an operation.

    Attributes:
        attributes: what differs in the configuration of an operation of Keras 3.
        call: makes other (args, kwargs) of those that it is called with; None to keep them.
    """

    attributes: dict[str, Any]
    call: Callable[[Any, Any], tuple[Any, Any]] | None = None


Changes = Mapping[int, OperationChange]


def graph_layers(model: Any) -> tuple[list[Any], dict[int, str]]:
    """The layers that can be replaced, in the order of the data, and why others cannot.

    Args:
        model: a Keras model of either version.

    Returns:
        Layers that stand in the graph of the model or of a nested model; and reasons by id of
        every other layer inside.

    Raises:
        UsageError: the model itself has no graph of layers.
    """
    found: dict[int, Any] = {}
    reasons: dict[int, str] = {}
    for nodes in graph_of(model).calls().values():
        if nodes[0].operation or nodes[0].kind == INPUT:
            continue
        layer = nodes[0].source
        found[id(layer)] = layer
        if not all(node.plain_call for node in nodes):
            reasons[id(layer)] = "it is called with arguments of its own"
    for layer in found.values():
        for inner in _inside(layer):
            if id(inner) not in found:
                kind = type(layer).__name__
                reason = f"it is inside {layer.name!r} ({kind}), not in a graph of its own"
                reasons.setdefault(id(inner), reason)
    return [layer for layer in found.values() if id(layer) not in reasons], reasons


def _inside(layer: Any) -> list[Any]:
    return [] if flavors.flavor_of(layer) is None else flavors.walk_layers(layer)


def rewritten(
    model: Any,
    replacements: Replacements | None = None,
    changes: Changes | None = None,
    followers: Followers | None = None,
) -> Any:
    """An equal model of new layers, some of them replaced by others.

    Args:
        model: a Keras model of either version, with a graph of layers.
        replacements: what stands for a layer, by its id: one layer, several, of which the
            last has its name, or none, for a layer with one input that is taken out.
        changes: what differs in an operation, by its id.
        followers: a layer to be put behind an input, a layer or an operation, by its id.

    Returns:
        A new model with weights of its own, compiled as the model is.

    Raises:
        UsageError: it has no graph, or a layer cannot be made from its configuration.
    """
    replacements = replacements or {}
    taken = {nodes[0].source.name for nodes in graph_of(model).calls().values()}
    for specs in replacements.values():
        for name in [spec.config["name"] for spec in specs[:-1]]:
            if name in taken:
                raise UsageError(f"a layer is named {name!r} already: rename it")
    return _built(model, replacements, changes or {}, followers or {})


def copy_of(model: Any) -> Any:
    """An equal model with weights and all other state of its own, compiled as the model is.

    Raises:
        UsageError: it cannot be rebuilt from its configuration (subclassed without one).
    """
    try:
        return _built(model, {}, {}, {})
    except UsageError as error:
        raise UsageError(
            f"model {model.name!r} cannot be copied ({error}): build it as a Sequential or "
            f"functional model, or where the call takes it, pass in_place=True to change the model "
            f"itself"
        ) from error


def as_float32(model: Any) -> Any:
    """A model trained in mixed precision, rebuilt to compute in float32; any other, as it is.

    TFLite has few float16 kernels, and the variables of such a model are float32 anyway.

    Raises:
        InputError: the model cannot be rebuilt from its configuration.
    """
    mixed = {id(layer) for layer in flavors.walk_layers(model) if _is_mixed(layer)}
    if not mixed:
        return model
    try:
        specs = {
            key: [changed(nodes[0].source, **_in_float32(config_of(nodes[0].source)))]
            for key, nodes in graph_of(model).calls().items()
            if mixed & {key, *map(id, _inside(nodes[0].source))}
        }
        made = rewritten(model, specs)
    except (UsageError, NotImplementedError) as error:
        raise InputError(
            f"model {model.name!r} computes in mixed precision, and cannot be rebuilt in float32 "
            f"from its configuration ({error}): build it without the policy and copy its weights "
            f"into it"
        ) from error
    for one in (made, *flavors.walk_layers(made)):
        if _is_mixed(one):  # a model, whose own policy only says how its loss is scaled
            set_policy(one, "float32")
    return made


def _is_mixed(layer: Any) -> bool:
    return getattr(layer, "compute_dtype", "float32") in ("float16", "bfloat16")


def _in_float32(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with float32 for each policy of mixed precision in it."""
    mixed = ("mixed_float16", "mixed_bfloat16")
    return dict(
        mapped_leaves(
            config, lambda leaf: "float32" if isinstance(leaf, str) and leaf in mixed else leaf
        )
    )


def _built(model: Any, replacements: Replacements, changes: Changes, followers: Followers) -> Any:
    """The new model, with all state."""
    flavor = flavors.known_flavor(model)
    builder = _Builder(flavor, replacements, changes, followers)
    scope = flavors.keras_of(flavor).utils.custom_object_scope
    with flavors.trusted(flavor), scope(_strangers(model, flavor)):
        (made,) = builder.called(model)
        with _telling(model):
            if model.built and not made.built:
                made.build(open_batch(model))
            builder.carry()
            compile_alike(model, made)
    return made


def _strangers(model: Any, flavor: Flavor) -> dict[str, Any]:
    """Classes and functions that a Keras does not know by itself; the model is at hand."""
    known = vars(flavors.keras_of(flavor).activations)
    found: list[Any] = []
    for layer in (model, *flavors.walk_layers(model)):
        found.append(type(layer))
        for value in vars(layer).values():
            if isinstance(value, FunctionType) and value.__name__ not in known:
                found.append(value)
            elif callable(value) and flavors.flavor_of(value) is None:
                found.append(type(value))
    return {one.__name__: one for one in found if not is_of_keras(one)}


@contextmanager
def _telling(layer: Any) -> Iterator[None]:
    """Names the layer that cannot be built, and the remedy."""
    try:
        yield
    except UsageError:
        raise
    except _FAILURES as error:
        reason = reason_of(error)
        raise UsageError(
            f"layer {layer.name!r} ({type(layer).__name__}) cannot be rebuilt from its "
            f"configuration ({reason}): give it a get_config with all that its constructor takes"
        ) from error


class _Builder:
    """What stands for each layer so far: shared layers and models are built once.

    Args:
        flavor: the Keras.
        replacements: specs by id of the layer.
        changes: what differs in operations, by id.
        followers: what is put behind a source, by its id.
    """

    def __init__(
        self, flavor: Flavor, replacements: Replacements, changes: Changes, followers: Followers
    ) -> None:
        self._flavor = flavor
        self._keras = flavors.keras_of(flavor)
        self._replacements = replacements
        self._changes = changes
        self._followers = followers
        self._made: dict[int, list[Any]] = {}
        self._shared: dict[int, Any] = {}
        self._models: list[tuple[Any, Any]] = []
        self._states: list[tuple[Any, Any, Sequence[Any] | None, bool]] = []

    def called(self, source: Any) -> list[Any]:
        """What is to be called, one after the other, in the place of a layer or a model."""
        if id(source) not in self._made:
            self._made[id(source)] = [*self._make(source), *self._behind(source)]
        return self._made[id(source)]

    def _behind(self, source: Any) -> list[Any]:
        """The layer that follows a source, with its call where that takes arguments."""
        follower = self._followers.get(id(source))
        if follower is None:
            return []
        key, spec = id(follower.spec), follower.spec
        if key not in self._shared:
            self._shared[key] = self._noted(spec.made(self._flavor), spec.like, spec.weights)
        layer = self._shared[key]
        return [partial(layer, **follower.call) if follower.call else layer]

    def carry(self) -> None:
        """Gives what is new its weights and other state, once all is built."""
        # A model's flag is set for all inside it, so the outermost, made last, comes first.
        for model, made in reversed(self._models):
            same_flag(model.trainable, made)
        for like, made, weights, trainable in self._states:
            same_flag(trainable, made)
            if weights is not None:
                made.set_weights(list(weights))
            if like is not None:
                carry_state(like, made, weights=weights is None)

    def _make(self, source: Any) -> list[Any]:
        specs = self._replacements.get(id(source))
        if specs is not None:
            return [self._noted(spec.made(self._flavor), spec.like, spec.weights) for spec in specs]
        if flavors.flavor_of(source) is None:
            change = self._changes.get(id(source))
            return [_same_operation(source, change.attributes if change else {})]
        if self._is_chain(source) and self._opens(source):
            return [self._sequential(source)]
        if has_graph(source) and self._opens(source):
            return [self._functional(source)]
        with _telling(source):
            return [self._noted(_same_layer(source), source, None)]

    def _noted(self, made: Any, like: Any, weights: Sequence[Any] | None) -> Any:
        self._states.append((like, made, weights, made.trainable))
        return made

    def _opens(self, model: Any) -> bool:
        """Whether a model is built layer by layer, or, being of a class of its own, whole."""
        return _takes_layers(type(model)) or any(
            id(layer) in self._replacements or id(layer) in self._followers
            for layer in flavors.walk_layers(model)
        )

    def _is_chain(self, model: Any) -> bool:
        """Whether a Sequential stays one, which calls each layer once and without arguments."""
        if not isinstance(model, self._keras.Sequential):
            return False
        following = [self._followers.get(id(layer)) for layer in model.layers]
        return not any(one is not None and one.call for one in following)

    def _sequential(self, model: Any) -> Any:
        start = []
        if has_graph(model):
            nodes = graph_of(model, opened=False).nodes.values()
            starts = [node.source for node in nodes if node.kind == INPUT]
            start = [made for one in starts for made in (self._input(one), *self._behind(one))]
        inside = [
            made
            for layer in model.layers
            if type(layer).__name__ != INPUT
            for made in self.called(layer)
        ]
        kind = type(model) if _takes_layers(type(model)) else self._keras.Sequential
        with _telling(model):
            return self._as_before(model, kind([*start, *inside], name=model.name))

    def _functional(self, model: Any) -> Any:
        graph = graph_of(model, opened=False)
        tensors: dict[str, Any] = {}
        entered: dict[str, Any] = {}
        losses = []
        for node in graph.nodes.values():
            if node.kind == INPUT:
                tensor = self._input(node.source).output
                entered[node.name] = tensor
                for layer in self._behind(node.source):
                    tensor = layer(tensor)
                tensors[node.name] = tensor
                continue
            change = self._changes.get(id(node.source))
            call: Any = (node.args, node.kwargs)
            if change and change.call:
                call = change.call(*call)
            args, kwargs = mapped(call, tensors.__getitem__)
            if node.kind in ("AddLoss", "AddMetric"):
                losses.append((node, args[0]))
                continue
            with _telling(node.source):
                made = self.called(node.source)
                if id(node.source) in self._replacements:  # by what may not know `mask`
                    kwargs = {key: one for key, one in kwargs.items() if one is not None}
                answer = made[0](*args, **kwargs) if made else flat([args, kwargs])[0]
                for layer in made[1:]:
                    answer = layer(answer)
            for index, tensor in enumerate(flat(answer)):
                tensors[Value(node.name, index)] = tensor
        known = _takes_layers(type(model)) and not isinstance(model, self._keras.Sequential)
        kind = type(model) if known else self._keras.Model
        starts = mapped(graph.starts, entered.__getitem__)
        ends = mapped(graph.ends, tensors.__getitem__)
        with _telling(model):
            model_made = self._as_before(model, kind(starts, ends, name=model.name))
            for node, tensor in losses:
                _add_ending(model_made, node, tensor)
        return model_made

    def _input(self, layer: Any) -> Any:
        """An input layer, which needs no weights."""
        specs = self._replacements.get(id(layer))
        return specs[0].made(self._flavor) if specs else _same_layer(layer)

    def _as_before(self, model: Any, made: Any) -> Any:
        """Notes a model, and sets the policy by which Keras chooses to scale its loss."""
        self._models.append((model, made))
        if made.dtype_policy.name != model.dtype_policy.name:
            set_policy(made, model.dtype_policy)
        return made


def _takes_layers(kind: Any) -> bool:
    """Whether a class of models is made of layers or tensors, as those of Keras are."""
    base = next((one for one in kind.__mro__ if one.__name__ in ("Sequential", "Functional")), None)
    if base is None:
        return False
    own, known = (list(inspect.signature(one.__init__).parameters) for one in (kind, base))
    return own == known


def _add_ending(made: Any, node: Node, tensor: Any) -> None:
    """A loss or a metric of a tf_keras model's own tensors."""
    if node.kind == "AddLoss":
        made.add_loss(tensor)
    else:
        made.add_metric(tensor, name=node.source.metric_name, aggregation=node.source.aggregation)


def _same_operation(operation: Any, attributes: dict[str, Any]) -> Any:
    """An equal operation of Keras 3, called nowhere yet; it has no state to be shared."""
    if attributes:
        return type(operation).from_config({**operation.get_config(), **attributes})
    twin = object.__new__(type(operation))
    vars(twin).update(vars(operation), _inbound_nodes=[], _outbound_nodes=[])
    return twin


def _same_layer(layer: Any) -> Any:
    """An equal layer, not built."""
    if type(layer).__name__ != "Lambda":
        made = type(layer).from_config(config_of(layer))
        # Of layers inside, functions came by their names, which may be those of Keras's own too.
        for one, other in zip(_inside(layer), _inside(made), strict=False):
            for key, value in vars(one).items():
                if isinstance(value, FunctionType) and not is_of_keras(value):
                    setattr(other, key, value)
        return made
    return type(layer)(
        layer.function,
        output_shape=layer._output_shape,
        mask=layer.mask,
        arguments=dict(layer.arguments or {}),
        name=layer.name,
        trainable=layer.trainable,
        dtype=layer.dtype_policy,
    )


def compile_alike(model: Any, made: Any) -> None:
    """Compiles a model as another is, with an optimiser and metrics of its own.

    One whose class is compiled in a way of its own is not, nor is an optimiser kept that its
    configuration does not make again: each training here brings one.

    Args:
        model: the Keras model that may be compiled.
        made: the one that is to be like it.
    """
    compile_with(made, compile_settings(model))


def compile_with(made: Any, settings: dict[str, Any]) -> None:
    """Compiles a model with settings of its own Keras, as `compile_alike` does."""
    if not settings or not is_of_keras(type(made).compile):
        return
    settings = {key: mapped_leaves(value, _renewed) for key, value in settings.items()}
    if settings.get("optimizer") is None:
        settings.pop("optimizer", None)
    made.compile(**settings)


def compile_settings(model: Any) -> dict[str, Any]:
    """What a model was compiled with, by the names of `compile`; empty if it was not."""
    config = getattr(getattr(model, "_compile_config", None), "config", None)
    return dict(config) if config else {}


def _renewed(setting: Any) -> Any:
    """An equal optimiser or metric without state; any other setting as it is."""
    kinds = {one.__name__ for one in type(setting).__mro__}
    optimizer = bool(kinds & {"Optimizer", "OptimizerV2"})
    if not optimizer and "Metric" not in kinds:
        return setting
    try:
        return type(setting).from_config(setting.get_config())
    except _FAILURES:
        # A metric can count for two models, of which one at a time is trained.
        return None if optimizer else setting
