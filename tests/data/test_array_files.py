"""Files of arrays whose headers say what they do not hold."""

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tflite_squeeze.data.array_files import read_arrays
from tflite_squeeze.errors import InputError, OutputError


def header(shape: str, kind: str = "<f4") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(path: Path, content: bytes, **options) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("x.npy", content)
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header("(1000000000000, 1000000)") + bytes(64), "declares 4,000,000,000,000,000,000 byt"),
        (header("(4,)") + bytes(8), "declares 16 bytes"),
        (header("(True, True)") + bytes(64), "has the shape"),
        (header("(-1, 2)") + bytes(64), "has the shape"),
        (header("('a',)") + bytes(64), "cannot be read"),
        (header("(2,)", "|O") + bytes(64), "Python objects"),
        (header("(2,)", "nonsense") + bytes(64), "cannot be read"),
        (b"\x93NUMPY\x01\x00\x01\x00{" + bytes(50), "cannot be read"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, "cannot be read"),
        (b"\x93NUMPY\x09\x00" + bytes(64), "version 9.0"),
        (header("(1,)", "<U1") + b"\xff" * 4, "characters that do not exist"),
        (b"\x93NUMPY", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_what_the_header_says_is_checked_first(tmp_path: Path, content, said, suffix) -> None:
    path = tmp_path / f"a.{suffix}"
    npz(path, content) if suffix == "npz" else path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_arrays(path, "data")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_archive_of_zeros_is_refused_unread(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", saved(np.zeros(10**8, np.uint8)),
               compression=zipfile.ZIP_DEFLATED)  # fmt: skip
    with pytest.raises(InputError, match="would unpack to 100,000,128"):
        read_arrays(path, "data")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.zeros((0, 5), np.int8),
        np.float32(3),
        np.array(["cat", "dog"]),
    ],
)
def test_ordinary_arrays_come_as_numpy_reads_them(tmp_path: Path, array) -> None:
    (tmp_path / "a.npy").write_bytes(saved(array))
    read = read_arrays(tmp_path / "a.npy", "data")["x"]
    np.testing.assert_array_equal(read, array)
    assert read.dtype.isnative


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny arrays are treated as large ones are."""
    for name in ("HELD_BYTES", "SMALL_BYTES"):
        monkeypatch.setattr(f"tflite_squeeze.data.array_files.{name}", 0)
    monkeypatch.setattr("tflite_squeeze.data.array_files.PIECE_BYTES", 50)


LARGE = np.random.default_rng(0).integers(0, 9, (20, 3, 2)).astype(np.int16)


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("array", [LARGE, np.asfortranarray(LARGE), LARGE.astype(">i2")])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed, None])
def test_large_arrays_are_mapped_and_leave_no_file(tmp_path, monkeypatch, array, save) -> None:
    there = tmp_path / "temporary"
    there.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(there))
    path = tmp_path / ("a.npz" if save else "a.npy")
    save(path, first=np.arange(3), x=array) if save else np.save(path, array)
    read = read_arrays(path, "data")["x"]
    assert isinstance(read, np.memmap)
    assert read.dtype == np.int16
    np.testing.assert_array_equal(read, array)
    assert not list(there.iterdir())


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_large_arrays_are_checked_to_their_end(tmp_path: Path, compression) -> None:
    whole = saved(LARGE)
    path = npz(tmp_path / "a.npz", whole, compression=compression)
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        read_arrays(path, "data")
    npz(path, whole[:-10], compression=compression)
    with pytest.raises(InputError, match="declares 240 bytes, and 230 are there"):
        read_arrays(path, "data")
    (tmp_path / "a.npy").write_bytes(whole[:-10])
    with pytest.raises(InputError, match="cannot be read"):
        read_arrays(tmp_path / "a.npy", "data")


@pytest.mark.usefixtures("all_large")
def test_no_room_to_unpack_is_told_before_anything_is_written(tmp_path, monkeypatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=LARGE)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=239))
    with pytest.raises(OutputError, match="240 bytes are needed and 239 are free"):
        read_arrays(tmp_path / "a.npz", "data")
