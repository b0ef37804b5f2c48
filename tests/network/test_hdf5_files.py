"""HDF5 files that reach out of themselves, or declare more than they hold."""

import io
from pathlib import Path

import h5py
import numpy as np
import pytest

from tflite_squeeze.errors import InputError
from tflite_squeeze.network.hdf5_files import check_hdf5


def written(fill) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["layers/a"] = np.zeros((4, 4), np.float32)
        file["layers/b"] = file["layers/a"]  # a second name for the same numbers
        fill(file)
    return stream.getvalue()


def virtual(file) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (4,))
    file.create_virtual_dataset("v", layout)


CASES = {
    "is a link": lambda file: file.__setitem__("l", h5py.ExternalLink("/etc/other.h5", "/x")),
    "'/layers/s' is a link": lambda file: file.__setitem__(
        "layers/s", h5py.SoftLink("/layers/a")
    ),
    "lies in another file": virtual,
    "'/e' lies in another file": lambda file: file.create_dataset(
        "e", (4,), "u1", external=[("/etc/hostname", 0, 4)]
    ),
    "holds objects": lambda file: file.create_dataset("o", data=["text"]),
    "declare 40,000,000": lambda file: file.create_dataset("big", (10**10,), "f4", chunks=(10**6,)),
}  # fmt: skip


@pytest.mark.parametrize("said", CASES)
def test_what_is_not_in_the_file_is_refused(said: str) -> None:
    content = written(CASES[said])
    with pytest.raises(InputError, match=said) as caught:
        check_hdf5(content, "model net.h5")
    assert "\n" not in str(caught.value)


def test_an_ordinary_file_is_taken(tmp_path: Path) -> None:
    content = written(lambda file: file.attrs.__setitem__("layer_names", ["a", "b"]))
    check_hdf5(content, "model net.h5")


def test_a_heap_in_which_the_library_would_go_round_is_refused() -> None:
    content = bytearray(written(lambda file: file.attrs.__setitem__("layer_names", ["a", "b"])))
    heap = content.index(b"GCOL")
    first_bytes = int.from_bytes(content[heap + 24 : heap + 32], "little")
    assert first_bytes == 1
    content[heap + 16 : heap + 18] = bytes(2)  # says that it is free space
    content[heap + 24 : heap + 32] = bytes(8)  # of no size
    with pytest.raises(InputError, match="a heap of its text is damaged"):
        check_hdf5(bytes(content), "model net.h5")
