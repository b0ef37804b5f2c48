"""Files of arrays whose headers say what they do not hold."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tflite_squeeze.data.array_files import read_arrays
from tflite_squeeze.errors import InputError


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
