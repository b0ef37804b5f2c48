import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tests.tiny_files import FileMaker, dense_file
from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.flatbuffer import (
    description_of,
    metadata_of,
    operator_names,
    pack_model,
    read_model,
    with_description,
    with_metadata,
)


def _answer(tflite: bytes) -> list[float]:
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, np.float32([[1, 2, 3]]))
    interpreter.invoke()
    return interpreter.get_tensor(3)[0].tolist()


def _buffer_starts(tflite: bytes) -> list[int]:
    root = schema.Model.GetRootAs(tflite)
    buffers = [root.Buffers(index) for index in range(root.BuffersLength())]
    return [
        buffer._tab.Vector(buffer._tab.Offset(4))
        for buffer in buffers
        if not buffer.DataIsNone() and buffer.DataLength()
    ]


def test_a_hand_made_file_runs_and_round_trips() -> None:
    tflite = dense_file()
    # [1·1 + 0·2 - 2·3 + 1, 0.5·1 + 0·2 + 1·3 - 1] through a ReLU
    assert _answer(tflite) == [0.0, 2.5]
    assert operator_names(tflite) == [["FULLY_CONNECTED"]]
    assert pack_model(read_model(tflite)) == tflite


def test_custom_operators_carry_their_own_name() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1,)), maker.tensor("y", (1,))
    maker.operator("FlexErf", [x], [y], custom=True)
    assert operator_names(maker.file([x], [y])) == [["FlexErf"]]


def test_metadata_is_added_replaced_and_changes_no_answer() -> None:
    tflite = dense_file()
    first = with_metadata(tflite, {"min_runtime_version": b"1.5.0", "recipe": b"odd"})
    second = with_metadata(first, {"recipe": b"much longer than before"})
    assert metadata_of(tflite) == {}
    assert metadata_of(second) == {
        "min_runtime_version": b"1.5.0",
        "recipe": b"much longer than before",
    }
    assert with_metadata(first, {"recipe": b"much longer than before"}) == second
    assert _answer(second) == _answer(tflite)
    assert _buffer_starts(second)
    assert all(start % 16 == 0 for start in _buffer_starts(second))


def test_metadata_never_writes_into_a_buffer_that_others_use() -> None:
    model = read_model(dense_file())
    model.metadata = [schema.MetadataT(name="recipe", buffer=1)]  # the weights' own
    tflite = with_metadata(pack_model(model), {"recipe": b"new"})
    assert metadata_of(tflite) == {"recipe": b"new"}
    assert _answer(tflite) == [0.0, 2.5]


def test_the_description_is_replaced() -> None:
    tflite = with_description(dense_file(), "größe")
    assert description_of(tflite) == "größe"
    assert description_of(dense_file()) == ""
    assert _answer(tflite) == [0.0, 2.5]


def _with_weights_behind(cut: int = 0) -> bytes:
    """The file of `dense_file` with its weights after the flatbuffer."""
    model = read_model(dense_file())
    weights = bytes(model.buffers[1].data)
    fields = model.buffers[1]
    fields.data, fields.offset, fields.size = None, 4096, len(weights)
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return (bytes(builder.Output()).ljust(4096, b"\0") + weights)[: 4096 + len(weights) - cut]


def test_weights_behind_the_flatbuffer_come_inside() -> None:
    model = read_model(_with_weights_behind())
    assert np.frombuffer(bytes(model.buffers[1].data), np.float32).tolist() == [
        1, 0, -2, 0.5, 0, 1,
    ]  # fmt: skip
    assert _answer(pack_model(model)) == [0.0, 2.5]
    with pytest.raises(InputError, match="ends at byte 4,120 of 4,119"):
        read_model(_with_weights_behind(cut=1))


@pytest.mark.parametrize("tflite", [b"", b"TFL3", b"PK\3\4 a zip archive", dense_file()[8:]])
def test_other_bytes_are_no_tflite_file(tflite: bytes) -> None:
    with pytest.raises(InputError, match="not a \\.tflite file"):
        read_model(tflite)
