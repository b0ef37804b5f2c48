"""Hand-made files with zeros, for the tests of sparse encodings."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from tests.tiny_files import FileMaker, quantization

RELU = schema.ActivationFunctionType.RELU


def sparse_values(shape: tuple[int, ...], zeros: float, dtype: str, seed: int = 0) -> NDArray[Any]:
    generator = np.random.default_rng(seed)
    values = generator.integers(1, 127, shape) * generator.choice((-1, 1), shape)
    kept = np.where(generator.random(shape) < zeros, 0, values)
    return kept.astype("int8") if dtype == "int8" else (kept / 512).astype(dtype)


def dense_chain(
    dtype: str = "float32", *, zeros: float = 0.95, batch: int = 1, bias: bool = True
) -> bytes:
    """RESHAPE, two FULLY_CONNECTED: 16x32 image, 512 → 96 → 10; weights of the given type."""
    maker = FileMaker()
    real = "int8" if dtype == "int8" else "float32"
    about = {"quantization": quantization([0.05])} if real == "int8" else {}
    x = maker.tensor("x", (batch, 16, 32), real, **about)
    shape = maker.tensor("shape", (2,), "int32", data=np.int32([batch, 512]))
    source = maker.tensor("flat", (batch, 512), real, **about)
    maker.operator("RESHAPE", [x, shape], [source])
    for name, (outputs, inputs) in {"first": (96, 512), "second": (10, 96)}.items():
        kernel = _kernel(maker, name, (outputs, inputs), dtype, zeros)
        result = maker.tensor(f"{name}/out", (batch, outputs), real, **about)
        offset = _bias(maker, name, outputs, real) if bias else -1
        options = schema.FullyConnectedOptionsT(fusedActivationFunction=RELU)
        maker.operator("FULLY_CONNECTED", [source, kernel, offset], [result], options, version=4)
        source = result
    return maker.file([x], [source])


def convolution(dtype: str = "float32", *, zeros: float = 0.9) -> bytes:
    """One SAME CONV_2D of 3x3 on an 8x8x16 image with 32 outputs."""
    maker = FileMaker()
    real = "int8" if dtype == "int8" else "float32"
    about = {"quantization": quantization([0.05])} if real == "int8" else {}
    x = maker.tensor("x", (1, 8, 8, 16), real, **about)
    kernel = _kernel(maker, "conv", (32, 3, 3, 16), dtype, zeros)
    y = maker.tensor("y", (1, 8, 8, 32), real, **about)
    options = schema.Conv2DOptionsT(padding=schema.Padding.SAME, strideW=1, strideH=1)
    maker.operator("CONV_2D", [x, kernel, _bias(maker, "conv", 32, real)], [y], options, version=3)
    return maker.file([x], [y])


def answer(tflite: bytes, *, delegate: bool = True) -> list[bytes]:
    """The output's bytes for three inputs, with XNNPACK or with the built-in kernels alone."""
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        model_content=tflite,
        experimental_op_resolver_type=OpResolverType.AUTO if delegate else plain,
    )
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    answers = []
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-100, 100, source["shape"])
        x = x if np.issubdtype(source["dtype"], np.integer) else x / 64
        interpreter.set_tensor(source["index"], x.astype(source["dtype"]))
        interpreter.invoke()
        answers.append(interpreter.get_tensor(result["index"]).tobytes())
    return answers


def _kernel(maker: FileMaker, name: str, shape: tuple[int, ...], dtype: str, zeros: float) -> int:
    values = sparse_values(shape, zeros, dtype)
    scales = np.linspace(0.01, 0.02, shape[0]).tolist()
    about = {"quantization": quantization(scales)} if dtype == "int8" else {}
    kernel = maker.tensor(name, shape, dtype, data=values, **about)
    if dtype != "float16":
        return kernel
    real = maker.tensor(f"{name}/real", shape)
    maker.operator("DEQUANTIZE", [kernel], [real], version=3)
    return real


def _bias(maker: FileMaker, name: str, outputs: int, real: str) -> int:
    values = np.arange(outputs) - 3
    if real == "float32":
        return maker.tensor(f"{name}/bias", (outputs,), data=values.astype(np.float32))
    scales = (np.linspace(0.01, 0.02, outputs) * 0.05).tolist()
    about = quantization(scales)
    return maker.tensor(
        f"{name}/bias", (outputs,), "int32", data=values.astype(np.int32), quantization=about
    )
