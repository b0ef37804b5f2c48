"""How finely an output is quantized, even where it leaves the file as reals."""

from typing import Any

from tflite_squeeze.tflite.fields import integers, items, operator_name, scales_of


def step_before(model: Any, subgraph: int, tensor: int) -> float:
    """One step of the integers that DEQUANTIZE makes a tensor from.

    Args:
        model: what `read_model` returned.
        subgraph: the index of the subgraph.
        tensor: the index of the tensor in it.

    Returns:
        The largest of their scales; 0 for a tensor that DEQUANTIZE does not make.
    """
    graph = model.subgraphs[subgraph]
    for operator in items(graph.operators):
        if operator_name(model, operator) == "DEQUANTIZE" and tensor in integers(operator.outputs):
            scales = scales_of(graph.tensors[integers(operator.inputs)[0]])
            return float(scales.max()) if len(scales) else 0.0
    return 0.0
