"""When XNNPACK would use its sparse kernels."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.emission.sparse.sparse_files import convolution, dense_chain, sparse_values
from tests.tiny_files import FileMaker
from tflite_squeeze.emission.sparse.weights import sparse_kernels
from tflite_squeeze.tflite.flatbuffer import read_model


def _network(*, pad: int = 1, zeros: float = 0.8, mean: bool = True) -> str:
    """PAD, a stem of 3x3 and stride 2, a 1x1 convolution, a global average."""
    maker = FileMaker()
    x = maker.tensor("x", (1, 16, 16, 3))
    pads = maker.tensor("pads", (4, 2), "int32", data=np.int32([0, 0, pad, 1, pad, 1, 0, 0]))
    padded = maker.tensor("padded", (1, 17 + pad, 17 + pad, 3))
    maker.operator("PAD", [x, pads], [padded])
    source = padded
    for name, shape, stride in (("stem", (8, 3, 3, 3), 2), ("point", (16, 1, 1, 8), 1)):
        values = sparse_values(shape, zeros if name == "point" else 0.0, "float32")
        kernel = maker.tensor(name, shape, data=values)
        bias = maker.tensor(f"{name}/bias", shape[:1], data=np.zeros(shape[0], np.float32))
        result = maker.tensor(f"{name}/out", (1, 8, 8, shape[0]))
        options = schema.Conv2DOptionsT(
            padding=schema.Padding.VALID, strideH=stride, strideW=stride
        )
        maker.operator("CONV_2D", [source, kernel, bias], [result], options)
        source = result
    if mean:
        axes = maker.tensor("axes", (2,), "int32", data=np.int32([1, 2]))
        result = maker.tensor("mean", (1, 16))
        maker.operator("MEAN", [source, axes], [result], schema.ReducerOptionsT())
        source = result
    return sparse_kernels(read_model(maker.file([x], [source])))


def test_a_network_that_fits_gets_them_on_arm() -> None:
    assert _network().startswith("on Arm: XNNPACK can run 1 1x1 convolutions")
    assert "never on x86 with AVX" in _network()


def test_each_condition_is_named_where_it_fails() -> None:
    assert "2/3 zeros" in _network(zeros=0.5)
    assert "one pixel of padding on each side" in _network(pad=0)
    assert "global average" in _network(mean=False)
    assert "there are none" in sparse_kernels(read_model(convolution()))
    assert "there are none" in sparse_kernels(read_model(dense_chain("int8")))
