"""Parts that are read by index: the same examples as tensors give, and shuffled by position."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.data.array_parts import is_mapped, runs_of_rows
from tflite_squeeze.data.arrays import raw_arrays
from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.errors import InputError
from tflite_squeeze.training.parts import shuffled_part

X = np.arange(600, dtype=np.uint8).reshape(300, 2)
LABELS = {
    "ids": np.arange(300, dtype=np.uint8),
    "column": np.arange(300).reshape(300, 1),
    "numbers": np.linspace(0, 1, 300),
    "one-hot": np.eye(3)[np.arange(300) % 3],
    "maps": np.arange(1200, dtype=np.int16).reshape(300, 2, 2),
}


def mapped(folder: Path, name: str, array: np.ndarray) -> np.ndarray:
    np.save(folder / name, array)
    return np.load(folder / f"{name}.npy", mmap_mode="r")


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tflite_squeeze.data.array_parts.PIECE_BYTES", 100)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("count", [None, 300, 7])
def test_mapped_arrays_give_what_tensors_give(tmp_path: Path, kind, count) -> None:
    held = load_data((X, LABELS[kind]))
    there = load_data((mapped(tmp_path, "x", X), mapped(tmp_path, "y", LABELS[kind])))
    assert there.raw.train.dataset.element_spec == held.raw.train.dataset.element_spec
    assert there.raw.train.dataset.cardinality() == 300
    assert there.notes == held.notes
    read, expected = there.sample("train", count), held.sample("train", count)
    np.testing.assert_array_equal(read.inputs["x"], expected.inputs["x"])
    np.testing.assert_array_equal(read.labels, expected.labels)
    assert read.labels.dtype == expected.labels.dtype


def test_large_arrays_in_memory_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tflite_squeeze.data.array_parts.HELD_BYTES", 100)
    x = X.copy()
    data = load_data({"a": x, "b": x[:, 0]})
    assert data.raw.train.shuffled is not None
    x[0] = 9  # a copy would not show it
    first = next(data.train.as_numpy_iterator())
    assert (first["a"].tolist(), first["b"]) == ([9, 9], 9)


@pytest.mark.usefixtures("small_pieces")
def test_mapped_arrays_are_checked_whole(tmp_path: Path) -> None:
    x = mapped(tmp_path, "x", np.where(X > 253, np.nan, X))
    with pytest.raises(InputError, match="in 2 of 300 examples"):
        raw_arrays({"x": x}, "given")


def order(data: Data, seed: int) -> list[int]:
    pairs = list(shuffled_part(data, seed).as_numpy_iterator())
    for position, example in pairs:
        inputs, labels = example if isinstance(example, tuple) else (example, position)
        assert inputs["x"].tolist() == X[position].tolist()
        assert labels == position
    return [int(position) for position, _ in pairs]


@pytest.mark.parametrize("labelled", [True, False])
def test_shuffling_is_by_position_over_the_whole_part(tmp_path: Path, labelled) -> None:
    x = mapped(tmp_path, "x", X)
    data = load_data((x, np.arange(300)) if labelled else x)
    once = order(data, 1)
    assert sorted(once) == list(range(300))
    assert order(data, 1) == once
    assert order(data, 2) != once
    shuffled = shuffled_part(data, 1)
    passes = [[int(p) for p, _ in shuffled.as_numpy_iterator()] for _ in range(2)]
    assert passes[0] != passes[1]


def test_shuffling_small_parts_is_unchanged() -> None:
    data = load_data((X, np.arange(300)))
    expected = tf.data.Dataset.range(300).shuffle(300, seed=5).as_numpy_iterator()
    assert order(data, 5) == list(expected)


def test_mapped_is_told_from_held(tmp_path: Path) -> None:
    x = mapped(tmp_path, "x", X)
    assert is_mapped(x[:, 0])
    assert not is_mapped(x.argmax(axis=1))
    assert not is_mapped(X)
    assert [len(rows) for rows in runs_of_rows(x)] == [300]
