"""Hand-made .tflite files, small enough to count their bytes and operations on paper."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.tflite.flatbuffer import pack_model

TYPES = {name.lower(): value for name, value in vars(schema.TensorType).items() if name[0] != "_"}


def quantization(
    scale: list[float], zero_point: list[int] | None = None, dimension: int = 0
) -> schema.QuantizationParametersT:
    return schema.QuantizationParametersT(
        scale=np.asarray(scale, np.float32),
        zeroPoint=np.asarray(zero_point or [0] * len(scale), np.int64),
        quantizedDimension=dimension,
    )


class FileMaker:
    """Collects tensors and operators of one subgraph and writes the file."""

    def __init__(self) -> None:
        self.buffers = [schema.BufferT()]
        self.tensors: list[schema.TensorT] = []
        self.operators: list[schema.OperatorT] = []
        self.codes: list[schema.OperatorCodeT] = []

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str = "float32",
        *,
        data: bytes | NDArray[Any] | None = None,
        signature: tuple[int, ...] | None = None,
        **fields: Any,
    ) -> int:
        buffer = 0
        if data is not None:
            content = data if isinstance(data, bytes) else data.tobytes()
            self.buffers.append(schema.BufferT(data=content))
            buffer = len(self.buffers) - 1
        tensor = schema.TensorT(
            shape=np.asarray(shape, np.int32), type=TYPES[dtype], buffer=buffer, name=name, **fields
        )
        if signature is not None:
            tensor.shapeSignature = np.asarray(signature, np.int32)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(
        self,
        name: str,
        inputs: list[int],
        outputs: list[int],
        options: Any = None,
        *,
        custom: bool = False,
        version: int = 1,
    ) -> None:
        number = schema.BuiltinOperator.CUSTOM if custom else getattr(schema.BuiltinOperator, name)
        self.codes.append(
            schema.OperatorCodeT(
                deprecatedBuiltinCode=min(number, 127),
                builtinCode=number,
                version=version,
                customCode=name if custom else None,
            )
        )
        operator = schema.OperatorT(
            opcodeIndex=len(self.codes) - 1,
            inputs=np.asarray(inputs, np.int32),
            outputs=np.asarray(outputs, np.int32),
        )
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(
                schema.BuiltinOptions, type(options).__name__.removesuffix("T")
            )
        self.operators.append(operator)

    def model(self, inputs: list[int], outputs: list[int]) -> schema.ModelT:
        graph = schema.SubGraphT(
            tensors=self.tensors,
            operators=self.operators,
            inputs=np.asarray(inputs, np.int32),
            outputs=np.asarray(outputs, np.int32),
            name="main",
        )
        return schema.ModelT(
            version=3, operatorCodes=self.codes, subgraphs=[graph], buffers=self.buffers
        )

    def file(self, inputs: list[int], outputs: list[int]) -> bytes:
        return pack_model(self.model(inputs, outputs))


def dense_file() -> bytes:
    """One FULLY_CONNECTED of 3 inputs and 2 outputs: 6 weights, 2 biases, fused ReLU."""
    maker = FileMaker()
    x = maker.tensor("x", (1, 3))
    weights = maker.tensor("w", (2, 3), data=np.float32([[1, 0, -2], [0.5, 0, 1]]))
    bias = maker.tensor("b", (2,), data=np.float32([1, -1]))
    y = maker.tensor("y", (1, 2))
    options = schema.FullyConnectedOptionsT(
        fusedActivationFunction=schema.ActivationFunctionType.RELU
    )
    maker.operator("FULLY_CONNECTED", [x, weights, bias], [y], options)
    return maker.file([x], [y])


def moving(
    name: str,
    scales: tuple[float, ...],
    *,
    outputs: int = 1,
    dtype: str = "int8",
    axis: bool = False,
) -> bytes:
    """One operator whose tensors have these scales, the outputs last."""
    file = FileMaker()
    tensors = [
        file.tensor(f"t{at}", (1, 4), dtype, quantization=quantization([scale]))
        for at, scale in enumerate(scales)
    ]
    inputs = tensors[: len(tensors) - outputs]
    first = [file.tensor("axis", (), "int32", data=np.int32(1))] if axis else []
    file.operator(name, [*first, *inputs], tensors[len(inputs) :])
    return file.file(inputs, tensors[len(inputs) :])


def state(*users: tuple[str, int]) -> bytes:
    """Operators that read one variable tensor, each at a place among its inputs."""
    file = FileMaker()
    x = file.tensor("x", (1, 2))
    variable = file.tensor("state", (1, 2), isVariable=True)
    outputs = []
    for name, slot in users:
        outputs.append(file.tensor("y", (1, 2)))
        file.operator(name, [x] * slot + [variable], outputs[-1:])
    return file.file([x], outputs)
