"""Arrays as parts of data: small ones as tensors, large ones read where they lie, by index."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.array_files import HELD_BYTES, PIECE_BYTES
from tflite_squeeze.data.raw_data import RawPart

Labels = NDArray[Any] | dict[str, NDArray[Any]]
_ROWS_AT_ONCE = 256
# Each of them may bring a page of 2 MiB into memory.
_MAPPED_AT_ONCE = 16


def array_part(inputs: dict[str, NDArray[Any]], labels: Labels | None) -> RawPart:
    """A part whose examples are the rows of arrays.

    Args:
        inputs: by name, each of shape (examples, ...).
        labels: of shape (examples, ...), or by output name.

    Returns:
        A part of tensors; where arrays are mapped or large, one that copies only the rows that
        are read.
    """
    elements: Any = inputs if labels is None else (inputs, labels)
    arrays = tf.nest.flatten(elements)
    if any(map(is_mapped, arrays)) or sum(array.nbytes for array in arrays) > HELD_BYTES:
        return _indexed_part(inputs, labels)
    tensors = tf.nest.map_structure(tf.convert_to_tensor, elements)

    def pick(positions: NDArray[Any]) -> tf.data.Dataset:
        chosen = tf.nest.map_structure(lambda values: tf.gather(values, positions), tensors)
        return tf.data.Dataset.from_tensor_slices(chosen)

    return RawPart(
        dataset=tf.data.Dataset.from_tensor_slices(tensors),
        count=len(next(iter(inputs.values()))),
        pick=pick,
        labels=labels,
    )


def _indexed_part(inputs: dict[str, NDArray[Any]], labels: Labels | None) -> RawPart:
    """A part that copies the rows that are asked for, some at a time."""
    elements: Any = inputs if labels is None else (inputs, labels)
    dtypes: Any = {name: array.dtype for name, array in inputs.items()}
    if labels is not None:
        dtypes = (dtypes, tf.nest.map_structure(_label_type, labels))
    arrays, types = tf.nest.flatten(elements), tf.nest.flatten(dtypes)
    count = len(arrays[0])
    row_bytes = sum(array.nbytes for array in arrays) // count
    at_once = max(1, min(_ROWS_AT_ONCE, PIECE_BYTES // max(1, row_bytes)))

    def read(positions: NDArray[Any]) -> list[NDArray[Any]]:
        return [
            _rows(array, positions).astype(dtype, copy=False)
            for array, dtype in zip(arrays, types, strict=True)
        ]

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def gathered(positions: tf.Tensor) -> Any:
        rows = tf.numpy_function(read, [positions], [tf.as_dtype(dtype) for dtype in types])
        for values, array in zip(rows, arrays, strict=True):
            values.set_shape((None, *array.shape[1:]))
        return positions, tf.nest.pack_sequence_as(elements, rows)

    def numbered(positions: tf.data.Dataset, length: int) -> tf.data.Dataset:
        examples = positions.batch(at_once).map(gathered).unbatch()
        return examples.apply(tf.data.experimental.assert_cardinality(length))

    def pick(positions: NDArray[Any]) -> tf.data.Dataset:
        chosen = numbered(tf.data.Dataset.from_tensor_slices(positions), len(positions))
        return chosen.map(lambda _, example: example)

    def shuffled(seed: int) -> tf.data.Dataset:
        return numbered(tf.data.Dataset.range(count).shuffle(count, seed=seed), count)

    return RawPart(
        dataset=pick(np.arange(count)), count=count, pick=pick, shuffled=shuffled, labels=labels
    )


def _label_type(labels: NDArray[Any]) -> np.dtype[Any]:
    return np.dtype(np.float32 if labels.dtype.kind == "f" else np.int64)


def is_mapped(array: Any) -> bool:
    """Whether an array lies in a file, of which the system reads what is looked at.

    Example:
        >>> is_mapped(np.zeros(3))
        False
    """
    return _mapping(array) is not None


def runs_of_rows(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """An array piece by piece, for what would need as much memory again if done at once.

    Args:
        array: of shape (examples, ...), mapped or not.

    Yields:
        Some of its rows, of about 16 MiB, one row at least.

    Example:
        >>> [len(rows) for rows in runs_of_rows(np.zeros((3, 2**20)))]
        [2, 1]
    """
    at_once = max(1, PIECE_BYTES // max(1, array.nbytes // max(1, len(array))))
    for start in range(0, len(array), at_once):
        yield array[start : start + at_once]
        _release(array)


def _rows(array: NDArray[Any], positions: NDArray[Any]) -> NDArray[Any]:
    if not is_mapped(array):
        return np.asarray(array[positions])
    rows = np.empty((len(positions), *array.shape[1:]), array.dtype)
    for start in range(0, len(positions), _MAPPED_AT_ONCE):
        some = slice(start, start + _MAPPED_AT_ONCE)
        rows[some] = array[positions[some]]
        _release(array)
    return rows


def _mapping(array: Any) -> mmap.mmap | None:
    """The mapping that an array is a view of."""
    if not isinstance(array, np.memmap):
        return None
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def _release(array: NDArray[Any]) -> None:
    """Returns the pages of a mapped array, which otherwise count as this process's memory."""
    mapping = _mapping(array)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        # They stay in the system's cache. A private copy has no other place, but none is made.
        mapping.madvise(mmap.MADV_DONTNEED)
