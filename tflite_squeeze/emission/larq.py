"""A model with Larq's layers → a file for Larq Compute Engine, whose binary weights are bits.

That converter packs convolutions only. A binary Dense layer is therefore converted as what it
equals, a 1x1 convolution of an image of one pixel; of what stays in float, kernels that hold -s
and s only are stored in 8 bits before a DEQUANTIZE, which the runtime computes once at load.
"""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from tflite_squeeze.emission.chatter import Chatter, caught_chatter
from tflite_squeeze.errors import UnsupportedError, reason_of
from tflite_squeeze.network.crossing import copy_weights, rebuilt
from tflite_squeeze.network.graph import Graph, Node, graph_of
from tflite_squeeze.network.larq_library import larq

_DENSE, _CONVOLUTION, _NORM = "QuantDense", "QuantConv2D", "BatchNormalization"
# What works on channels of one pixel as it does on a vector.
_ELEMENTWISE = (_NORM, "Activation", "ReLU", "LeakyReLU", "ELU", "Dropout")


def larq_file(model: Any, chatter: Chatter) -> tuple[bytes, tuple[str, ...]]:
    """Converts a model with Larq's layers for Larq Compute Engine.

    Args:
        model: a tf_keras model, Sequential or functional.
        chatter: takes what the converter prints.

    Returns:
        The file, with a batch of 1, and notes on what was rewritten.

    Raises:
        UsageError: Larq cannot be used in this process, or the model is subclassed.
        UnsupportedError: the converter refuses it.

    Example:
        >>> tflite, notes = larq_file(model, Chatter())
    """
    library = larq()
    import larq_compute_engine as engine

    with caught_chatter(chatter):
        rewritten, notes = rewritten_for_larq(model, library)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tflite = bytes(engine.convert_keras_model(rewritten))
        except (ValueError, RuntimeError, TypeError) as error:
            reason = reason_of(error)
            raise UnsupportedError(
                f"Larq Compute Engine cannot convert model {model.name!r} ({reason}): "
                f"convert it with --runtime litert"
            ) from error
    return tflite, notes


def rewritten_for_larq(model: Any, library: Any) -> tuple[Any, tuple[str, ...]]:
    """A model that computes the same from layers that the converter packs.

    Binary Dense layers become 1x1 convolutions. Normalisation moves from after a max pooling to
    before it, where its factors are positive and both orders give the same: the converter then
    makes one threshold per channel of convolution, normalisation and sign.

    Args:
        model: a tf_keras model, Sequential or functional, with Larq's layers.
        library: Larq.

    Returns:
        The new model, and notes; the model itself where nothing needs to change.
    """
    graph = graph_of(model)
    dense = [node.name for node in graph.nodes.values() if _can_be_packed(node)]
    moved = _norms_before_pools(graph)
    for name in dense:
        _replace(graph, name)
    if not dense and not moved:
        return model, ()
    kinds = {node.kind for node in graph.nodes.values() if node.kind.startswith("Quant")}
    made = rebuilt(graph, {kind: getattr(library.layers, kind) for kind in kinds})
    copy_weights(graph, made)
    for name in dense:
        kernel, *rest = graph.nodes[name].source.get_weights()
        made.get_layer(name).set_weights([kernel[np.newaxis, np.newaxis], *rest])
    notes = []
    if dense:
        notes.append(f"binary Dense layers written as 1x1 convolutions of one pixel: {len(dense)}")
    if moved:
        notes.append(f"normalisations put before the maximum, to the same effect: {moved}")
    return made, tuple(notes)


def _norms_before_pools(graph: Graph) -> int:
    """Swaps a max pooling and the normalisation after it where that changes nothing."""
    moved = 0
    for pool in [node for node in graph.nodes.values() if node.kind == "MaxPooling2D"]:
        readers, before = graph.consumers(pool.name), pool.inputs[0]
        if len(readers) != 1 or readers[0].kind != _NORM or pool.name in graph.outputs:
            continue
        norm = readers[0]
        alone = len(graph.consumers(before)) == 1 and before not in graph.outputs
        if not alone or not graph.nodes[before].kind.endswith("Conv2D"):
            continue
        if norm.config.get("scale", True) and np.min(norm.source.gamma) <= 0:
            continue
        graph.remove(norm.name)
        graph.insert_after(before, norm)
        moved += 1
    return moved


def _can_be_packed(node: Node) -> bool:
    """Whether a node is a Dense layer with signs on both sides."""
    layer = node.source
    if node.kind != _DENSE or layer is None or layer.input_quantizer is None:
        return False
    bits = (getattr(layer.input_quantizer, "precision", 32),
            getattr(layer.kernel_quantizer, "precision", 32))  # fmt: skip
    return bits == (1, 1) and len(layer.input_spec.axes or {}) == 1 and _is_flat(layer)


def _is_flat(layer: Any) -> bool:
    return len(layer.input_shape) == 2


def _replace(graph: Graph, name: str) -> None:
    """Replaces a Dense with Reshape, QuantConv2D and, after all channel-wise layers, Reshape."""
    node = graph.nodes[name]
    inputs, units = node.source.input_shape[-1], node.config["units"]
    before = Node(
        name=f"{name}_pixel",
        kind="Reshape",
        config={"target_shape": (1, 1, inputs)},
        layer=f"{name}_pixel",
    )
    graph.insert_after(node.inputs[0], before, [name])
    kept = {key: value for key, value in node.config.items() if key != "units"}
    convolution = {"filters": units, "kernel_size": 1, "padding": "valid"}
    graph.nodes[name] = replace(
        graph.nodes[name], kind=_CONVOLUTION, config={**kept, **convolution}
    )
    end = name
    while True:
        readers = graph.consumers(end)
        if end in graph.outputs or len(readers) != 1 or readers[0].kind not in _ELEMENTWISE:
            break
        end = readers[0].name
        if readers[0].kind == _NORM:
            config = {**graph.nodes[end].config, "axis": -1}
            graph.nodes[end] = replace(graph.nodes[end], config=config)
    after = Node(
        name=f"{name}_vector",
        kind="Reshape",
        config={"target_shape": (units,)},
        layer=f"{name}_vector",
    )
    graph.insert_after(end, after)
