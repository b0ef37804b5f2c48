"""Is an integer file integer throughout? On hand-made files."""

from ai_edge_litert import schema_py_generated as schema

from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.tflite.signatures import float_operators


def _file(*, island: bool) -> bytes:
    """QUANTIZE, [DEQUANTIZE, EXP, QUANTIZE,] DEQUANTIZE."""
    maker = FileMaker()
    scale = quantization([0.1])
    x = maker.tensor("x", (1, 3))
    q = maker.tensor("q", (1, 3), "int8", quantization=scale)
    maker.operator("QUANTIZE", [x], [q], schema.QuantizeOptionsT())
    if island:
        real = maker.tensor("real", (1, 3))
        raised = maker.tensor("raised", (1, 3))
        again = maker.tensor("again", (1, 3), "int8", quantization=scale)
        maker.operator("DEQUANTIZE", [q], [real], schema.DequantizeOptionsT())
        maker.operator("EXP", [real], [raised], schema.ExpOptionsT())
        maker.operator("QUANTIZE", [raised], [again], schema.QuantizeOptionsT())
        q = again
    y = maker.tensor("y", (1, 3))
    maker.operator("DEQUANTIZE", [q], [y], schema.DequantizeOptionsT())
    return maker.file([x], [y])


def test_the_interface_of_an_integer_file_may_be_real() -> None:
    assert float_operators(_file(island=False)) == ()


def test_a_float_island_is_named_with_its_shores() -> None:
    assert float_operators(_file(island=True)) == (
        "DEQUANTIZE → real",
        "EXP → raised",
        "QUANTIZE → again",
    )


def test_a_float_file_is_real_throughout() -> None:
    assert float_operators(dense_file()) == ("FULLY_CONNECTED → y",)
