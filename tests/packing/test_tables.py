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
