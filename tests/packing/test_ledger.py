import pytest

from tests.packing.packed_files import FILES
from tflite_squeeze.packing.ledger import packed_ledger
from tflite_squeeze.packing.pack import pack


def test_the_parts_add_up_to_the_packed_file() -> None:
    packed = pack(FILES["int8"])
    ledger = packed_ledger(FILES["int8"], packed)
    assert ledger is not None
    parts = [size for name, size in ledger.model_dump().items() if name != "dictionary_bytes"]
    assert sum(parts) == pytest.approx(len(packed))
    # magic number, 8 bytes of hash, 2 or 3 of size; and the last byte, begun
    assert 14 <= ledger.head_bytes < 18
    assert ledger.weights_bytes > ledger.graph_bytes > ledger.metadata_bytes == 0


def test_biases_and_their_scales_are_told_from_weights() -> None:
    tflite = FILES["products"]
    ledger = packed_ledger(tflite, pack(tflite))
    assert ledger is not None
    # 100 biases around 3,000, about log2(3000 * sqrt(2 pi e)) bits each; 800 weights around 40
    assert 1.0 < ledger.biases_bytes / (100 * 13.6 / 8) < 1.15
    assert 1.0 < ledger.weights_bytes / (800 * 7.37 / 8) < 1.1
    # 100 scales of four bytes between 0.01 and 0.02, of which 23 bits are noise; products for free
    assert 100 * 23 / 8 < ledger.scales_bytes < 100 * 4 + 40


def test_what_is_no_packed_file_has_no_ledger() -> None:
    assert packed_ledger(FILES["int8"], b"") is None
    assert packed_ledger(FILES["few values"], pack(FILES["int8"])) is None
