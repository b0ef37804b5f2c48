import numpy as np
import pytest

from tflite_squeeze.comparison.limits import NAMES, file_accuracy
from tflite_squeeze.comparison.record import (
    Compare,
    CompareRecord,
    Figures,
    FileAccuracy,
    FileCompared,
    Ratio,
)
from tflite_squeeze.comparison.tables import compare_tables, comparison_table, figures_table
from tflite_squeeze.runtime.machine import this_machine
from tflite_squeeze.tables.markdown import to_csv, to_markdown


def _file(name: str, ratio: float, accuracy: FileAccuracy | None) -> FileCompared:
    return FileCompared(
        file=name,
        sha256="",
        quantization="int8",
        raw_bytes=1000,
        download_bytes=500,
        figures=(
            Figures(
                runtime="litert",
                arena_bytes=64,
                latency_us=10 * ratio,
                latency_ratio=Ratio(value=ratio, low=ratio - 0.1, high=ratio + 0.1),
            ),
            Figures(runtime="micro", unavailable="no kernel for DENSIFY"),
        ),
        accuracy=accuracy,
        failed=("latency_ratio > 1 on litert (latency_ratio is 1.5)",) if ratio > 1 else (),
    )


@pytest.fixture
def record() -> CompareRecord:
    labels = np.array([0] * 40 + [1] * 40)
    first, worse = labels.copy(), labels.copy()
    worse[:30] = 1
    return CompareRecord(
        config=Compare(runtimes=("litert", "micro")),
        files=(
            _file("a.tflite", 1.0, file_accuracy("y", first, first, labels)),
            _file("b.tflite", 1.5, file_accuracy("y", first, worse, labels, ("no", "yes"))),
        ),
        data="set",
        machine=this_machine(),
    )


def test_a_row_per_file_and_runtime(record: CompareRecord) -> None:
    table = comparison_table(record)
    assert [row[:3] for row in table.rows] == [
        ("a.tflite", "int8", "litert"),
        ("a.tflite", "int8", "micro"),
        ("b.tflite", "int8", "litert"),
        ("b.tflite", "int8", "micro"),
    ]
    first, _, other, unavailable = (
        dict(zip(table.columns, row, strict=True)) for row in table.rows
    )
    assert (first["ratio"], first["accuracy"], first["p"]) == (None, "100.00%", None)
    assert (other["ratio"], other["95 % interval"]) == (1.5, "[1.400, 1.600]")
    assert (other["accuracy"], other["Δ (points)"]) == ("62.50%", "-37.50")
    assert other["p"] == "< 0.0001"
    assert unavailable["latency (µs)"] is None
    notes = "\n".join(table.notes)
    assert "a.tflite on micro: no kernel for DENSIFY" in notes
    assert "b.tflite fails: latency_ratio > 1 on litert" in notes
    assert "arena: of the built-in kernels (litert); TFLM's smallest (micro)" in notes
    assert "median of 20 turns" in notes
    assert "on 80 labelled examples of set" in notes


def test_classes_that_lose(record: CompareRecord) -> None:
    _, classes = compare_tables(record)
    assert classes.rows == (("b.tflite", "no", 40, "100.00%", "25.00%", "-75.00", "< 0.0001"),)
    assert "Classes that lose" in to_markdown([classes])


def test_no_data_no_accuracy(record: CompareRecord) -> None:
    bare = record.model_copy(
        update={
            "data": None,
            "files": tuple(one.model_copy(update={"accuracy": None}) for one in record.files),
        }
    )
    (table,) = compare_tables(bare)
    assert "accuracy" not in table.columns
    assert not [note for note in table.notes if "labelled" in note]


def test_estimates_have_no_turns(record: CompareRecord) -> None:
    config = Compare(runtimes=("ethos-u55-128",))
    notes = comparison_table(record.model_copy(update={"config": config})).notes
    assert "arena: SRAM and DRAM, estimated by Vela (ethos-u55-128)" in notes
    assert not [note for note in notes if "turns" in note]


def test_csv_holds_every_figure(record: CompareRecord) -> None:
    header, _, _, row, _ = to_csv([figures_table(record)]).splitlines()
    assert header.split(",")[3:] == list(NAMES)
    found = dict(zip(header.split(","), row.split(","), strict=True))
    assert (found["latency_ratio"], found["accuracy_drop"]) == ("1.5", "0.375")
    assert found["flash_bytes"] == ""


def test_records_survive_json(record: CompareRecord) -> None:
    assert CompareRecord.model_validate_json(record.model_dump_json()) == record
