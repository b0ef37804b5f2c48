import numpy as np

from tests.tiny_files import FileMaker, dense_file
from tflite_squeeze.tables.markdown import to_markdown
from tflite_squeeze.tflite.size import size_ledger
from tflite_squeeze.tflite.size_tables import size_tables


def test_the_parts_and_the_whole() -> None:
    ledger = size_ledger(dense_file())
    parts, types = size_tables(ledger)
    sizes = {row[0]: row[1] for row in parts.rows}
    assert sizes["file"] == ledger.raw_bytes
    assert sum(sizes.values()) == 2 * ledger.raw_bytes
    assert types.rows == (("float32", 32, 32 / ledger.raw_bytes),)
    assert f"download (gzip -9): {ledger.download_bytes:,} bytes" in parts.notes
    assert "8 parameters, 2 of them zero; 6 multiply-accumulates a run" in parts.notes
    assert "weights" in to_markdown([parts, types])


def test_what_is_not_known_is_said() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1,)), maker.tensor("y", (1,))
    maker.operator("FlexErf", [x], [y], custom=True)
    parts, _ = size_tables(size_ledger(maker.file([x], [y])))
    assert "multiply-accumulates not known of: FlexErf" in parts.notes
    complete, _ = size_tables(size_ledger(dense_file()))
    assert not [note for note in complete.notes if "not known" in note]


def test_binary_operations_are_shown_apart() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 4, 4, 2), "int32"), maker.tensor("y", (1, 4, 4, 2), "int32")
    weights = maker.tensor("w", (64, 3, 3, 2), "int32", data=np.zeros(64 * 18, np.int32))
    maker.operator("LceBconv2d", [x, weights], [y], custom=True)
    parts, _ = size_tables(size_ledger(maker.file([x], [y])))
    assert f"{16 * 64 * 18 * 32:,} multiply-accumulates on single bits" in parts.notes
    assert f"{64 * 18 * 32:,} parameters" in parts.notes[2]
