"""The only module that knows there are two versions of Keras: Keras 3 (`keras`) and `tf_keras`."""

import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from importlib import import_module
from inspect import getclosurevars, isfunction
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import InputError, UsageError, reason_of
from tflite_squeeze.files.temporary import collected_temporary_files
from tflite_squeeze.network.layer_graphs import bounded_building

# A model makes about as many bytes of variables as its file holds.
_GROWTH, _FREE_BYTES = 4, 2**24


class Flavor(StrEnum):
    """Which Keras a model object or a file belongs to; the value is the module's name."""

    KERAS = "keras"
    TF_KERAS = "tf_keras"


def keras_of(flavor: Flavor) -> Any:
    """Imports and returns the module of a version of Keras."""
    return import_module(flavor.value)


def flavor_of(obj: Any) -> Flavor | None:
    """Tells which Keras a model or a layer belongs to, or None when it belongs to neither.

    A version of Keras that was never imported cannot have made the object, so none is imported.
    """
    for flavor in Flavor:
        module = sys.modules.get(flavor.value)
        if module is not None and isinstance(obj, module.layers.Layer):
            return flavor
    return None


def builtin_dataset(name: str) -> Any:
    """Loads a set that Keras ships or downloads: `fashion_mnist` or `mnist`.

    Returns:
        ((x_train, y_train), (x_test, y_test)) as NumPy arrays.
    """
    if name not in ("mnist", "fashion_mnist"):
        raise UsageError(f"Keras has no data set {name!r} here; use mnist or fashion_mnist")
    return getattr(keras_of(Flavor.KERAS).datasets, name).load_data()


def load_keras_file(
    path: Path,
    flavor: Flavor,
    *,
    weights_bytes: int,
    allow_unsafe: bool = False,
    custom_objects: dict[str, Any] | None = None,
) -> Any:
    """Loads a model file or SavedModel folder with the Keras that wrote it.

    Args:
        path: the file.
        flavor: which Keras wrote it.
        weights_bytes: how many bytes of weights the file holds; a model that wants to make far
            more is not built.
        allow_unsafe: whether Lambda layers may bring Python code out of the file.
        custom_objects: classes that the file names and this Keras does not know.

    Returns:
        The Keras model, not compiled.

    Raises:
        InputError: the file does not describe a model that this Keras can build.
    """
    import tensorflow as tf

    keras = keras_of(flavor)
    # h5 and SavedModel know no safe mode in tf_keras; the caller has looked for code in the file.
    knows_safety = flavor is Flavor.KERAS or path.suffix == ".keras"
    safe = {"safe_mode": not allow_unsafe} if knows_safety else {}
    allowance = _Allowance(_GROWTH * weights_bytes + _FREE_BYTES)
    building = bounded_building(str(path)) if flavor is Flavor.TF_KERAS else nullcontext()
    try:
        with collected_temporary_files(), building, tf.variable_creator_scope(allowance.made):
            return keras.models.load_model(
                path, compile=False, custom_objects=custom_objects, **safe
            )
    # Whatever layers raise when their settings make no sense.
    except (
        ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError,
        MemoryError, NameError, OSError, RuntimeError, StopIteration, TypeError, ValueError,
        tf.errors.OpError,
    ) as error:  # fmt: skip
        if allowance.exceeded:
            raise InputError(
                f"the model in {path} would make {allowance.made_bytes:,} bytes of weights and "
                f"more, and the file holds {weights_bytes:,}: it is damaged; save it again"
            ) from error
        # Keras wraps what went wrong in the names of its own classes; the lost class says more.
        lost = re.search(r"Could not locate (?:class|function) '[^']*'", str(error))
        reason = lost[0] if lost else reason_of(error)
        remedy = "save or copy it again"
        unknown = ("custom_objects", "Unknown layer", "Could not locate", "layer=")
        if any(sign in str(error) for sign in unknown):
            remedy = "register its custom layers and import them first (--import MODULE)"
        raise InputError(
            f"{flavor.value} cannot build the model in {path} ({reason}): {remedy}"
        ) from error


class _Allowance:
    """How many bytes of variables may still be made: a layer's settings can ask for any number.

    Args:
        most_bytes: how many at most.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self.made_bytes = most_bytes, 0

    @property
    def exceeded(self) -> bool:
        """Whether a variable was refused."""
        return self.made_bytes > self._most_bytes

    def made(self, following: Callable[..., Any], **settings: Any) -> Any:
        """A creator of variables that counts them, before they are made."""
        shape, initial = settings.get("shape"), settings.get("initial_value")
        if shape is None and isfunction(initial):
            # Keras 3 hands over a function of its own variable, which knows its shape.
            shape = getattr(getclosurevars(initial).nonlocals.get("self"), "shape", None)
        if shape is not None:
            import tensorflow as tf

            sizes = tf.TensorShape(shape).as_list()  # SavedModels hand over a message
            self.made_bytes += 4 * math.prod(int(size or 0) for size in sizes)
        if self.exceeded:
            raise MemoryError("the weights are out of proportion to the file")
        return following(**settings)


@contextmanager
def trusted(flavor: Flavor) -> Iterator[None]:
    """Lets Lambda layers be rebuilt from the configuration of a model that is in memory already.

    Whatever code such a layer holds could run before, so that nothing is risked.
    """
    scope = getattr(keras_of(flavor).src.saving.serialization_lib, "SafeModeScope", None)
    with nullcontext() if scope is None else scope(safe_mode=False):
        yield


def serialized(model: Any) -> bytes:
    """Configuration and weights of a model as bytes that are equal for equal models.

    How it was compiled is left out: optimisers are numbered through a process.
    """
    try:
        said = json.loads(model.to_json())
        said.pop("compile_config", None)
        config = json.dumps(said)
    except (NotImplementedError, TypeError):
        # tf_keras: subclassed models have no configuration, and some functions no JSON.
        kinds = [f"{type(layer).__qualname__} {layer.name}" for layer in walk_layers(model)]
        config = "\n".join([type(model).__qualname__, *kinds])
    parts = [str(config).encode()]
    parts += [weight.tobytes() for weight in model.get_weights()]
    return b"".join(parts)


def variables_of(model: Any) -> list[Any]:
    """The TensorFlow variables of a model of either version."""
    keras3 = flavor_of(model) is Flavor.KERAS
    return [variable.value if keras3 else variable for variable in model.variables]


def walk_layers(model: Any) -> list[Any]:
    """Every layer inside a model, each once, in the order in which data goes through them.

    A nested model, or a layer with layers inside, comes right before those; the model itself is
    left out.
    """
    found: dict[int, Any] = {}
    _walk(model, found)
    return list(found.values())


def _walk(model: Any, found: dict[int, Any]) -> None:
    # All at once, Keras 3 would tell the layers of nested models from the last to the first.
    for layer in model._flatten_layers(include_self=False, recursive=False):
        if id(layer) not in found:
            found[id(layer)] = layer
            _walk(layer, found)


def input_structure(model: Any) -> Any:
    """A model's inputs as it takes them (one, a list, a dict), each a named tf.TensorSpec.

    Raises:
        InputError: the model was never built, so its input shapes are not known.
    """
    import tensorflow as tf

    symbolic = _symbolic_inputs(model)
    if symbolic is not None:
        keyed = symbolic if isinstance(symbolic, dict) else {}
        names = {id(tensor): key for key, tensor in keyed.items()}
        return tf.nest.map_structure(
            lambda tensor: tf.TensorSpec(
                tuple(tensor.shape), tensor.dtype, name=names.get(id(tensor), name_of(tensor))
            ),
            symbolic,
        )
    shapes = _built_shapes(model)
    if shapes is None:
        raise InputError(
            f"model {model.name!r} was never called, so its input shape is unknown: call it once "
            f"on a batch before converting"
        )
    return shapes


def output_structure(model: Any) -> Any:
    """The symbolic outputs of a model with a graph, as it returns them: one, a list or a dict."""
    return _graph_of(model).output


def _graph_of(model: Any) -> Any:
    """What knows a model's symbolic inputs and outputs: of a Sequential, the graph inside it."""
    return getattr(model, "_functional", None) or model


def _symbolic_inputs(model: Any) -> Any:
    """The inputs of a model's graph as it takes them; None for a subclassed one, which has none."""
    try:
        return _graph_of(model).input
    except (AttributeError, ValueError):
        return None


def _built_shapes(model: Any) -> Any:
    """The input of a subclassed model, as it was first called."""
    import tensorflow as tf

    if flavor_of(model) is Flavor.TF_KERAS:
        spec = model.save_spec()
        if spec is None:
            return None
        flat = tf.nest.flatten(spec[0][0])
        named = [
            tf.TensorSpec([None, *item.shape[1:]], item.dtype, name=item.name or f"input_{index}")
            for index, item in enumerate(flat)
        ]
        return tf.nest.pack_sequence_as(spec[0][0], named)
    shape = (model.get_build_config() or {}).get("input_shape")
    if shape is None:
        return None
    if isinstance(shape, dict):
        return {
            key: tf.TensorSpec([None, *size[1:]], tf.float32, key) for key, size in shape.items()
        }
    if shape and isinstance(shape[0], tuple | list):
        return [
            tf.TensorSpec([None, *size[1:]], tf.float32, name=f"input_{index}")
            for index, size in enumerate(shape)
        ]
    return tf.TensorSpec([None, *shape[1:]], tf.float32, name="inputs")


def named_outputs(model: Any, outputs: Any) -> dict[str, Any]:
    """A model's outputs by name: a dict's own keys, else the names of the output layers."""
    import tensorflow as tf

    if isinstance(outputs, dict):
        return dict(outputs)
    flat = tf.nest.flatten(outputs)
    names = output_names(model)
    if len(names) != len(flat) or len(set(names)) != len(names):
        names = [f"output_{index}" for index in range(len(flat))]
    return dict(zip(names, flat, strict=True))


def output_names(model: Any) -> list[str]:
    """The names of a model's output layers, or of what these stand for; none without a graph."""
    inside = _graph_of(model)
    names = list(getattr(inside, "output_names", None) or [])
    histories = [
        getattr(one, "_keras_history", None) for one in getattr(inside, "outputs", None) or ()
    ]
    if len(histories) == len(names):
        for at, history in enumerate(histories):
            names[at] = getattr(history and history[0], "stands_for", None) or names[at]
    return names


def known_flavor(model: Any) -> Flavor:
    """Which Keras a model belongs to.

    Raises:
        UsageError: it is not a Keras model.
    """
    flavor = flavor_of(model)
    if flavor is None:
        raise UsageError(f"{type(model).__name__} is not a Keras model: pass one")
    return flavor


def name_of(symbolic: Any) -> str:
    """The name that an input keeps when its model is saved and loaded: its layer's."""
    # Until then Keras 3 calls the tensor of an input without a name `keras_tensor`.
    operation: Any = getattr(getattr(symbolic, "_keras_history", None), "operation", None)
    named = operation if type(operation).__name__ == "InputLayer" else symbolic
    return str(named.name)


def input_specs(model: Any) -> dict[str, Any]:
    """A model's inputs by name, each a tf.TensorSpec with the batch axis first."""
    import tensorflow as tf

    return {spec.name: spec for spec in tf.nest.flatten(input_structure(model))}


def arranged(model: Any, inputs: dict[str, Any]) -> Any:
    """Inputs by name in the structure that the model takes."""
    import tensorflow as tf

    structure = input_structure(model)
    names = [spec.name for spec in tf.nest.flatten(structure)]
    return tf.nest.pack_sequence_as(structure, [inputs[name] for name in names])
