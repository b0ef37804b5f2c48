"""Is an integer file integer throughout?"""

from typing import Any

from tflite_squeeze.tflite.flatbuffer import operator_names, read_model

_FLOATS = frozenset({"FLOAT16", "FLOAT32", "FLOAT64", "BFLOAT16"})


def float_operators(tflite: bytes) -> tuple[str, ...]:
    """The operators of a file that take or put out real numbers.

    QUANTIZE at a real input and DEQUANTIZE at a real output are the file's interface and left
    out; anywhere else they are the shore of a float island and named like the rest.

    Args:
        tflite: the file.

    Returns:
        "operator name → tensor that it computes" per operator found, in order of execution.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    found = []
    for subgraph, names in zip(model.subgraphs, operator_names(tflite), strict=True):
        ends = {int(index) for index in subgraph.inputs} | {int(i) for i in subgraph.outputs}
        for operator, name in zip(subgraph.operators or [], names, strict=True):
            inputs = [int(index) for index in _indices(operator.inputs) if index >= 0]
            outputs = [int(index) for index in _indices(operator.outputs)]
            if name == "QUANTIZE" and set(inputs) <= ends:
                continue
            if name == "DEQUANTIZE" and set(outputs) <= ends:
                continue
            if any(_is_real(subgraph.tensors[index]) for index in inputs + outputs):
                label = subgraph.tensors[outputs[0]].name.decode() if outputs else ""
                found.append(f"{name} → {label}")
    return tuple(found)


def _indices(array: Any) -> Any:
    return [] if array is None else array


def _is_real(tensor: Any) -> bool:
    from ai_edge_litert.schema_py_generated import TensorType

    return any(tensor.type == getattr(TensorType, name, -1) for name in _FLOATS)
