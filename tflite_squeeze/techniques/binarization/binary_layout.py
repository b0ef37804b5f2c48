"""The order of layers that suits binary ones: pure changes of a graph, each one reported.

A sign needs inputs around 0, so normalisation comes before it and no ReLU does; a maximum of
signs says little, so pooling comes before normalisation; what a residual shortcut carries stays
in float (Rastegari et al. 2016, arXiv:1603.05279, section 3.2; Liu et al. 2018,
arXiv:1808.00278, section 3.1).
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from tflite_squeeze.network.graph import Graph, Node
from tflite_squeeze.techniques.binarization.record import LayerChange

_NORM = "BatchNormalization"
_ACTIVATIONS = ("ReLU", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU", "Activation")
_POOLS = ("MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "AveragePooling1D", "AveragePooling2D",
          "AveragePooling3D")  # fmt: skip
_SHAPES = ("Flatten", "Reshape", "Permute", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D",
           "Cropping2D", "UpSampling1D", "UpSampling2D")  # fmt: skip
_NOISE = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
          "AlphaDropout")  # fmt: skip
_ELEMENTS = (_NORM, *_ACTIVATIONS, *_POOLS, *_SHAPES, *_NOISE)
_IDLE = (None, "linear")


def projections(graph: Graph, kernels: Collection[str]) -> set[str]:
    """1x1 convolutions that bring a residual shortcut to the shape of its sum.

    Args:
        graph: the model.
        kernels: names of the nodes that multiply by weights.
    """
    found = set()
    for node in graph.nodes.values():
        if node.kind not in ("Conv1D", "Conv2D") or set(node.config["kernel_size"]) != {1}:
            continue
        end = _chain(graph, node.name)[-1:] or [node]
        for total in graph.consumers(end[0].name):
            if total.kind != "Add":
                continue
            others = [name for name in total.inputs if name != end[0].name]
            start = node.inputs[0]
            if any(
                start in graph.ancestors(name)
                and (graph.ancestors(name) | {name}) & set(kernels) - graph.ancestors(start)
                for name in others
                if name != start
            ):
                found.add(node.name)
    return found


def rearranged(
    graph: Graph, binary: Collection[str], signs: Collection[str] | None = None
) -> list[LayerChange]:
    """Brings the layers around binary ones into an order that suits them.

    Args:
        graph: the model; changed in place.
        binary: names of the nodes whose weights become binary.
        signs: those of them whose inputs do too; None for all.

    Returns:
        What was changed, in the order in which it was.
    """
    changes: list[LayerChange] = []
    signs = binary if signs is None else signs
    names = list(graph.nodes)
    for name in names:
        if name in binary or _leads_to(graph, name, signs):
            _split_activation(graph, name)
    for name in [one for one in names if one in binary]:
        _order_behind(graph, name, signs, changes)
    for name in [one for one in names if one in signs]:
        _prepare_input(graph, name, signs, changes)
    return changes


def _split_activation(graph: Graph, name: str) -> None:
    """Makes an activation inside a layer a layer of its own, which computes the same."""
    node = graph.nodes[name]
    activation = node.config.get("activation")
    if node.kind == "Activation" or activation in _IDLE or activation == "softmax":
        return
    graph.nodes[name] = replace(node, config={**node.config, "activation": None})
    title = f"{name}_{activation}" if isinstance(activation, str) else f"{name}_activation"
    graph.insert_after(name, _new("Activation", title, {"activation": activation}))


def _new(kind: str, name: str, config: dict[str, Any] | None = None) -> Node:
    return Node(name=name, kind=kind, config=config or {}, layer=name)


def _chain(graph: Graph, name: str) -> list[Node]:
    """The layers behind a node that only it feeds, up to the next one that does more."""
    found: list[Node] = []
    while True:
        readers = graph.consumers(name)
        if len(readers) != 1 or readers[0].kind not in _ELEMENTS or name in graph.outputs:
            return found
        if len(readers[0].inputs) != 1:
            return found
        found.append(readers[0])
        name = readers[0].name


def _leads_to(graph: Graph, name: str, signs: Collection[str]) -> bool:
    """Whether a binary layer reads a node, through layers that change no signs at most."""
    return any(
        one.name in signs or (one.kind in (*_ELEMENTS, "Add") and _leads_to(graph, one.name, signs))
        for one in graph.consumers(name)
    )


def _only_signs_read(graph: Graph, name: str, signs: Collection[str]) -> bool:
    """Whether all that reads a node takes its sign in the end, or adds it up."""
    return all(
        one.name in signs
        or one.kind == "Add"
        or (one.kind in _ELEMENTS and _only_signs_read(graph, one.name, signs))
        for one in graph.consumers(name)
    )


def _order_behind(
    graph: Graph, name: str, signs: Collection[str], changes: list[LayerChange]
) -> None:
    """Pooling, then normalisation, then an activation only where something in float reads it."""
    chain = _chain(graph, name)
    end = chain[-1].name if chain else name
    readers = graph.consumers(end)
    only_signs = bool(readers) and all(one.name in signs for one in readers)
    if only_signs:
        for one in [one for one in chain if one.kind in _ACTIVATIONS]:
            graph.remove(one.name)
            changes.append(LayerChange(layer=one.name, change=_NO_ACTIVATION))
        chain = [one for one in chain if one.kind not in _ACTIVATIONS]
        end = chain[-1].name if chain else name
    if end in graph.outputs or (not readers and not chain):
        return
    body = _until_shape(chain)
    norm = next((one for one in chain if one.kind == _NORM), None)
    if norm is None:
        pools = [one.name for one in body if one.kind in _POOLS]
        norm = _new(_NORM, f"{name}_norm")
        graph.insert_after(pools[-1] if pools else name, norm)
        change = "added: the sums of a binary layer are far from the range of what reads them"
        changes.append(LayerChange(layer=norm.name, change=change))
    elif norm.name in [one.name for one in body]:
        _pool_first(graph, norm, body, changes)
    _drop_bias(graph, name, changes)


_NO_ACTIVATION = "removed: a sign follows, and it is the same for all positive values"


def _until_shape(chain: list[Node]) -> list[Node]:
    kinds = [one.kind in _SHAPES for one in chain]
    return chain[: kinds.index(True)] if True in kinds else chain


def _pool_first(graph: Graph, norm: Node, body: list[Node], changes: list[LayerChange]) -> None:
    """Moves normalisation behind the last pooling."""
    names = [one.name for one in body]
    later = [one.name for one in body[names.index(norm.name) + 1 :] if one.kind in _POOLS]
    if not later:
        return
    graph.remove(norm.name)
    graph.insert_after(later[-1], norm)
    change = f"moved after {later[-1]}: pooling comes before normalisation"
    changes.append(LayerChange(layer=norm.name, change=change))


def _drop_bias(graph: Graph, name: str, changes: list[LayerChange]) -> None:
    node = graph.nodes[name]
    if node.config.get("use_bias"):
        graph.nodes[name] = replace(node, config={**node.config, "use_bias": False})
        change = "bias removed: the normalisation after it has one"
        changes.append(LayerChange(layer=name, change=change))


def _prepare_input(
    graph: Graph, name: str, signs: Collection[str], changes: list[LayerChange]
) -> None:
    """Sees to it that what a sign reads lies around 0."""
    normal = False
    first_shape = None
    current = graph.nodes[graph.nodes[name].inputs[0].node]
    while current.kind in _ELEMENTS:
        before = current.inputs[0].node
        readers = graph.consumers(current.name)
        if current.kind in _ACTIVATIONS and not normal:
            if not _only_signs_read(graph, current.name, signs):
                break
            graph.remove(current.name)
            changes.append(LayerChange(layer=current.name, change=_NO_ACTIVATION))
        elif current.kind == _NORM:
            normal = True
        elif current.kind in _SHAPES and len(readers) == 1:
            first_shape = current.name
        current = graph.nodes[before]
    if normal or current.kind == "Add":
        return
    reader = first_shape or name
    place = graph.nodes[reader].inputs[0]
    graph.insert_after(place, _new(_NORM, f"{name}_input_norm"), [reader])
    change = f"added in front of {name}: its signs need inputs around 0"
    changes.append(LayerChange(layer=f"{name}_input_norm", change=change))
