"""Binary inputs and weights: a model of either Keras as a tf_keras model of Larq's layers."""

from typing import Any

import numpy as np

from tflite_squeeze.network.graph import Graph, graph_of
from tflite_squeeze.network.larq_library import larq
from tflite_squeeze.techniques.binarization.binary_layout import projections, rearranged
from tflite_squeeze.techniques.binarization.bit_size import quantised_weights
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.binarization.larq_layers import KERNELS, chosen, quantizers
from tflite_squeeze.techniques.binarization.larq_training import trained
from tflite_squeeze.techniques.binarization.record import BinarizedWeight, LayerChange, Made
from tflite_squeeze.training.step_run import StepRun


def with_binary_inputs(model: Any, config: Binarize, run: StepRun, *, verbose: int = 0) -> Made:
    """Puts Larq's layers in a model's place and trains them.

    Args:
        model: of either Keras, Sequential or functional.
        config: what becomes binary, and how.
        run: its data and training.
        verbose: as in `model.fit`.

    Raises:
        UsageError: Larq cannot be used in this process, or nothing can be binarized.
        InputError: a layer does not exist in tf_keras.
    """
    larq()
    graph = graph_of(model)
    kernels = [node.name for node in graph.nodes.values() if node.kind in KERNELS]
    names, skipped = chosen(graph, config, projections(graph, kernels))
    signs = [name for name in names if quantizers(graph, name, config)[0] != "none"]
    changes = rearranged(graph, names, signs)
    changes += _padding(graph, signs)
    network = trained(model, graph, config, names, run, verbose=verbose)
    return Made(
        model=network,
        weights=_weights(network),
        skipped=skipped,
        changes=tuple(changes),
        notes=_notes(graph, names),
    )


def _padding(graph: Graph, names: list[str]) -> list[LayerChange]:
    return [
        LayerChange(layer=name, change="pads with ones, since zero is not a binary value")
        for name in names
        if graph.nodes[name].config.get("padding") == "same"
    ]


def _weights(network: Any) -> tuple[BinarizedWeight, ...]:
    found = []
    for name, (values, bits) in quantised_weights(network).items():
        layer = network.get_layer(name.rpartition("/")[0])
        quantizer = layer.input_quantizer
        kind = type(getattr(layer, f"{name.rpartition('/')[2]}_quantizer")).__name__
        # Every channel may have its own scale, as magnitude_aware_sign gives it.
        rows = np.moveaxis(values, -1, 0).reshape(values.shape[-1], -1)
        found.append(
            BinarizedWeight(
                name=name,
                layer_type=type(layer).__name__,
                parameters=int(values.size),
                bits=bits,
                scales=0 if set(np.unique(values)) <= {-1.0, 0.0, 1.0} else values.shape[-1],
                zeros=int(np.sum(values == 0)),
                most_values=max(len(np.unique(row)) for row in rows),
                allowed_values=3 if "Tern" in kind else 2**bits,
                input_bits=int(getattr(quantizer, "precision", 32)),
            )
        )
    return tuple(found)


def _notes(graph: Graph, names: tuple[str, ...]) -> tuple[str, ...]:
    kinds = {graph.nodes[name].kind for name in names}
    unpacked = sorted(kinds - {"Dense", "Conv2D"})
    if not unpacked:
        return ()
    return (
        f"Larq Compute Engine packs convolutions and, as 1x1 convolutions, Dense layers; "
        f"{', '.join(unpacked)} will be stored in 8 bits",
    )
