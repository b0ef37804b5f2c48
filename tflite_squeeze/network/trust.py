"""What a model file asks Keras to build, looked through before anything is built.

Keras imports the modules, calls the functions and unpacks the byte code that a configuration
names. This is one walk over a parsed configuration, in whichever format it came: it takes what
`known_names` lists and what this process has registered, and nothing else.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tflite_squeeze.errors import InputError
from tflite_squeeze.network import tfmot
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.known_names import (
    is_known_operation,
    known_names,
    plain_module,
    registered,
    tensor_attributes,
)
from tflite_squeeze.network.saved_operations import is_known_graph_operation

# How deep lists and dicts may lie in each other: a model within a model takes about eight.
MOST_LEVELS = 200
_UNSAFE = "pass --allow-unsafe (allow_unsafe=True) if you trust the file"
# Values that configurations hold under a class's name.
_VALUES = frozenset(
    {
        "__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__",
        "__tuple__", "CompositeTensor", "TensorShape", "TypeSpec",
    }
)  # fmt: skip
_SPECS = frozenset({"TensorSpec", "RaggedTensorSpec", "SparseTensorSpec"})
_CODE_KINDS = ("function_type", "output_shape_type", "mask_type")
_VOCABULARIES = ("vocabulary", "idf_weights")
_SLICES = ("__operators__.getitem", "compat.v1.strided_slice", "strided_slice", "slice")
_CONSTRUCTOR = re.compile(r"(RaggedTensor|(sparse\.)?SparseTensor)\.from_[a-z_]+")
_SLOTS = ("activation", "initializer", "regularizer", "constraint", "quantizer")


@dataclass(frozen=True, kw_only=True)
class Distrust:
    """Something in a configuration that is not known to be harmless.

    Attributes:
        layer: the layer that it belongs to.
        what: what the layer does, as the middle of a sentence.
        remedy: what to do about it.
        is_code: whether it is byte code of Python's.
        is_unknown: whether it is only an unknown name.
    """

    layer: str
    what: str
    remedy: str = _UNSAFE
    is_code: bool = False
    is_unknown: bool = False

    def __str__(self) -> str:
        if self.is_code:
            return f"has Python code inside (Lambda layer {self.layer!r}): {self.remedy}"
        return f"has a layer {self.layer!r} that {self.what}: {self.remedy}"


def check_trust(
    where: str, config: Any, flavor: Flavor, custom_objects: Mapping[str, Any] | None = None
) -> None:
    """Refuses a configuration that asks for anything that is not known to be harmless.

    The configuration's own `compile_config` is left out, since models are loaded uncompiled.

    Args:
        where: the file, for the message.
        config: the parsed configuration.
        flavor: the Keras that is to build it.
        custom_objects: classes by name that the caller hands to Keras.

    Raises:
        InputError: it names code, an operation or a class that is not on the list.

    Example:
        >>> check_trust("net.keras", {"class_name": "Dense", "config": {}}, Flavor.KERAS)
    """
    if isinstance(config, dict):
        config = {key: value for key, value in config.items() if key != "compile_config"}
    found = first_distrust(config, flavor, custom_objects or {})
    if found is not None:
        raise InputError(f"model {where} {found}")


def first_distrust(
    config: Any, flavor: Flavor, custom_objects: Mapping[str, Any]
) -> Distrust | None:
    """The first thing in a configuration that is not known to be harmless; None if all is.

    Raises:
        InputError: lists and dicts lie in each other too deep.
    """
    judge = _Judge(flavor, custom_objects)
    # A stack, not a recursion: the file decides how deep this goes.
    pending: list[tuple[Any, str, int]] = [(config, "model", 0)]
    while pending:
        node, layer, level = pending.pop()
        if level > MOST_LEVELS:
            raise InputError(
                f"the configuration is nested more than {MOST_LEVELS} levels deep: it is damaged, "
                f"or not a model's"
            )
        if isinstance(node, dict):
            layer = _layer_name(node, layer)
            found = next(judge.objections(node, layer), None)
            if found is not None:
                return found
            children = list(node.values())
        elif isinstance(node, list | tuple):
            children = list(node)
        else:
            continue
        pending += [(child, layer, level + 1) for child in reversed(children)]
    return None


def _layer_name(node: dict[Any, Any], outer: str) -> str:
    config = node.get("config")
    name = node.get("name", config.get("name") if isinstance(config, dict) else None)
    return name[:60] if isinstance(name, str) and "class_name" in node else outer


class _Judge:
    """Decides on one dict of a configuration at a time."""

    def __init__(self, flavor: Flavor, custom_objects: Mapping[str, Any]) -> None:
        self._flavor, self._custom = flavor, custom_objects
        self._known = known_names(flavor)

    def objections(self, node: dict[Any, Any], layer: str) -> Iterator[Distrust]:
        """Whatever is wrong with a dict itself; what lies inside is looked at on its own."""
        if "class_name" in node:
            yield from self._about_class(node, layer)
        for kind in _CODE_KINDS:
            if node.get(kind) == "lambda":
                yield _code(layer)
        for key, value in node.items():
            if isinstance(value, str) and str(key).endswith(_SLOTS) and not self._is_named(value):
                yield _unknown(layer, f"the {key} {_short(value)}")

    def _is_named(self, name: str) -> bool:
        return name in self._known.strings or name in self._custom or registered(self._flavor, name)

    def _about_class(self, node: dict[Any, Any], layer: str) -> Iterator[Distrust]:
        name, config = node["class_name"], node.get("config")
        if not isinstance(name, str):
            yield _unknown(layer, f"the class {_short(name)}")
        elif name == "__lambda__":
            yield _code(layer)
        elif name == "function":
            yield from self._about_function(node, layer)
        elif name == "__typespec__":
            if str(node.get("spec_name")) not in _SPECS or node.get("registered_name") is not None:
                yield _unknown(layer, f"the type {_short(node.get('spec_name'))}")
        elif name not in _VALUES:
            if not self._is_class(node, name):
                if name in tfmot.QUANTIZING:
                    yield _of_tfmot(layer, name)
                    return
                module = node.get("module") if name in self._known.bare else None
                yield _unknown(layer, f"the class {_short(_dotted(module, name))}")
            if isinstance(config, dict):
                yield from self._about_config(name, config, layer)

    def _is_class(self, node: dict[Any, Any], name: str) -> bool:
        module, stated = node.get("module"), node.get("registered_name")
        for each in (stated, name):
            if isinstance(each, str) and (each in self._custom or registered(self._flavor, each)):
                return True
        if module is None:
            return name in self._known.bare
        if not isinstance(module, str):
            return False
        return (plain_module(module), name) in self._known.classes

    def _about_function(self, node: dict[Any, Any], layer: str) -> Iterator[Distrust]:
        """A function is known by its name and its module; both of its names must be."""
        module = node.get("module")
        names = [name for name in (node.get("config"), node.get("registered_name")) if name]
        for name in names:
            if not isinstance(name, str):
                yield _unknown(layer, f"the function {_short(name)}")
            elif name in self._custom or registered(self._flavor, name) or name == "function":
                continue
            elif (
                name not in self._known.strings
                if module is None
                else (plain_module(str(module)), name) not in self._known.functions
            ):
                yield _unknown(layer, f"the function {_short(_dotted(module, name))}")

    def _about_config(self, name: str, config: dict[Any, Any], layer: str) -> Iterator[Distrust]:
        """Classes that call what their configuration says, or read files that it names."""
        if name == "Lambda" and (said := self._about_lambda(config, layer)) is not None:
            yield said
        called = _called(name, config)
        if called is not None:
            yield Distrust(
                layer=layer,
                what=f"calls {_short(called)}, which is not on the list of operations that only "
                f"compute",
            )
        for key in _VOCABULARIES:
            if isinstance(config.get(key), str):
                yield Distrust(
                    layer=layer, what=f"reads the file {_short(config[key])}",
                    remedy=f"save the layer with its {key} as a list, or {_UNSAFE}",
                )  # fmt: skip

    def _about_lambda(self, config: dict[Any, Any], layer: str) -> Distrust | None:
        """A Lambda may call a function that it names, and nothing that it brings along."""
        for key in ("function", "output_shape", "mask"):
            value = config.get(key)
            if isinstance(value, dict) and value.get("class_name") == "__lambda__":
                return _code(layer)
        function = config.get("function")
        if isinstance(function, dict) and function.get("class_name") == "function":
            return None  # it is looked at on its own
        if isinstance(function, str) and self._is_named(function):
            return None
        return _code(layer)


def _code(layer: str) -> Distrust:
    return Distrust(layer=layer, what="brings code along", is_code=True)


def _called(name: str, config: dict[Any, Any]) -> Any:
    """The operation that a layer stands for, if it is not known to compute and do nothing else."""
    match name:
        case "TFOpLambda":
            operation = config.get("function")
            known = is_known_operation(operation)
        case "SlicingOpLambda":
            operation = config.get("function")
            known = operation in _SLICES
        case "TensorFlowOpLayer":
            operation = config.get("node_def")
            known = is_known_graph_operation(operation)
        case "InstanceMethod" | "InstanceProperty":
            operation = config.get("attr_name")
            known = isinstance(operation, str) and operation in tensor_attributes()
        case "ClassMethod":
            operation = f"{config.get('cls_symbol')}.{config.get('method_name')}"
            known = _CONSTRUCTOR.fullmatch(operation) is not None
        case _:
            return None
    return None if known else operation or "nothing"


def _unknown(layer: str, what: str) -> Distrust:
    return Distrust(
        layer=layer,
        what=f"needs {what}, which is not known here",
        remedy=f"register it and import it first (--import MODULE), or {_UNSAFE}",
        is_unknown=True,
    )


def _of_tfmot(layer: str, name: str) -> Distrust:
    return Distrust(
        layer=layer,
        what=f"belongs to TensorFlow Model Optimization's quantization ({name}), whose ranges are "
        f"not read here",
        remedy=tfmot.QUANTIZED_REMEDY,
        is_unknown=True,
    )


def _dotted(module: Any, name: str) -> str:
    return f"{module}.{name}" if isinstance(module, str) and module else name


def _short(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
