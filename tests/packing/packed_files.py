"""Files of every kind of numbers, for the tests of the packed form."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tests.emission.sparse.sparse_files import convolution, dense_chain
from tests.tiny_files import FileMaker, quantization
from tflite_squeeze.emission.sparse.emit import sparsify
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model


def weights_file(values: NDArray[Any] | bytes, dtype: str, zero_point: int | None = None) -> bytes:
    """One constant of any type, that an operator takes."""
    maker = FileMaker()
    about = {} if zero_point is None else {"quantization": quantization([0.5], [zero_point])}
    shape = (len(values),) if isinstance(values, bytes) else values.shape
    x, y = maker.tensor("x", (1,)), maker.tensor("y", (1,))
    w = maker.tensor("w", shape, dtype, data=values, **about)
    maker.operator("CUSTOM", [x, w], [y], custom=True)
    return maker.file([x], [y])


def gaussian(count: int, scale: float, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, scale, count)


def with_weights_behind(tflite: bytes) -> bytes:
    """The same file, the data of its largest buffer after the flatbuffer."""
    model = read_model(tflite)
    largest = max(model.buffers, key=lambda one: 0 if one.data is None else len(one.data))
    content = bytes(largest.data)
    where = (len(tflite) // 4096 + 1) * 4096
    largest.data, largest.offset, largest.size = None, where, len(content)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()).ljust(where, b"\0") + content


def with_channel_scales(channels: int, *, exact: bool) -> bytes:
    """A quantized Dense layer whose bias scales are products, but for one where not exact."""
    maker = FileMaker()
    scales = np.random.default_rng(1).uniform(0.01, 0.02, channels).astype(np.float32)
    bias_scales = scales * np.float32(0.3)
    if not exact:
        bias_scales[7] = 0.5
    x = maker.tensor("x", (1, 8), "int8", quantization=quantization([0.3]))
    w = maker.tensor(
        "w",
        (channels, 8),
        "int8",
        data=np.rint(gaussian(channels * 8, 40)).astype(np.int8).reshape(channels, 8),
        quantization=quantization(scales.tolist()),
    )
    b = maker.tensor(
        "b",
        (channels,),
        "int32",
        data=np.rint(gaussian(channels, 3000)).astype(np.int32),
        quantization=quantization(bias_scales.tolist()),
    )
    y = maker.tensor("y", (1, channels), "int8", quantization=quantization([0.7]))
    maker.operator("FULLY_CONNECTED", [x, w, b], [y], schema.FullyConnectedOptionsT(), version=4)
    return maker.file([x], [y])


def shared_values(zeros: float, values: int) -> NDArray[np.float32]:
    """What pruning and sharing leave: mostly zeros, few other values."""
    generator = np.random.default_rng(2)
    book = generator.normal(0, 0.1, values).astype(np.float32)
    kept = book[generator.integers(0, values, (128, 512))]
    kept[generator.random((128, 512)) < zeros] = 0
    return kept


def _larq_file() -> bytes:
    maker = FileMaker()
    words = np.random.default_rng(3).integers(-(2**31), 2**31, (32, 3, 3, 2)).astype(np.int32)
    x, y = maker.tensor("x", (1, 8, 8, 64)), maker.tensor("y", (1, 8, 8, 32))
    w = maker.tensor("w", words.shape, "int32", data=words)
    maker.operator("LceBconv2d", [x, w], [y], custom=True)
    return maker.file([x], [y])


def _with_equal_weights() -> bytes:
    model = read_model(dense_chain("float32"))
    model.buffers.append(schema.BufferT(data=np.zeros(0, np.uint8)))
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) > 1000:
            buffer.data = np.full(len(buffer.data), 255, np.uint8)  # NaN, all the same
    return pack_model(model)


_SPECIAL = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-40, 3.4e38], np.float32)

FILES = {
    "int8": dense_chain("int8"),
    "float32 zeros": dense_chain("float32"),
    "float16": dense_chain("float16", zeros=0.0),
    "convolution": convolution("int8"),
    "sparse int8": sparsify(dense_chain("int8")).tflite,
    "sparse float32": sparsify(dense_chain("float32")).tflite,
    "behind the flatbuffer": with_weights_behind(dense_chain("int8", zeros=0.0)),
    "products": with_channel_scales(100, exact=True),
    "not quite products": with_channel_scales(100, exact=False),
    "shared values": weights_file(shared_values(0.9, 15), "float32"),
    "few values": weights_file(shared_values(0.5, 7)[:8], "float32"),
    "special floats": weights_file(np.tile(_SPECIAL, 500), "float32"),
    "uint8": weights_file(np.rint(gaussian(5000, 20) + 128).astype(np.uint8), "uint8", 121),
    "int4": weights_file(bytes(np.random.default_rng(4).integers(0, 256, 2000, np.uint8)), "int4"),
    "int16": weights_file(np.rint(gaussian(3000, 2000)).astype(np.int16), "int16", 0),
    "int64": weights_file(np.rint(gaussian(3000, 1e9)).astype(np.int64), "int64", 0),
    "float64": weights_file(gaussian(3000, 1.0), "float64"),
    "rising integers": weights_file(np.arange(3000, dtype=np.int32) * 7, "int32"),
    "noise": weights_file(np.random.default_rng(5).bytes(9000), "uint8"),
    "Larq": _larq_file(),
    "all the same": _with_equal_weights(),
}
