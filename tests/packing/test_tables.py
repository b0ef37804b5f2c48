import pytest

from tflite_squeeze.packing.ledger import PackedLedger
from tflite_squeeze.packing.record import PackRecord
from tflite_squeeze.packing.tables import pack_tables


def _record(packed_bytes: int) -> PackRecord:
    return PackRecord(
        raw_bytes=1000,
        download_bytes=800,
        xz_bytes=700,
        packed_bytes=packed_bytes,
        entropy_bytes=500,
    )


def test_every_form_and_its_share() -> None:
    (table,) = pack_tables(_record(600), "net.tflite")
    assert table.title == "Packing of net.tflite"
    assert [row[1:] for row in table.rows] == [(1000, 1.0), (800, 0.8), (700, 0.7), (600, 0.6)]
    assert table.notes[0].startswith("+25.0% saved over gzip -9")
    assert len(table.notes) == 2


def test_a_refusal_is_said() -> None:
    (table,) = pack_tables(_record(900), "net.tflite")
    assert table.notes[0].startswith("-12.5% saved")
    assert "900 bytes packed, 800 with gzip -9" in table.notes[-1]


def test_the_ledger_is_a_table_of_its_own() -> None:
    ledger = PackedLedger(
        weights_bytes=400.4, biases_bytes=20, scales_bytes=30, graph_bytes=100,
        metadata_bytes=30.6, head_bytes=19, dictionary_bytes=1235,
    )  # fmt: skip
    record = _record(600).model_copy(update={"ledger": ledger, "stripped": True})
    sizes, parts = pack_tables(record)
    assert [row[1] for row in parts.rows] == [400, 20, 30, 100, 31, 19]
    assert parts.rows[3][2] == pytest.approx(100 / 600)
    assert "1,235" in parts.notes[0]
    assert "were removed first" in sizes.notes[-1]
