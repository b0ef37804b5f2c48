"""The graphs of layers in a configuration: Keras builds them by trying until nothing is left.

A layer that waits for itself, or for something that is not there, makes it try for ever.
"""

from collections.abc import Iterator
from typing import Any

from tflite_squeeze.errors import InputError

_Node = tuple[str, int]


def check_graphs(where: str, config: Any) -> None:
    """Refuses a configuration in which layers wait for each other.

    Args:
        where: the file, for the message.
        config: the parsed configuration, of either Keras.

    Raises:
        InputError: the inputs of a layer cannot ever be there, or its name is no text.
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
            layers = node.get("layers")
            if isinstance(layers, list) and "input_layers" in node:
                waiting = _waiting_layers(layers)
                if waiting:
                    raise InputError(
                        f"model {where}: layers {', '.join(waiting[:3])} wait for each other or "
                        f"for a layer that is not there: it is damaged; save it again"
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


def _waiting_layers(layers: list[Any]) -> list[str]:
    """The names of layers that never get all their inputs, in Keras's own order of building."""
    named = [one for one in layers if isinstance(one, dict) and isinstance(one.get("name"), str)]
    calls = {
        layer["name"]: [set(_sources(call)) for call in _listed(layer.get("inbound_nodes"))]
        for layer in named
    }
    # a layer without calls is an input, and has one node
    done = {name: 0 if inbound else 1 for name, inbound in calls.items()}
    for name in _numbered_from_one(named, calls):
        done[name] = 1
    total = {name: done[name] + len(inbound) for name, inbound in calls.items()}
    waiting, progress = {name for name, inbound in calls.items() if inbound}, True
    while progress:
        progress = False
        for name in list(waiting):
            while done[name] < total[name] and all(
                source in done and index < done[source]
                for source, index in calls[name][done[name] - total[name]]
            ):
                done[name] += 1
                progress = True
            if done[name] == total[name]:
                waiting.discard(name)
    return [repr(name[:40]) for name in calls if name in waiting]


def _numbered_from_one(named: list[dict[str, Any]], calls: dict[str, list[set[_Node]]]) -> set[str]:
    """Models within the model whose own first call tf_keras counts, and does not write."""
    nested = {
        layer["name"]
        for layer in named
        if isinstance(layer.get("config"), dict)
        and "layers" in layer["config"]
        and layer.get("inbound_nodes")
    }
    first = {source for inbound in calls.values() for call in inbound for source in call}
    return {name for name in nested if (name, 0) not in first}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _sources(call: Any) -> Iterator[_Node]:
    """(layer, node) of every tensor that a call takes, as either Keras writes it."""
    pending = [call]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            history = item.get("keras_history")
            if isinstance(history, list) and len(history) == 3:
                pending.append(history)
            else:
                pending += item.values()
        elif isinstance(item, list | tuple):
            if _is_tensor(item):
                yield item[0], item[1]
                pending += item[3:]
            else:
                pending += item


def _is_tensor(item: Any) -> bool:
    """Whether a list is [layer, node, tensor], perhaps with keyword arguments behind."""
    return (
        3 <= len(item) <= 4
        and isinstance(item[0], str)
        and all(isinstance(index, int) and not isinstance(index, bool) for index in item[1:3])
        and item[1] >= 0
        and (len(item) == 3 or isinstance(item[3], dict))
    )
