"""Files of one integer layer."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tests.tiny_files import FileMaker, quantization

_VERSIONS = {"FULLY_CONNECTED": 4, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3}
SIDE = 6


def layer_scales(codes: NDArray[Any], axis: int, *, per_channel: bool) -> NDArray[np.float32]:
    """Scales that differ, or one."""
    count = codes.shape[axis] if per_channel else 1
    return np.linspace(0.01, 0.02, count).astype(np.float32)


def integer_layer(
    name: str,
    codes: NDArray[Any],
    *,
    stride: int = 1,
    per_channel: bool = True,
    activations: str = "int8",
    bias: NDArray[Any] | None = None,
) -> bytes:
    """x → one layer with int8 weights "w" → y; images are 6x6 with SAME padding."""
    maker = FileMaker()
    axis = 3 if name == "DEPTHWISE_CONV_2D" else 0
    outputs, wide = codes.shape[axis], activations == "int16"
    scales = layer_scales(codes, axis, per_channel=per_channel)
    into, out = (0.001, 0.002) if wide else (0.05, 0.03)
    shapes: tuple[tuple[int, ...], tuple[int, ...]] = (1, codes.shape[-1]), (1, outputs)
    options: Any = schema.FullyConnectedOptionsT()
    if name != "FULLY_CONNECTED":
        side = -(-SIDE // stride)
        shapes = (1, SIDE, SIDE, codes.shape[-1]), (1, side, side, outputs)
        depthwise = {"depthMultiplier": 1} if axis else {}
        kind = schema.DepthwiseConv2DOptionsT if axis else schema.Conv2DOptionsT
        options = kind(strideW=stride, strideH=stride, padding=schema.Padding.SAME, **depthwise)
    point = 0 if wide else -3
    x = maker.tensor("x", shapes[0], activations, quantization=quantization([into], [point]))
    about = quantization(scales.tolist(), None, axis)
    w = maker.tensor("w", codes.shape, "int8", data=codes, quantization=about)
    kind = "int64" if wide else "int32"
    values = np.arange(outputs) - 2 if bias is None else bias
    biases = {"quantization": quantization((into * scales).tolist())}
    b = maker.tensor("b", (outputs,), kind, data=values.astype(kind), **biases)
    y = maker.tensor("y", shapes[1], activations, quantization=quantization([out], [-point]))
    maker.operator(name, [x, w, b], [y], options, version=_VERSIONS[name])
    return maker.file([x], [y])
