"""Files of quantized twins: integers with the steps that the twin computes by."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.endpoints import endpoints_of, fixed_specs
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import InputError, UnsupportedError, UsageError
from tflite_squeeze.network.graph import INPUT, graph_of
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.folding import OUTPUT_AXES
from tflite_squeeze.network.quantization.layers import QuantizedActivation, has_free_scales
from tflite_squeeze.network.quantization.points import (
    FIXED,
    JOINED,
    SAME_STEPS,
    has_floats,
    kind_of,
    points_of,
)
from tflite_squeeze.network.quantization.twin import (
    INSIDE,
    float_model,
    is_twin,
    quantized_activations,
    quantized_layers,
)

_KERAS_KINDS = (ModelKind.KERAS, ModelKind.TF_KERAS)
# One operator each, so that the ranges of a twin leave nothing open.
_SINGLE = frozenset({
    INPUT, "Absolute", "Add", "Subtract", "Multiply", "Average", "Concatenate", "Embedding", "Exp",
    "Gelu", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
    "HardSilu", "LeakyReLU", "LeakyRelu", "Maximum", "Mean", "Minimum", "PReLU", "ReLU", "ReLU:6",
    "Relu", "Relu6", "Rescaling:scale", "Softmax", "Stack", "Sum", "TrueDivide:constant",
    "tf.math.reduce_mean", "tf.math.reduce_sum", "tf.math.truediv:constant",
    *(f"Activation:{name}" for name in (
        "exponential", "gelu", "hard_silu", "hard_swish", "leaky_relu", "relu", "relu6", *FIXED,
    )),
    *(name.capitalize() for name in FIXED),
})  # fmt: skip


def is_quantized_twin(source: LoadedModel) -> bool:
    """Whether a model computes as a quantized file of its own does."""
    return source.kind in _KERAS_KINDS and is_twin(source.model)


def config_for_twin(source: LoadedModel, config: Convert) -> Convert:
    """The options for a twin: its own plan says what is quantized to what.

    Raises:
        UsageError: another quantization was asked for.
        InputError: a range is open: the twin was neither trained nor calibrated.
    """
    if config.quantize not in (Quantization.NONE, Quantization.INT8):
        raise UsageError(
            f"model {source.name!r} is a quantized network, whose file has the integers that it "
            f"computes with: leave --quantize {config.quantize.value} out, or convert the float "
            f"model that `float_model` takes from it"
        )
    opened = [
        one.point for one in quantized_activations(source.model) if one.quantization.low is None
    ]
    if opened:
        raise InputError(
            f"model {source.name!r} is a quantized network without ranges for {len(opened)} of its "
            f"activations ({', '.join(opened[:3])}): train it, or make it with `quantize`, which "
            f"calibrates on samples"
        )
    _refuse_unwritten(source)
    return config.model_copy(update={"quantize": Quantization.INT8})


def _refuse_unwritten(source: LoadedModel) -> None:
    """Refuses what the converter does not read: scales behind a reshaped kernel, and joins."""
    _refuse_joined_functions(source)
    for name, layer in quantized_layers(source.model).items():
        kind = layer.plain_kind
        if has_free_scales(kind, layer):
            continue
        if layer.quantization.axis is not None and not layer.converter_finds_scales():
            raise UnsupportedError(
                f"the converter writes no other scales of {name!r} ({kind}) than the largest "
                f"weight of each channel divided by 127: give {name}/kernel 8 bits and no scale"
            )


def _refuse_joined_functions(source: LoadedModel) -> None:
    """Refuses 16 bits of a function with a fixed range whose values are moved into another."""
    graph = graph_of(source.model)
    for node in graph.nodes.values():
        rounds = node.source
        if not isinstance(rounds, QuantizedActivation) or rounds.bits != 16:
            continue
        joins = [one.layer for one in graph.consumers(node.name) if kind_of(one) in JOINED]
        if rounds.estimator == "fixed" and joins:
            raise UnsupportedError(
                f"the converter cannot join {rounds.point!r}, a function with a fixed range of 16 "
                f"bits, with other values in {joins[0].removesuffix(INSIDE)!r}: give "
                f"{rounds.point!r} 8 bits"
            )


def has_float_parts(source: LoadedModel, config: Convert) -> bool:
    """Whether a twin is to compute in float what its plan leaves out.

    Without samples, TensorFlow's converter makes integers of what has a range and leaves the rest
    in float. With them it would find ranges for all.
    """
    if config.keep_float:  # perhaps a layer that a plan has no entry for
        return True
    if not is_quantized_twin(source):
        return False
    if any(node.kind in OUTPUT_AXES for node in graph_of(source.model).nodes.values()):
        return True
    named = {one.point for one in quantized_activations(source.model)}
    return not points_of(float_model(source.model)).keys() <= named


def calibrated_inside(source: LoadedModel) -> tuple[str, ...]:
    """Layers of a twin whose tensors inside have no range of the twin's.

    They stay post-training: the converter finds those ranges on samples.
    """
    found = []
    for node in graph_of(source.model).nodes.values():
        kind = kind_of(node)
        known = kind in SAME_STEPS or kind in _SINGLE or node.kind.startswith("Quantized")
        if not known and has_floats(node):
            found.append(f"{node.layer} ({node.kind})")
    return tuple(dict.fromkeys(found))


def stand_in_batches(source: LoadedModel, config: Convert) -> dict[str, Any]:
    """Batches for a converter that has no range left to find, but asks for samples.

    Returns:
        By signature; none for a twin with parts in float, which is converted without.

    Raises:
        InputError: there are layers with ranges inside.
    """
    if has_float_parts(source, config):
        return {}
    inside = calibrated_inside(source)
    if inside:
        raise InputError(
            f"ranges inside of {', '.join(inside[:3])} were not trained and are calibrated on real "
            f"samples: pass --data, such as --data samples.npz"
        )
    found = {}
    for endpoint in endpoints_of(source):
        specs = fixed_specs(endpoint, config.batch, config.input_shapes)

        def batches(specs: dict[str, tf.TensorSpec] = specs) -> Iterator[dict[str, NDArray[Any]]]:
            yield {
                name: np.zeros([size or 1 for size in spec.shape], spec.dtype.as_numpy_dtype)
                for name, spec in specs.items()
            }

        found[endpoint.name] = batches
    return found
