"""The packed form: every file comes back bit by bit, and smaller than by other means."""

import hashlib
import lzma
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.packing.packed_files import (
    FILES,
    gaussian,
    shared_values,
    weights_file,
    with_channel_scales,
)
from tests.tiny_files import dense_file
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import CheckFailed, InputError, UnsupportedError
from tflite_squeeze.packing import compiled as compiled_module
from tflite_squeeze.packing import pack as packed_module
from tflite_squeeze.packing import sqz_reader
from tflite_squeeze.packing.pack import pack, unpack
from tflite_squeeze.packing.record import pack_record

READER = Path(sqz_reader.__file__)


@pytest.mark.parametrize("name", FILES)
def test_files_of_every_kind_come_back_bit_by_bit(name: str) -> None:
    packed = pack(FILES[name])
    assert unpack(packed) == FILES[name]
    assert len(packed) < len(lzma.compress(FILES[name], preset=9)) + 64


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    values=hnp.arrays(
        st.sampled_from([np.int8, np.uint8, np.int16, np.int32, np.float16, np.float32]),
        hnp.array_shapes(max_dims=4, max_side=9),
        elements={"allow_nan": True, "allow_infinity": True},
    ),
    repeats=st.integers(1, 60),
)
def test_any_numbers_come_back_bit_by_bit(values: np.ndarray, repeats: int) -> None:
    tflite = weights_file(np.tile(values, (repeats, *[1] * (values.ndim - 1))), values.dtype.name)
    assert unpack(pack(tflite)) == tflite


def test_the_reader_runs_alone(tmp_path: Path) -> None:
    assert "tflite_squeeze" not in READER.read_text()
    copy = tmp_path / "reader.py"
    copy.write_bytes(READER.read_bytes())
    (tmp_path / "net.tflite.sqz").write_bytes(pack(FILES["sparse int8"]))
    names = [copy, tmp_path / "net.tflite.sqz", tmp_path / "net.tflite"]
    subprocess.run([sys.executable, "-I", "-S", *names], check=True, cwd=tmp_path)
    assert names[2].read_bytes() == FILES["sparse int8"]


def test_the_same_file_gives_the_same_bytes_with_its_hash() -> None:
    packed = pack(FILES["int8"])
    assert pack(FILES["int8"]) == packed
    assert packed[:4] == b"SQZ2"
    assert packed[4:12] == hashlib.sha256(FILES["int8"]).digest()[:8]


def test_files_of_version_0_1_are_read() -> None:
    packed = Path(__file__).with_name("version_0_1.tflite.sqz").read_bytes()
    assert packed[:4] == b"SQZ1"
    assert unpack(packed) == FILES["sparse int8"]


@pytest.mark.slow
def test_the_writer_without_numba_writes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(FILES["products"])
    monkeypatch.setattr(compiled_module, "compiled", lambda: None)
    assert pack(FILES["products"]) == packed


def test_gaussian_weights_come_close_to_their_entropy() -> None:
    values = np.clip(np.rint(gaussian(60_000, 25)), -127, 127).astype(np.int8)
    # of a normal distribution cut into steps of 1: log2(sigma * sqrt(2 pi e)) bits
    ideal = 60_000 * math.log2(25 * math.sqrt(2 * math.pi * math.e)) / 8
    size = len(pack(weights_file(values, "int8", 0)))
    assert ideal < size < 1.005 * ideal + 700


def test_neighbours_of_like_size_are_made_use_of() -> None:
    """Columns of different width: an order-0 coder cannot know them apart."""
    widths = np.tile(np.geomspace(1, 40, 64), 800)
    values = np.clip(np.rint(gaussian(len(widths), 1) * widths), -127, 127).astype(np.int8)
    tflite = weights_file(values.reshape(800, 64), "int8", 0)
    assert len(pack(tflite)) < 0.94 * pack_record(tflite, b"").entropy_bytes
    shuffled = np.random.default_rng(0).permutation(values).reshape(800, 64)
    other = weights_file(shuffled, "int8", 0)
    assert len(pack(other)) > 0.98 * pack_record(other, b"").entropy_bytes


def test_mostly_zeros_and_few_values_beat_gzip_and_xz_clearly() -> None:
    tflite = weights_file(shared_values(0.9, 15), "float32")
    record = pack_record(tflite, pack(tflite))
    assert record.packed_bytes < 0.75 * record.xz_bytes
    assert record.packed_bytes < 0.65 * record.download_bytes
    # where each weight is, and which of 15 values: 65,536 * H(0.1) / 8 + 6,554 * log2(15) / 8
    assert record.packed_bytes < 1.03 * (65_536 * 0.469 / 8 + 6_554 * 3.907 / 8) + 700


def test_bias_scales_that_are_products_cost_nothing() -> None:
    exact = len(pack(with_channel_scales(100, exact=True)))
    assert len(pack(with_channel_scales(100, exact=False))) > exact + 250


@pytest.mark.slow
def test_the_hardest_reference_model_stays_within_its_limits(models: Path, samples: Path) -> None:
    from tflite_squeeze.conversion.convert import convert

    config, data = Convert(quantize="int8"), samples / "fashion-mnist.npz"
    tflite = convert(models / "mobilenet_v1_025.keras", config, data, verification=None).tflite
    record = pack_record(tflite, pack(tflite))
    assert record.packed_bytes <= 1.02 * record.entropy_bytes + 2048
    assert record.packed_bytes < 0.95 * record.xz_bytes


@pytest.mark.parametrize("tflite", [b"", b"hello", dense_file()[:200]])
def test_what_is_no_tflite_file_is_refused(tflite: bytes) -> None:
    with pytest.raises(InputError, match="tflite"):
        pack(tflite)


def test_positions_beyond_32_bits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_module, "_LARGEST_BYTES", 100)
    with pytest.raises(UnsupportedError, match="this one has"):
        pack(dense_file())


def test_a_file_that_does_not_come_back_is_never_handed_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed_module, "unpack", lambda packed: packed)
    with pytest.raises(CheckFailed, match="same bytes"):
        pack(dense_file())


def test_a_file_of_zeros_is_not_packed_into_what_the_reader_takes_for_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqz_reader, "FREE", 1000)
    tflite = weights_file(np.zeros(60_000, np.int8), "int8", 0)
    with pytest.raises(UnsupportedError, match=r"less than a 100th .*: compress it with gzip"):
        pack(tflite)
