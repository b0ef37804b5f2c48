"""Arrays and .npz files: which are taken, and which are refused with one clear line."""

from pathlib import Path

import numpy as np
import pytest

from tflite_squeeze.data.arrays import is_one_hot, raw_arrays, read_npz
from tflite_squeeze.data.data import load_data
from tflite_squeeze.errors import InputError

X = np.zeros((4, 2), np.float32)


def refused(arrays, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        raw_arrays(arrays, "given.npz")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_npz_carries_classes_preprocessing_and_origin(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(
        path, x=np.full((2, 3), 255, np.uint8), y=np.array([0, 1], np.uint8),
        class_names=np.array(["cat", "dog"]), preprocessing='{"scale": "1/255"}', origin="here",
    )  # fmt: skip
    data = load_data(path)
    assert data.class_names == ("cat", "dog")
    assert data.preprocessing.scale == pytest.approx(1 / 255)
    assert data.notes[0] == "origin: here"
    sample = data.sample("train", None)
    assert sample.inputs["x"].max() == pytest.approx(1)
    assert sample.labels.tolist() == [0, 1]
    assert sample.labels.dtype == np.int64


def test_npy_is_inputs_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    assert not load_data(tmp_path / "x.npy").labelled


def test_unused_validation_part_is_noted() -> None:
    raw = raw_arrays({"x_train": X, "x_val": X, "x_test": X}, "given.npz")
    assert raw.notes == ("part 'val' is not used: measured on 'test'",)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.eye(4)[[2, 0, 1, 3]], [2, 0, 1, 3]),
        (np.array([[3], [1], [0], [2]]), [3, 1, 0, 2]),
        (np.array([0.5, 1.5, 0.0, 1.0]), [0.5, 1.5, 0.0, 1.0]),
        (np.array([True, False, True, False]), [1, 0, 1, 0]),
        (np.array([[1, 1], [0, 1], [1, 0], [0, 0]]), [[1, 1], [0, 1], [1, 0], [0, 0]]),
    ],
)
def test_labels_become_class_ids_or_numbers(labels, expected) -> None:
    data = load_data((X, labels))
    read = data.sample("train", None).labels
    assert read.tolist() == expected
    assert read.dtype == (np.float32 if 0.5 in np.ravel(expected) else np.int64)


def test_one_hot_is_noted_and_told_from_multi_label() -> None:
    assert "one-hot labels were read as class ids" in load_data((X, np.eye(4))).notes
    assert not is_one_hot(np.array([[1, 1], [1, 0]]))
    assert not is_one_hot(np.array([[0.5, 0.5]]))
    assert not is_one_hot(np.array([[1], [1]]))


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({}, "holds no arrays"),
        ({"X_train": X}, "unknown key 'X_train': use x_train"),
        ({"class_names": ["a"]}, "holds no examples"),
        ({"y": np.arange(4)}, "labels but no inputs in its train part: add x_train"),
        ({"x": X, "y": np.arange(3)}, "labels y have length 3, but there are 4 examples"),
        ({"x_test": X, "y_test": np.arange(9)}, "labels y_test have length 9"),
        ({"x": X, "y": np.int64(3)}, "length 1, but there are 4"),
        ({"x": X, "y:a": np.arange(5)}, "labels y:a have length 5"),
        ({"x": X, "y": np.arange(4), "y:a": np.arange(4)}, "name all as y_train:<output>"),
        ({"x": X[:0]}, "is empty"),
        ({"x": np.zeros((4, 0))}, "is empty"),
        ({"x": np.float32(1)}, "single number"),
        ({"x": X.astype(object)}, "dtype object"),
        ({"x": np.array(["a", "b"])}, "dtype <U1"),
        ({"x": X.astype(complex)}, "dtype complex128"),
        ({"x": X.astype(np.longdouble)}, "dtype float128"),
        ({"x": np.array([[1.0, np.nan], [0, 0]])}, "NaN or infinite values in 1 of 2 examples"),
        ({"x": np.array([np.inf])}, "NaN or infinite values in 1 of 1"),
        ({"x": X, "y": np.array([0, 1, np.nan, 0])}, "labels y have NaN"),
        ({"x": X, "y": np.array(["a"] * 4)}, "give class ids"),
        ({"x": X, "y": np.arange(4), "class_names": ["a", "b"]}, "0 to 3, but there are 2"),
        ({"x": X, "y": -np.arange(4), "class_names": ["a"] * 4}, "-3 to 0"),
        ({"x:a": X, "x:b": X[:2]}, "inputs differ in length"),
        ({"x_train": X, "x_test": X[:, :1]}, r"\(2,\) float32 in part 'train' and \(1,\)"),
        ({"x_train": X, "x_test": X.astype(int)}, "int64 in part 'test'"),
        ({"x_train:a": X, "x_test": X}, r"inputs \['a'\], part 'test' has \['x'\]"),
        ({"x_train": X, "x_test": X, "y_test": np.arange(4)}, "part 'train' has no labels"),
        ({"x": X, "preprocessing": "{"}, "not the JSON of a Preprocessing"),
        ({"x": X, "preprocessing": '{"scale": 0, "size": 2}'}, "not the JSON of a Preprocessing"),
    ],
)  # fmt: skip
def test_unusable_arrays_are_refused_in_one_line(arrays, match) -> None:
    refused(arrays, match)


def test_pickled_objects_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "objects.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="Python objects"):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"no npz at all", b"\x93NUMPY\x01"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.npz cannot be read") as caught:
        read_npz(path)
    assert "\n" not in str(caught.value)


def test_truncated_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).random((50, 50)))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(path)
    np.savez_compressed(path, x=np.random.default_rng(0).random((50, 50)))
    content = bytearray(path.read_bytes())
    content[1000:1100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(path)
