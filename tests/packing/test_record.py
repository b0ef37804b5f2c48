from tests.packing.packed_files import FILES, weights_file
from tests.tiny_files import dense_file
from tflite_squeeze.packing.pack import pack
from tflite_squeeze.packing.record import PackRecord, pack_record


def test_sizes_and_the_claim() -> None:
    tflite = FILES["shared values"]
    packed = pack(tflite)
    record = pack_record(tflite, packed)
    assert (record.raw_bytes, record.packed_bytes) == (len(tflite), len(packed))
    assert record.packed_bytes < record.xz_bytes < record.download_bytes < record.raw_bytes
    assert record.reached
    assert record.refusal == ""
    assert PackRecord.model_validate_json(record.model_dump_json()) == record


def test_what_gains_nothing_is_refused_with_the_numbers() -> None:
    tflite = dense_file()
    packed = pack(tflite) + bytes(500)
    record = pack_record(tflite, packed)
    assert not record.reached
    assert f"{len(packed):,} bytes packed, {record.download_bytes:,} with gzip -9" in record.refusal
    assert pack_record(tflite, packed, allow_larger=True).refusal == ""
    # one byte less than gzip is a gain, as many are none
    assert pack_record(tflite, bytes(record.download_bytes - 1)).reached
    assert not pack_record(tflite, bytes(record.download_bytes)).reached


def test_the_entropy_is_that_of_the_weights() -> None:
    # 4,000 bytes, of two values as often as each other: one bit each, and the two values
    tflite = weights_file(b"\3\0" * 2000, "int8", 0)
    assert pack_record(tflite, b"").entropy_bytes == 4000 // 8 + 2
