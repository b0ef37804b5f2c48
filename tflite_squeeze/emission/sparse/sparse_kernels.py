"""Whether XNNPACK would compute with sparse kernels, by the rules in its source code.

Those kernels are for 1x1 convolutions of reals in channels-first order. XNNPACK rearranges a
network for them from a stem (3x3, stride 2, three channels, one pixel of explicit padding on each
side) to a global average, and only where at least two thirds of the 1x1 kernels' values are 0.
It does so on Arm and never on x86 with AVX.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_squeeze.emission.sparse.weights import LayerWeights, layer_weights
from tflite_squeeze.tflite.edits import producer
from tflite_squeeze.tflite.fields import dtype_name, integers, operator_name

_LEAST_ZEROS = 2 / 3
_GLOBAL_AVERAGES = ("MEAN", "SUM", "AVERAGE_POOL_2D", "DEPTH_TO_SPACE")


def sparse_kernels(model: Any) -> str:
    """Says whether XNNPACK would use sparse kernels for a file.

    Args:
        model: what `read_model` returned.

    Returns:
        One line for the report.

    Example:
        >>> sparse_kernels(read_model(tflite))
        'no: XNNPACK has sparse kernels for 1x1 convolutions of reals only, and there are none'
    """
    weights = [one for one in layer_weights(model) if one.subgraph == 0]
    pointwise = [one for one in weights if _is_pointwise(model, one)]
    if not pointwise:
        return (
            "no: XNNPACK has sparse kernels for 1x1 convolutions of reals only, and there are none"
        )
    elements = sum(one.values.size for one in pointwise)
    zeros = sum(one.values.size - np.count_nonzero(one.values) for one in pointwise) / elements
    if zeros < _LEAST_ZEROS:
        return f"no: XNNPACK asks for 2/3 zeros in 1x1 convolutions, here {zeros:.1%} are zero"
    if not any(_is_stem(model, one) for one in weights):
        return (
            "no: XNNPACK wants a 3x3 convolution of stride 2 on 3 channels, with one pixel of "
            "padding on each side (ZeroPadding2D(1), padding='valid'), before the 1x1 ones"
        )
    names = {operator_name(model, operator) for operator in model.subgraphs[0].operators}
    if not names & set(_GLOBAL_AVERAGES):
        return "no: XNNPACK wants a global average (or DEPTH_TO_SPACE) after the 1x1 convolutions"
    return (
        f"on Arm: XNNPACK can run {len(pointwise)} 1x1 convolutions ({zeros:.1%} zeros) with "
        f"sparse kernels; never on x86 with AVX"
    )


def _is_pointwise(model: Any, weights: LayerWeights) -> bool:
    options = weights.operator.builtinOptions
    return (
        _is_real_convolution(model, weights)
        and weights.values.shape[1:3] == (1, 1)
        and (options.strideH, options.strideW) == (1, 1)
    )


def _is_stem(model: Any, weights: LayerWeights) -> bool:
    graph, options = model.subgraphs[0], weights.operator.builtinOptions
    padding = producer(graph, int(weights.operator.inputs[0]))
    return (
        _is_real_convolution(model, weights)
        and weights.values.shape[1:] == (3, 3, 3)
        and (options.strideH, options.strideW) == (2, 2)
        and options.padding == schema.Padding.VALID
        and padding is not None
        and operator_name(model, padding) == "PAD"
        and _pads_by_one(graph, padding)
    )


def _is_real_convolution(model: Any, weights: LayerWeights) -> bool:
    source = model.subgraphs[0].tensors[int(weights.operator.inputs[0])]
    return weights.name == "CONV_2D" and dtype_name(source) == "float32"


def _pads_by_one(graph: Any, padding: Any) -> bool:
    before = integers(graph.tensors[int(padding.inputs[0])].shape)
    after = integers(graph.tensors[int(padding.outputs[0])].shape)
    return len(before) == len(after) == 4 and all(
        new - old == 2 for old, new in zip(before[1:3], after[1:3], strict=True)
    )
