"""Named sets: read from where the system keeps them, refused with what to run where it does not."""

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from tflite_squeeze.data import named_sets
from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.named_sets import (
    load_named_set,
    read_idx,
    read_watch_recordings,
    windows,
)
from tflite_squeeze.errors import InputError


def idx(values: np.ndarray) -> bytes:
    header = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(header + values.astype(np.uint8).tobytes())


def install_fashion(folder: Path) -> None:
    folder.mkdir(parents=True)
    images, labels = np.arange(32).reshape(2, 4, 4), np.array([3, 9])
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))


def test_idx_files_are_read_as_published(tmp_path: Path) -> None:
    values = np.arange(24).reshape(2, 3, 4)
    (tmp_path / "a.gz").write_bytes(idx(values))
    assert read_idx(tmp_path / "a.gz").tolist() == values.tolist()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"text", gzip.compress(b""), gzip.compress(b"\0\0\x08\x03\0\0"),
        gzip.compress(b"\0\0\x0d\x01\0\0\0\x01\0"), idx(np.arange(9))[:-4],
        gzip.compress(b"\0\0\x08\x01\0\0\0\x05\0"),
    ],
    ids=[
        "empty", "text", "nothing inside", "short header", "of doubles", "cut off", "too short",
    ],  # gzip stamps the time, so the bytes themselves would name each run differently
)  # fmt: skip
def test_damaged_idx_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(InputError, match="download it again"):
        read_idx(tmp_path / "a.gz")


def test_fashion_mnist_is_found_in_the_keras_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_sets, "DEBIAN_FASHION_MNIST", tmp_path / "nowhere")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    with pytest.raises(InputError, match=r"fashion_mnist\.load_data.*, or use models/samples"):
        load_named_set("fashion-mnist")
    install_fashion(tmp_path / "home" / "datasets" / "fashion-mnist")
    found = load_named_set("fashion-mnist")
    assert found.x_train.shape == (2, 4, 4, 1)
    assert found.y_test.tolist() == [3, 9]
    data = load_data("fashion-mnist")
    assert data.class_names[9] == "Ankle boot"
    assert data.sample("validation", None).inputs["x"].max() == pytest.approx(31 / 255)


def test_mnist_is_found_in_the_keras_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"models/samples/mnist\.npz"):
        load_named_set("mnist")
    (tmp_path / "datasets").mkdir()
    path = tmp_path / "datasets" / "mnist.npz"
    images, labels = np.zeros((3, 28, 28), np.uint8), np.arange(3, dtype=np.uint8)
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    found = load_named_set("mnist")
    assert found.x_test.shape == (3, 28, 28, 1)
    assert found.y_train.dtype == np.int64
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"damaged .*delete it, and run .*mnist\.load_data"):
        load_named_set("mnist")


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'cifar' is unknown: use one of fashion-mnist, mnist"):
        load_named_set("cifar")


def test_windows_overlap_and_drop_the_rest() -> None:
    series = np.arange(14).reshape(7, 2)
    cut = windows(series, steps=3, stride=2)
    assert cut[:, :, 0].tolist() == [[0, 2, 4], [4, 6, 8], [8, 10, 12]]
    assert cut.dtype == np.float32
    assert windows(series, steps=8, stride=2).shape == (0, 8, 2)


def test_watch_tests_on_people_that_training_never_saw() -> None:
    try:
        watch = load_named_set("watch")
    except InputError as error:
        pytest.skip(str(error))
    assert watch.x_train.shape[1:] == watch.x_test.shape[1:] == (128, 6)
    assert set(watch.train_groups) == set(range(1, 8))
    assert len(watch.class_names) == 7
    assert set(watch.y_test) == set(range(7))
    normalised = (watch.x_train - watch.preprocessing.mean) / watch.preprocessing.std
    assert np.abs(normalised.mean((0, 1))).max() < 1e-4
    assert np.abs(normalised.std((0, 1)) - 1).max() < 1e-4


class _Harm:
    def __reduce__(self):
        return (print, ("code was run",))


def test_recordings_with_code_inside_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", np.array({"X": _Harm()}, dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="is not allowed"):
        read_watch_recordings(tmp_path / "a.npy")
    assert capsys.readouterr().out == ""
    np.save(tmp_path / "b.npy", np.array({"X": np.arange(3)}, dtype=object), allow_pickle=True)
    assert read_watch_recordings(tmp_path / "b.npy")["X"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\0", pickle.dumps({})])
def test_damaged_recordings_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"install seglearn==1\.2\.5 again"):
        read_watch_recordings(tmp_path / "a.npy")


@pytest.mark.full_data
def test_whole_fashion_mnist_has_its_known_size() -> None:
    data = load_data("fashion-mnist")
    assert data.describe()["examples"] == {"train": 60000, "validation": 10000}
    assert np.bincount(data.sample("validation", None).labels).tolist() == [1000] * 10
