"""Products with matrices."""

import string
from typing import Any

import keras
import numpy as np

from tflite_squeeze.foreign.onnx.registry import Array, Call, Unsupported, handles
from tflite_squeeze.foreign.onnx.values import Axes, Value, flat_order, lifted, stored


@handles("Gemm")
def gemm(call: Call) -> Value:
    """A Dense, whose bias is the third input."""
    if call.attribute("transA", 0):
        raise Unsupported("with its first matrix transposed")
    alpha, beta = call.attribute("alpha", 1.0), call.attribute("beta", 1.0)
    kernel, bias = call.array(1), call.array(2)
    if kernel is None:
        raise Unsupported("without a matrix")
    kernel = np.float32(alpha) * (kernel.T if call.attribute("transB", 0) else kernel)
    units = kernel.shape[1]
    if bias is not None:
        bias = np.broadcast_to(np.float32(beta) * bias.ravel(), (units,))
    return dense(call, kernel, bias)


@handles("MatMul", "FusedMatMulAdd")
def matmul(call: Call) -> Value:
    """A Dense where the second matrix is a constant, else a product of two values."""
    first, second = call.given(0), call.given(1)
    if isinstance(first, Value) and isinstance(second, np.ndarray) and second.ndim == 2:
        return dense(call, second, call.array(2))
    made = _product(call)
    if call.node.kind == "FusedMatMulAdd":
        raise Unsupported("with a bias on a product of two values")
    return made


def dense(call: Call, kernel: Array, bias: Array | None) -> Value:
    """A Dense along the last ONNX axis; what was flattened before goes into its rows' order."""
    value = call.given(0)
    if not isinstance(value, Value):
        raise Unsupported("of a constant with a constant")
    last = len(value.shape) - 1
    if value.flattened is not None and value.axes == (last,):
        axes: Axes = value.axes
        kernel, tensor = kernel[flat_order(value)], value.tensor
    else:
        value = call.value()
        axes = (*(axis for axis in value.large if axis != last), last)
        tensor = stored(value, axes)
    weights = [kernel] if bias is None else [kernel, bias.ravel()]
    tensor = call.layer(
        keras.layers.Dense, tensor, weights, units=kernel.shape[1], use_bias=bias is not None
    )
    return Value(tensor=tensor, axes=axes, shape=call.shape)


def _product(call: Call) -> Value:
    """A product of two values, the axes in front broadcast against each other."""
    rank = len(call.shape)
    first, second = call.either(0), call.either(1)
    if min(len(first.shape), len(second.shape)) < 2:
        raise Unsupported("of a matrix with a vector")
    first, second = lifted(first, rank), lifted(second, rank)
    front = tuple(axis for axis in range(rank - 2) if call.shape[axis] > 1)
    axes = (*front, rank - 2, rank - 1)
    tensor = keras.ops.matmul(stored(first, axes), stored(second, axes))
    return Value(tensor=tensor, axes=axes, shape=call.shape)


@handles("Einsum")
def einsum(call: Call) -> Value:
    """An Einsum of values, or of a value with a weight, batch in front."""
    equation = call.attribute("equation").replace(" ", "")
    if "..." in equation or "->" not in equation:
        raise Unsupported(f"with the equation {equation!r}")
    terms, result = equation.split("->")
    values = [call.either(index) for index in range(len(call.inputs))]
    batch = next(letter for letter in string.ascii_letters if letter not in equation)
    tensors: list[Any] = []
    written: list[str] = []
    for letters, value in zip(terms.split(","), values, strict=True):
        tensors.append(value.tensor)
        written.append(batch + "".join(letters[axis] for axis in value.axes))
    axes = tuple(
        axis for axis, letter in enumerate(result) if any(letter in one for one in written)
    )
    kept = "".join(result[axis] for axis in axes)
    tensor = keras.ops.einsum(f"{','.join(written)}->{batch}{kept}", *tensors)
    return Value(tensor=tensor, axes=axes, shape=call.shape)
