import math

import pytest

from tests.runtime.runtime_files import int8_dense_file
from tflite_squeeze.microcontrollers.export.export import export_micro
from tflite_squeeze.microcontrollers.export.tables import micro_export_tables
from tflite_squeeze.microcontrollers.profile import profile_micro
from tflite_squeeze.microcontrollers.record import MicroProfile, MicroRecord
from tflite_squeeze.microcontrollers.tables import micro_operator_table, micro_tables
from tflite_squeeze.tables.markdown import to_markdown


@pytest.fixture(scope="module")
def record() -> MicroRecord:
    return profile_micro(int8_dense_file(), MicroProfile(examples=2))


def test_memory_by_kind(record: MicroRecord) -> None:
    memory = micro_tables(record)[0]
    sizes = {row[1]: row[2] for row in memory.rows}
    arena = record.arena
    assert sizes["arena, once planned"] == arena.total_bytes
    assert sizes["head: activations and scratch"] == arena.head_bytes
    assert sizes["tail: persistent"] == arena.tail_bytes
    assert sizes["the file"] == len(int8_dense_file())
    assert memory.columns == ("memory", "what", "bytes")
    assert memory.title == f"sha256 {record.sha256[:12]} on TFLM"


def test_budgets_stand_beside_and_what_is_over_is_said(record: MicroRecord) -> None:
    config = MicroProfile(max_ram_bytes=16)
    over = record.model_copy(update={"config": config, "over_budget": ("the arena is too large",)})
    memory = micro_tables(over)[0]
    assert memory.columns[-1] == "budget"
    assert memory.rows[0][-1] == 16
    assert "OVER BUDGET: the arena is too large" in memory.notes
    assert not any("OVER" in note for note in micro_tables(record)[0].notes)


def test_answers_and_operators(record: MicroRecord) -> None:
    (output,) = record.outputs
    table = micro_tables(record)[1]
    assert table.rows[0][:2] == ("y", "int8")
    same = output.model_copy(update={"sqnr_db": math.inf})
    differ = output.model_copy(update={"sqnr_db": 20.0})
    shown = [
        micro_tables(record.model_copy(update={"outputs": (item,)}))[1].rows[0][5]
        for item in (same, differ)
    ]
    assert shown == ["equal", "20.0"]
    assert micro_operator_table(record).rows == (("FULLY_CONNECTED", 1, "AddFullyConnected"),)
    assert "AddFullyConnected" in to_markdown(micro_tables(record))


def test_a_stream_is_called_one(record: MicroRecord) -> None:
    assert micro_tables(record)[1].notes[0].startswith("the same 2 made-up inputs: x int8 [1, 16]")
    stateful = record.model_copy(update={"stateful": True})
    assert micro_tables(stateful)[1].notes[0].startswith("one stream of 2")


def test_what_was_exported() -> None:
    exported = export_micro(int8_dense_file()).record
    takes, files = micro_export_tables(exported)
    sizes = dict(takes.rows)
    assert sizes["arena in the header"] == exported.arena_bytes
    assert sizes["model, in flash"] == len(int8_dense_file())
    assert sizes["golden vectors, in flash"] == 96
    assert "registered operators: FULLY_CONNECTED" in takes.notes
    assert dict(files.rows) == exported.files
    dull = exported.model_copy(update={"golden_tells": False})
    assert "proves little" in micro_export_tables(dull)[0].notes[-1]


def test_an_output_that_never_changes_proves_little(record: MicroRecord) -> None:
    (output,) = record.outputs
    assert output.varies
    dull = record.model_copy(update={"outputs": (output.model_copy(update={"varies": False}),)})
    assert "y was the same for all of them" in micro_tables(dull)[1].notes[1]
    assert len(micro_tables(record)[1].notes) == 1
