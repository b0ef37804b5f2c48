"""The graphs of layers in a configuration, and how Keras builds a model from them.

Keras goes through the layers in rounds and calls those whose inputs are there. tf_keras does not
stop when a round calls none: layers that wait for each other, or for something that is not there,
make it try for ever.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from tflite_squeeze.errors import InputError

_BUILDER = "tf_keras.src.engine.functional"


def check_names(where: str, config: Any) -> None:
    """Refuses a configuration in which a layer's name is no text.

    Args:
        where: the file, for the message.
        config: the parsed configuration, of either version of Keras.

    Raises:
        InputError: a layer's name is something else.
    """
    pending = [config]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending += node.values()
            if (name := _odd_name(node)) is not None:
                raise InputError(
                    f"model {where}: a layer's name is {name}: it is damaged; save it again"
                )
        elif isinstance(node, list | tuple):
            pending += node


def _odd_name(node: dict[Any, Any]) -> str | None:
    """What stands in place of a layer's name, where that is no text."""
    for holder in (node, node.get("config")) if "class_name" in node else ():
        name = holder.get("name") if isinstance(holder, dict) else None
        if name is not None and not isinstance(name, str):
            return repr(name)[:40]
    return None


@contextmanager
def bounded_building(where: str) -> Iterator[None]:
    """Within it tf_keras ends where layers wait for what never comes.

    Args:
        where: the file, for the message.

    Raises:
        InputError: while a model is built, layers still wait after as many rounds as there are
            calls; each round but the last makes one call or more.
    """
    module = import_module(_BUILDER)
    build: Callable[..., Any] = module.reconstruct_from_config

    def bounded(config: Any, *arguments: Any, **settings: Any) -> Any:
        if isinstance(config, dict) and isinstance(config.get("layers"), list):
            config = {**config, "layers": _Rounds(config["layers"], where)}
        return build(config, *arguments, **settings)

    setattr(module, build.__name__, bounded)
    try:
        yield
    finally:
        setattr(module, build.__name__, build)


class _Rounds(list[Any]):
    """Layers that may be gone through once to be made, and once for each call and one more."""

    def __init__(self, layers: list[Any], where: str) -> None:
        super().__init__(layers)
        calls = [layer.get("inbound_nodes") for layer in layers if isinstance(layer, dict)]
        self._left = 2 + sum(len(inbound) for inbound in calls if isinstance(inbound, list))
        self._where = where

    def __iter__(self) -> Iterator[Any]:
        if not self._left:
            raise InputError(
                f"model {self._where}: layers wait for each other or for a layer that is not "
                f"there: it is damaged; save it again"
            )
        self._left -= 1
        return super().__iter__()
