"""State that is no weight: what recurrent layers remember, and what functions capture."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from tflite_squeeze.emission.failures import layer_of
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.loading import LoadedModel, ModelKind

_ASSIGNMENTS = frozenset({
    "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "ResourceScatterAdd",
    "ResourceScatterUpdate", "ResourceScatterNdUpdate", "ResourceStridedSliceAssign",
})  # fmt: skip
_KERAS_KINDS = (ModelKind.KERAS, ModelKind.TF_KERAS)


def stateful_layers(source: LoadedModel) -> list[Any]:
    """The recurrent layers of a Keras model that go on where the last batch ended.

    Args:
        source: the model; one of another kind has none.
    """
    if source.kind not in _KERAS_KINDS:
        return []
    return [
        layer
        for layer in flavors.walk_layers(source.model)
        if hasattr(layer, "return_sequences") and getattr(layer, "stateful", False)
    ]


@contextmanager
def fresh_states(source: LoadedModel) -> Iterator[None]:
    """Lets all recurrent layers start from zeros inside the block.

    Args:
        source: the model; its states are as before when the block ends.
    """
    found = _states(source)
    saved = [variable.numpy() for variable in found]
    try:
        for variable, values in zip(found, saved, strict=True):
            variable.assign(0 * values)
        yield
    finally:
        for variable, values in zip(found, saved, strict=True):
            variable.assign(values)


def _states(source: LoadedModel) -> list[Any]:
    """The variables in which stateful layers keep what they remember."""
    return [
        getattr(variable, "_value", variable)  # Keras 3 wraps TensorFlow's
        for layer in stateful_layers(source)
        for variable in tf.nest.flatten(getattr(layer, "states", None) or [])
        if variable is not None
    ]


def captured_variables(function: Any, source: LoadedModel) -> list[Any]:
    """The variables that a traced function uses, wherever Python keeps them.

    Args:
        function: a concrete function.
        source: the model that it was traced from.

    Raises:
        UnsupportedError: it changes a variable that is no state of a recurrent layer, or uses
            something else that lives outside of the graph, as a table.
    """
    variables = list(function.graph.variables)
    known = {id(variable.handle) for variable in variables}
    # Functions of the user's own are taken as they are.
    states = None
    if source.kind in _KERAS_KINDS:
        states = {id(variable.handle) for variable in _states(source)}
    for outside, inside in function.graph.captures:
        if outside.dtype not in (tf.resource, tf.variant):
            continue
        if id(outside) not in known:
            raise UnsupportedError(
                f"{_user(inside, source)} keeps a table or another resource outside of the graph, "
                f"which a .tflite file cannot hold: convert the part of the model behind it, and "
                f"feed the file what it puts out"
            )
        changes = any(operation.type in _ASSIGNMENTS for operation in inside.consumers())
        if changes and states is not None and id(outside) not in states:
            raise UnsupportedError(
                f"{_user(inside, source)} changes a variable whenever it is called, and only "
                f"stateful recurrent layers may: hand its value in and out as an input and an "
                f"output"
            )
    return variables


def _user(captured: Any, source: LoadedModel) -> str:
    """The layer that uses a captured tensor."""
    if source.kind in _KERAS_KINDS:
        layers = {layer.name for layer in flavors.walk_layers(source.model)}
        for operation in captured.consumers():
            if (name := layer_of(operation.name, layers)) in layers:
                return f"layer {name!r}"
    return "the model"
