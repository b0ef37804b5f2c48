"""The part of a file that TFLM runs, its main subgraph, and what keeps TFLM from running it."""

import re
from collections import Counter
from typing import Any

from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.microcontrollers.remedies import (
    AS_DENSE_INT8,
    AS_EIGHT_BITS,
    AS_INT8,
    few_bit_places,
    operator_places,
    places_text,
)
from tflite_squeeze.runtime.session import Endpoint
from tflite_squeeze.tables.table import listed, shape_text
from tflite_squeeze.tflite.fields import (
    TFLM_OPERATORS,
    dtype_name,
    integers,
    items,
    operator_name,
    scales_of,
    shape_of,
    text,
    zero_points_of,
)
from tflite_squeeze.tflite.signatures import LEGACY_UINT8

# Of the builtin operators, by the schema's names.
_NAMES = """
ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM
DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL
EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER
GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG
LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM
MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX
REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT
SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE
SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV
UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""


_BUILTIN = frozenset(_NAMES.split())


# Where the method's name does not follow from the operator's.
_IRREGULAR = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CIRCULAR_BUFFER": "AddCircularBuffer",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "TFLM_DECODE": "AddDecode",
    "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
}


_UPPER = ("2D", "LSTM")


def resolver_method(operator: str) -> str | None:
    """The method of `MicroMutableOpResolver` that registers an operator's kernel.

    Args:
        operator: its built-in name, or the code of a custom one.

    Returns:
        The method's name; None where TFLM has no kernel for it.

    Example:
        >>> resolver_method("DEPTHWISE_CONV_2D")
        'AddDepthwiseConv2D'
    """
    if operator in _IRREGULAR:
        return _IRREGULAR[operator]
    if operator in TFLM_OPERATORS:
        return "Add" + operator.removeprefix("Signal")
    if operator not in _BUILTIN:
        return None
    parts = (part if part in _UPPER else part.capitalize() for part in operator.split("_"))
    return "Add" + "".join(parts)


# Types that both TFLM's interpreter and C have.
HANDED_OVER = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool")
_NODE = re.compile(r"Node (\S+) \(number (\d+)f?\) failed to (\w+)")


def main_inputs(model: Any) -> list[Endpoint]:
    """The inputs of the main subgraph, in its order."""
    return _ends(model, integers(model.subgraphs[0].inputs), "inputs")


def main_outputs(model: Any) -> list[Endpoint]:
    """The outputs of the main subgraph, in its order."""
    return _ends(model, integers(model.subgraphs[0].outputs), "outputs")


def main_signature(model: Any) -> str | None:
    """The key of the signature that calls the main subgraph, if one does."""
    for signature in items(model.signatureDefs):
        if signature.subgraphIndex == 0:
            return text(signature.signatureKey)
    return None


def keeps_state(model: Any) -> bool:
    """Whether a file keeps state from one run to the next."""
    return any(
        tensor.isVariable or dtype_name(tensor) == "resource"
        for graph in model.subgraphs
        for tensor in graph.tensors
    )


def tflm_operators(model: Any) -> tuple[str, ...]:
    """TFLM's own operators in a file, which LiteRT cannot run."""
    return tuple(sorted(TFLM_OPERATORS & used_operators(model).keys()))


def used_operators(model: Any) -> Counter[str]:
    """How often each operator occurs, in all subgraphs."""
    return Counter(
        operator_name(model, operator) for graph in model.subgraphs for operator in graph.operators
    )


def check_supported(model: Any) -> None:
    """Refuses what TFLM cannot run, as far as the file shows.

    Args:
        model: what `read_model` returned.

    Raises:
        UnsupportedError: an operator that TFLM has no kernel for, float16 weights, weights of few
            bits where TFLM takes 8, an input or output of a type that TFLM does not pass in or
            out, or an input with an open shape.
    """
    missing = operator_places(model, lambda _graph, _at, name: resolver_method(name) is None)
    if missing:
        raise UnsupportedError(
            f"TFLM has no kernel for {places_text(missing)}: {_remedy(list(missing))}"
        )
    halves = operator_places(model, _takes_float16)
    if halves:
        raise UnsupportedError(
            f"TFLM does not compute with float16, which {places_text(halves)} takes: convert the "
            f"model again as int8 ({AS_INT8}), or with --quantize none"
        )
    _check_weight_bits(model)
    for end in (*main_inputs(model), *main_outputs(model)):
        if end.dtype not in HANDED_OVER:
            raise UnsupportedError(
                f"{_touched(model, end)} is of type {end.dtype}, which TFLM does not "
                f"pass in or out: "
                f"convert the model again with inputs and outputs of {', '.join(HANDED_OVER)}"
            )
    _check_shapes(model)


def _check_weight_bits(model: Any) -> None:
    """Refuses weights of few bits that no kernel of TFLM takes, found by trying each."""
    few = few_bit_places(model, _takes_too_few_bits)
    if few:
        raise UnsupportedError(
            f"TFLM takes weights of 4 bits in integer convolutions, and in FULLY_CONNECTED with "
            f"one scale for all, and none of 2; this file has others in {places_text(few)}: "
            f"convert the model again with weights of 8 bits ({AS_EIGHT_BITS})"
        )


def _takes_too_few_bits(graph: Any, operator: Any, name: str) -> bool:
    if len(operator.inputs) < 2:
        return True
    source, weights = (graph.tensors[int(operator.inputs[at])] for at in (0, 1))
    if dtype_name(weights) != "int4" or dtype_name(source) not in ("int8", "int16"):
        return True
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return False
    return name != "FULLY_CONNECTED" or len(scales_of(weights)) > 1


def refusal(said: str, quantization: str) -> UnsupportedError:
    """The error for a message of TFLM about a file.

    Args:
        said: the message, in one line.
        quantization: the file's quantization, as `quantization_name` returns it.
    """
    if quantization == LEGACY_UINT8:
        return UnsupportedError(
            f"this file has legacy uint8 quantization, for which TFLM has no kernels: convert the "
            f"model that it came from as int8 ({AS_INT8})"
        )
    node = _NODE.search(said)
    where = f"operator {node[2]}, {node[1]}" if node else "this file"
    why = said.split("; Node ")[0] if node else said
    if "Hybrid models" in said:
        why = "integer weights with float activations, which dynamic quantization makes"
    # Other forms may have a kernel; what is float or int8 already lacks it for the operator itself.
    remedy = _REPLACE if quantization in ("none", "int8") else f"convert it as int8 ({AS_INT8})"
    return UnsupportedError(f"TFLM cannot run {where} ({why[:200]}): {remedy}")


def _ends(model: Any, tensors: tuple[int, ...], kind: str) -> list[Endpoint]:
    """Endpoints with the names that LiteRT gives them: the signature's, or the tensors'."""
    graph = model.subgraphs[0]
    names: dict[int, str] = {}
    for signature in items(model.signatureDefs)[::-1]:
        if signature.subgraphIndex == 0:
            names = {int(end.tensorIndex): text(end.name) for end in getattr(signature, kind)}
    if not names:
        for index in tensors:
            name = text(graph.tensors[index].name) or "tensor"
            names[index] = f"{name}#{index}" if name in names.values() else name
    return [_end(graph.tensors[index], index, names.get(index, "")) for index in tensors]


def _end(tensor: Any, index: int, name: str) -> Endpoint:
    scales = scales_of(tensor)
    single = len(scales) == 1
    return Endpoint(
        name=name or text(tensor.name),
        index=index,
        shape=integers(tensor.shape),  # TFLM does not read the signature of a shape
        dtype=dtype_name(tensor),
        scale=float(scales[0]) if single else 0.0,
        zero_point=int(zero_points_of(tensor)[0]) if single else 0,
    )


def _takes_float16(graph: Any, operator: Any, _name: str) -> bool:
    inputs = [graph.tensors[index] for index in integers(operator.inputs) if index >= 0]
    return any(dtype_name(tensor) == "float16" for tensor in inputs)


_REPLACE = (
    "tflite-squeeze inspect FILE.tflite shows what it computes: replace the layer that it comes "
    "from"
)


def _remedy(missing: list[str]) -> str:
    """What to do about operators that TFLM lacks: whatever stops all of them."""
    if "ethos-u" in missing:
        return "it is already compiled for an Ethos-U NPU: pass the file that Vela compiled it from"
    if missing == ["DENSIFY"]:
        return f"convert the model again with dense weights ({AS_DENSE_INT8})"
    if all(name.startswith("FlexTensorList") for name in missing):
        return f"they hold the steps of a recurrent layer: convert it with --batch 1 ({AS_INT8})"
    if any(name.startswith("Lce") for name in missing):
        return (
            "only Larq Compute Engine has kernels for binarized layers: train the model without "
            f"them and convert it as int8 ({AS_INT8})"
        )
    dense = ", with --sparsity dense for DENSIFY" if "DENSIFY" in missing else ""
    return (
        "tflite-squeeze inspect FILE.tflite shows what they compute: replace the layers that they "
        f"come from and convert the model again{dense}"
    )


def _check_shapes(model: Any) -> None:
    """Refuses inputs with open dimensions other than the batch: TFLM plans its memory ahead.

    Where only the batch is open the file has a shape too, which TFLM takes: mostly a batch of 1.
    """
    for end in main_inputs(model):
        open_shape = shape_of(model.subgraphs[0].tensors[end.index])
        if all(size >= 0 for size in (*end.shape, *open_shape[1:])):
            continue
        raise UnsupportedError(
            f"{_touched(model, end)} has an open shape ({shape_text(open_shape)}), and TFLM plans "
            f"its memory for fixed shapes: convert the model again with --input-shape NAME=1,..., "
            f"or give its Input a fixed shape"
        )


def _touched(model: Any, end: Endpoint) -> str:
    """An input or output, and the operators that read or write it."""
    touching = [
        f"{operator_name(model, operator)} 0:{index}"
        for index, operator in enumerate(model.subgraphs[0].operators)
        if end.index in (*integers(operator.inputs), *integers(operator.outputs))
    ]
    return f"tensor {end.name!r} of {listed(tuple(touching)) or 'no operator'}"
