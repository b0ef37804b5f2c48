"""Arrays of .npz files or from memory, checked as a whole before anything is done with them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tflite_squeeze.data.array_files import read_arrays
from tflite_squeeze.data.array_parts import Labels, array_part, is_mapped, runs_of_rows
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.data.raw_data import RawData, assemble
from tflite_squeeze.errors import InputError, reason_of

ARRAY_KEY = re.compile(
    r"(?P<kind>[xy])(_(?P<part>train|val|validation|test|calibration))?(:(?P<name>.+))?"
)
TOLD_KEYS = ("class_names", "preprocessing", "origin")
_KEYS_HELP = (
    "x_train, y_train, x_test, y_test, x_val, y_val, x_calibration, x, y, each also as "
    "x:<input name> or y:<output name>, class_names, preprocessing, "
    "origin"
)


def read_npz(path: Path) -> RawData:
    """Reads an .npz file (or an .npy file, which is `x` alone); pickled objects are refused.

    Args:
        path: the file; for its keys see `raw_arrays`.

    Raises:
        InputError: it is damaged, holds Python objects, or its arrays do not fit each other.
    """
    return raw_arrays(read_arrays(path, "data"), str(path))


def raw_arrays(arrays: Mapping[str, Any], source: str) -> RawData:
    """Checks arrays by key and makes a data source of them.

    Args:
        arrays: `x_train`, `y_train`, `x_test`, `y_test` (also `val`, `calibration`), or `x`, `y`,
            of shape (examples, ...). Several inputs are `x_train:<name>`, several outputs
            `y_train:<name>`. `class_names` is an array of text, `preprocessing` JSON text,
            `origin` says where the data comes from.
        source: what to call it in messages.

    Raises:
        InputError: a key is unknown; an array is empty, not numeric, not finite, or has the
            wrong length.
    """
    if not arrays:
        raise InputError(f"data {source} holds no arrays: use the keys {_KEYS_HELP}")
    class_names = tuple(str(name) for name in np.ravel(arrays.get("class_names", ())))
    notes = [f"origin: {arrays['origin']}"] if "origin" in arrays else []
    parts = {}
    for part, (inputs, labels) in _grouped(arrays, source).items():
        labels_key = f"y_{part}" if f"x_{part}" in {key.split(":")[0] for key in arrays} else "y"
        checked = _checked_inputs(inputs, part, source)
        count = len(next(iter(checked.values())))
        read = {
            name: _checked_labels(value, _key(labels_key, name), count, class_names, source, notes)
            for name, value in labels.items()
        }
        parts[part] = array_part(checked, _bare(read))
    preprocessing = _own_preprocessing(arrays, source)
    unique = tuple(dict.fromkeys(notes))
    return assemble(
        source, parts, class_names=class_names, preprocessing=preprocessing, notes=unique
    )


def _key(base: str, name: str) -> str:
    return f"{base}:{name}" if name else base


def _bare(labels: dict[str, NDArray[Any]]) -> Labels | None:
    """One unnamed output's labels stand alone; named ones stay by name."""
    if not labels:
        return None
    return labels.get("", labels)


Grouped = dict[str, tuple[dict[str, Any], dict[str, Any]]]


def _grouped(arrays: Mapping[str, Any], source: str) -> Grouped:
    """Arrays by part, inputs and labels apart, each by name ("" where a label has none)."""
    parts: Grouped = {}
    for key, array in arrays.items():
        if key in TOLD_KEYS:
            continue
        match = ARRAY_KEY.fullmatch(key)
        if match is None:
            raise InputError(f"data {source} has the unknown key {key!r}: use {_KEYS_HELP}")
        inputs, labels = parts.setdefault(match["part"] or "train", ({}, {}))
        if match["kind"] == "x":
            inputs[match["name"] or "x"] = array
        else:
            labels[match["name"] or ""] = array
    for part, (inputs, labels) in parts.items():
        if not inputs:
            raise InputError(
                f"data {source} has labels but no inputs in its {part} part: add x_{part} (or x)"
            )
        if "" in labels and len(labels) > 1:
            raise InputError(
                f"data {source}: some labels of the {part} part have a name and some have none: "
                f"name all as y_{part}:<output>"
            )
    return parts


def _checked_inputs(inputs: dict[str, Any], part: str, source: str) -> dict[str, NDArray[Any]]:
    checked = {}
    for name, value in inputs.items():
        array = value if is_mapped(value) else np.asarray(value)
        what = f"data {source}: input {name!r} of the {part} part"
        if not _is_numeric(array.dtype):
            raise InputError(f"{what} has dtype {array.dtype}: give numbers or booleans")
        if array.ndim == 0:
            raise InputError(f"{what} is a single number: give an array of shape (examples, ...)")
        if array.size == 0:
            raise InputError(f"{what} is empty (shape {array.shape}): give at least one example")
        bad = _not_finite(array)
        if bad:
            raise InputError(
                f"{what} has NaN or infinite values in {bad} of {len(array)} examples: remove or "
                f"repair them"
            )
        checked[name] = array
    lengths = {name: len(array) for name, array in checked.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"data {source}: inputs differ in length ({lengths}): make them equal")
    return checked


def _not_finite(array: NDArray[Any]) -> int:
    """How many examples have NaN or infinite values."""
    if array.dtype.kind != "f":
        return 0
    flat = (rows.reshape(len(rows), -1) for rows in runs_of_rows(array))
    return sum(int((~np.isfinite(rows)).any(axis=1).sum()) for rows in flat)


def _is_numeric(dtype: np.dtype[Any]) -> bool:
    """Whether TensorFlow has a type for these numbers; for numbers of 16 bytes it has none."""
    return dtype.kind in "biuf" and dtype.itemsize <= 8


def _checked_labels(
    value: Any, key: str, count: int, class_names: tuple[str, ...], source: str, notes: list[str]
) -> NDArray[Any]:
    """Labels as class ids (int64) or as numbers to be predicted (float32)."""
    labels = value if is_mapped(value) else np.asarray(value)
    what = f"data {source}: labels {key}"
    if not _is_numeric(labels.dtype):
        raise InputError(f"{what} have dtype {labels.dtype}: give class ids or numbers")
    if labels.ndim == 0 or len(labels) != count:
        raise InputError(
            f"{what} have length {labels.size if labels.ndim == 0 else len(labels)}, but there "
            f"are {count} examples: give one label per example"
        )
    if _not_finite(labels):
        raise InputError(f"{what} have NaN or infinite values: remove or repair them")
    if is_one_hot(labels):
        notes.append("one-hot labels were read as class ids")
        labels = np.asarray(labels.argmax(axis=1))
    elif labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    # Mapped labels get their type where they are read.
    if labels.dtype.kind == "f":
        return labels if is_mapped(labels) else labels.astype(np.float32)
    if not is_mapped(labels):
        labels = labels.astype(np.int64)
    if (
        class_names
        and labels.ndim == 1
        and not 0 <= labels.min() <= labels.max() < len(class_names)
    ):
        raise InputError(
            f"{what} reach from {labels.min()} to {labels.max()}, but there are "
            f"{len(class_names)} class names: number the classes from 0"
        )
    return labels


def is_one_hot(labels: NDArray[Any]) -> bool:
    """Whether each row has a single one and zeros.

    Example:
        >>> is_one_hot(np.array([[0.0, 1.0], [1.0, 0.0]]))
        True
    """
    if labels.ndim != 2 or labels.shape[1] < 2:
        return False
    return all(
        bool(((rows == 0) | (rows == 1)).all()) and bool(((rows == 1).sum(axis=1) == 1).all())
        for rows in runs_of_rows(labels)
    )


def _own_preprocessing(arrays: Mapping[str, Any], source: str) -> Preprocessing | None:
    """What the data says about its own preprocessing."""
    stated = arrays.get("preprocessing")
    if stated is None or isinstance(stated, Preprocessing):
        return stated
    try:
        return Preprocessing.model_validate(json.loads(str(stated)))
    except (ValueError, ValidationError) as error:
        raise InputError(
            f"data {source}: its key 'preprocessing' is not the JSON of a Preprocessing "
            f"({reason_of(error)}): write Preprocessing(...).model_dump_json()"
        ) from error
