"""Hand-made files for what a runtime meets: state, signatures, open shapes, quantized inputs."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model


def with_signature(
    tflite: bytes, key: str, inputs: dict[str, int], outputs: dict[str, int]
) -> bytes:
    model = read_model(tflite)
    model.signatureDefs = [_signature(key, inputs, outputs)]
    return pack_model(model)


def named_dense_file() -> bytes:
    """The dense layer of `tiny_files`, with signature serve(features) → scores."""
    model = read_model(dense_file())
    graph = model.subgraphs[0]
    return with_signature(
        dense_file(), "serve", {"features": graph.inputs[0]}, {"scores": graph.outputs[0]}
    )


def relu_file(shape: tuple[int, ...], open_shape: tuple[int, ...] | None = None) -> bytes:
    """y = max(x, 0)."""
    maker = FileMaker()
    x = maker.tensor("x", shape, signature=open_shape, hasRank=True)
    y = maker.tensor("y", shape, signature=open_shape, hasRank=True)
    maker.operator("RELU", [x], [y])
    return maker.file([x], [y])


def quantized_file(dtype: str, scale: float, zero_point: int) -> bytes:
    """An integer input, dequantized, halved through a second type, quantized again."""
    maker = FileMaker()
    parameters = quantization([scale], [zero_point])
    q = maker.tensor("q", (1, 4), dtype, quantization=parameters)
    real = maker.tensor("real", (1, 4))
    out = maker.tensor("out", (1, 4), dtype, quantization=parameters)
    maker.operator("DEQUANTIZE", [q], [real], version=2)
    maker.operator("QUANTIZE", [real], [out])
    return maker.file([q], [out])


def int8_dense_file() -> bytes:
    """y = x @ w' + b in steps: x of 1/2, w of 1/4, y of 1/8; signature serve(x) → y."""
    maker = FileMaker()
    x = maker.tensor("x", (1, 16), "int8", quantization=quantization([0.5]))
    levels = (np.arange(8 * 16) % 7 - 3).astype(np.int8).reshape(8, 16)
    w = maker.tensor("w", (8, 16), "int8", data=levels, quantization=quantization([0.25]))
    ones = np.full(8, 8, np.int32)
    b = maker.tensor("b", (8,), "int32", data=ones, quantization=quantization([0.125]))
    y = maker.tensor("y", (1, 8), "int8", quantization=quantization([0.125]))
    maker.operator("FULLY_CONNECTED", [x, w, b], [y], schema.FullyConnectedOptionsT(), version=4)
    return with_signature(maker.file([x], [y]), "serve", {"x": x}, {"y": y})


def svdf_file() -> bytes:
    """y_t = x_t + x_(t-1), with x_(t-1) in a variable tensor that the interpreter can reset."""
    maker = FileMaker()
    x = maker.tensor("x", (1, 1))
    feature = maker.tensor("feature", (1, 1), data=np.float32([[1]]))
    times = maker.tensor("times", (1, 2), data=np.float32([[1, 1]]))
    state = maker.tensor("state", (1, 2), isVariable=True)
    y = maker.tensor("y", (1, 1))
    maker.operator("SVDF", [x, feature, times, -1, state], [y], schema.SVDFOptionsT(rank=1))
    return maker.file([x], [y])


def counter_file() -> bytes:
    """y = x + v; v = y, with v a resource variable that begins at 10."""
    main, init = FileMaker(), FileMaker()
    init.buffers, init.codes = main.buffers, main.codes
    handle_options = schema.VarHandleOptionsT(sharedName="v")
    handle = init.tensor("handle", (), "resource")
    ten = init.tensor("ten", (1, 1), data=np.float32([[10]]))
    init.operator("VAR_HANDLE", [], [handle], handle_options)
    init.operator("ASSIGN_VARIABLE", [handle, ten], [], schema.AssignVariableOptionsT())
    x = main.tensor("x", (1, 1))
    handle = main.tensor("handle", (), "resource")
    v = main.tensor("v", (1, 1))
    y = main.tensor("y", (1, 1))
    main.operator("CALL_ONCE", [], [], schema.CallOnceOptionsT(initSubgraphIndex=1))
    main.operator("VAR_HANDLE", [], [handle], handle_options)
    main.operator("READ_VARIABLE", [handle], [v], schema.ReadVariableOptionsT())
    main.operator("ADD", [v, x], [y], schema.AddOptionsT())
    main.operator("ASSIGN_VARIABLE", [handle, y], [], schema.AssignVariableOptionsT())
    return _two_graphs(main, ([x], [y]), init, ([], []), [])


def two_signatures_file() -> bytes:
    """Signatures relu(x) and negate(x), each a subgraph of its own."""
    first, second = FileMaker(), FileMaker()
    second.buffers, second.codes = first.buffers, first.codes
    ends = []
    for maker, name in ((first, "RELU"), (second, "NEG")):
        x, y = maker.tensor("in", (1, 2)), maker.tensor("out", (1, 2))
        maker.operator(name, [x], [y], schema.NegOptionsT() if name == "NEG" else None)
        ends.append(([x], [y]))
    signatures = [
        _signature("relu", {"x": 0}, {"y": 1}),
        _signature("negate", {"x": 0}, {"y": 1}, subgraph=1),
    ]
    return _two_graphs(first, ends[0], second, ends[1], signatures)


def crashing_file() -> bytes:
    """Two subgraphs that call each other, x → y: the runtime follows until its stack is full."""
    first, second = FileMaker(), FileMaker()
    second.buffers, second.codes = first.buffers, first.codes
    for maker, other in ((first, 1), (second, 0)):
        x, y = maker.tensor("x", (), "bool"), maker.tensor("y", (), "bool")
        options = schema.IfOptionsT(thenSubgraphIndex=other, elseSubgraphIndex=other)
        maker.operator("IF", [x, x], [y], options)
    return _two_graphs(first, ([0], [1]), second, ([0], [1]), [])


def constant_file() -> bytes:
    """No input; y = max([-1, 2], 0)."""
    maker = FileMaker()
    x = maker.tensor("x", (1, 2), data=np.float32([[-1, 2]]))
    y = maker.tensor("y", (1, 2))
    maker.operator("RELU", [x], [y])
    return maker.file([], [y])


def custom_file(name: str) -> bytes:
    """One custom operator."""
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 2)), maker.tensor("y", (1, 2))
    maker.operator(name, [x], [y], custom=True)
    return maker.file([x], [y])


def fft_scale_file() -> bytes:
    """One of TFLM's signal operators: integers shifted to the left as far as they fit."""
    maker = FileMaker()
    x, y = maker.tensor("x", (8,), "int16"), maker.tensor("y", (8,), "int16")
    shift = maker.tensor("shift", (), "int32")
    maker.operator("SignalFftAutoScale", [x], [y, shift], custom=True)
    return maker.file([x], [y, shift])


def uint8_dense_file() -> bytes:
    """A dense layer as converters quantized it before int8."""
    maker = FileMaker()
    x = maker.tensor("x", (1, 4), "uint8", quantization=quantization([0.5], [128]))
    levels = np.full((2, 4), 130, np.uint8)
    w = maker.tensor("w", (2, 4), "uint8", data=levels, quantization=quantization([0.25], [128]))
    ones = np.int32([1, 2])
    b = maker.tensor("b", (2,), "int32", data=ones, quantization=quantization([0.125]))
    y = maker.tensor("y", (1, 2), "uint8", quantization=quantization([0.125], [128]))
    maker.operator("FULLY_CONNECTED", [x, w, b], [y], schema.FullyConnectedOptionsT())
    return maker.file([x], [y])


def _signature(
    key: str, inputs: dict[str, int], outputs: dict[str, int], subgraph: int = 0
) -> schema.SignatureDefT:
    maps = [
        [schema.TensorMapT(name=name, tensorIndex=int(index)) for name, index in names.items()]
        for names in (inputs, outputs)
    ]
    return schema.SignatureDefT(
        signatureKey=key, inputs=maps[0], outputs=maps[1], subgraphIndex=subgraph
    )


def _two_graphs(
    main: FileMaker, ends: Any, other: FileMaker, other_ends: Any, signatures: list[Any]
) -> bytes:
    model = main.model(*ends)
    model.subgraphs.append(other.model(*other_ends).subgraphs[0])
    model.signatureDefs = signatures
    return pack_model(model)
