"""Counts of operators."""

from ai_edge_litert import schema_py_generated as schema

from tests.tiny_files import FileMaker, dense_file
from tflite_squeeze.tflite.flatbuffer import count_operators, select_operators


def _file() -> bytes:
    maker = FileMaker()
    x = maker.tensor("x", (1, 2))
    maker.operator("FlexTan", [x], [x], custom=True)
    for _ in range(2):
        maker.operator("NEG", [x], [x], schema.NegOptionsT())
    maker.operator("ADD", [x, x], [x], schema.AddOptionsT())
    return maker.file([x], [x])


def test_the_most_frequent_operator_comes_first() -> None:
    assert list(count_operators(_file()).items()) == [("NEG", 2), ("ADD", 1), ("FlexTan", 1)]


def test_select_operators_are_told_from_built_in_ones() -> None:
    assert select_operators(_file()) == ("FlexTan",)
    assert select_operators(dense_file()) == ()
