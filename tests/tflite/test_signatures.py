"""What a file takes, puts out and is quantized to, on hand-made files."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.runtime.runtime_files import quantized_file, uint8_dense_file
from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.flatbuffer import pack_model
from tflite_squeeze.tflite.signatures import quantization_name, signatures_of


def _add(dtype: str, *, scaled: bool = True) -> bytes:
    """x + x in one type."""
    maker = FileMaker()
    scale = quantization([0.5]) if scaled and dtype != "float32" else None
    x = maker.tensor("x", (1, 2), dtype, quantization=scale)
    y = maker.tensor("y", (1, 2), dtype, quantization=scale)
    maker.operator("ADD", [x, x], [y], schema.AddOptionsT())
    return maker.file([x], [y])


def _dense(weights: str, *, through_dequantize: bool = False) -> bytes:
    maker = FileMaker()
    x = maker.tensor("x", (1, 2))
    kinds = {"int8": np.int8, "float16": np.float16, "float32": np.float32}
    w = maker.tensor("w", (1, 2), weights, data=np.ones((1, 2), kinds[weights]))
    if through_dequantize:
        real = maker.tensor("real", (1, 2))
        maker.operator("DEQUANTIZE", [w], [real], schema.DequantizeOptionsT())
        w = real
    y = maker.tensor("y", (1, 1))
    maker.operator("FULLY_CONNECTED", [x, w, -1], [y], schema.FullyConnectedOptionsT())
    return maker.file([x], [y])


@pytest.mark.parametrize(
    ("tflite", "name"),
    [
        (dense_file(), "none"),
        (_add("float32"), "none"),
        (_add("int8"), "int8"),
        (_add("uint8"), "legacy uint8"),
        (_add("uint8", scaled=False), "none"),
        (uint8_dense_file(), "legacy uint8"),
        (quantized_file("uint8", 0.5, 3), "none"),
        (_add("int16"), "int16x8"),
        (_dense("int8"), "dynamic"),
        (_dense("float16", through_dequantize=True), "float16"),
        (_dense("int8", through_dequantize=True), "dynamic"),
    ],
)
def test_quantization_is_told_from_the_tensors(tflite: bytes, name: str) -> None:
    assert quantization_name(tflite) == name


def test_a_file_without_signatures_has_its_main_subgraph() -> None:
    (found,) = signatures_of(dense_file())
    assert (found.name, found.inputs, found.outputs) == (None, {"x": (1, 3)}, {"y": (1, 2)})


def test_tensors_of_one_name_are_told_apart() -> None:
    maker = FileMaker()
    a, b = maker.tensor("x", (1, 2)), maker.tensor("x", (1, 3))
    unnamed = maker.tensor("", (1, 4))
    (found,) = signatures_of(maker.file([a, b, unnamed], []))
    assert found.inputs == {"x": (1, 2), "x#1": (1, 3), "tensor": (1, 4)}


def test_signatures_and_open_dimensions() -> None:
    maker = FileMaker()
    x = maker.tensor("serve_x:0", (1, 3), signature=(-1, 3))
    y = maker.tensor("y:0", (1, 3))
    maker.operator("ADD", [x, x], [y], schema.AddOptionsT())
    model = maker.model([x], [y])
    model.signatureDefs = [
        schema.SignatureDefT(
            signatureKey="serve",
            subgraphIndex=0,
            inputs=[schema.TensorMapT(name="x", tensorIndex=x)],
            outputs=[schema.TensorMapT(name="sum", tensorIndex=y)],
        )
    ]
    (found,) = signatures_of(pack_model(model))
    assert (found.name, found.inputs, found.outputs) == (
        "serve",
        {"x": (-1, 3)},
        {"sum": (1, 3)},
    )


def test_a_damaged_file_is_refused() -> None:
    for read in (signatures_of, quantization_name):
        with pytest.raises(InputError):
            read(dense_file()[:40])
