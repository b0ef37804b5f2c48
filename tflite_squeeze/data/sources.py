"""Which kind of data a user's word means: a file, a folder, a name, or a function."""

import os
import re
from pathlib import Path
from typing import Any

from tflite_squeeze.data.array_parts import array_part
from tflite_squeeze.data.arrays import read_npz
from tflite_squeeze.data.image_folder import holds_images, read_image_folder
from tflite_squeeze.data.named_sets import NAMED_SETS, load_named_set
from tflite_squeeze.data.raw_data import RawData, assemble
from tflite_squeeze.data.streams import call_function, raw_object
from tflite_squeeze.data.tfrecord import is_record, read_tfrecord
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.files.files import is_file, is_folder

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_KINDS = (
    ".npz file, .tfrecord file, folder of images by class, folder of .tfrecord files, "
    f"{', '.join(NAMED_SETS)}, or package.module:function"
)


def open_source(source: Any, features: Any = None) -> RawData:
    """Opens whatever `load_data` takes, without preprocessing it.

    Args:
        source: a path, glob, name or function as text, or a Python object (see `raw_object`).
        features: the specification of TFRecord features.

    Raises:
        InputError: it is nothing of the kind, or cannot be read.
        UsageError: features are given for something else than TFRecord.
    """
    if not isinstance(source, str | Path):
        raw = raw_object(source, f"({type(source).__name__})")
    else:
        files = _record_files(str(source))
        if files:
            folder = Path(source).expanduser()
            root = (
                folder if is_folder(folder) else Path(os.path.commonpath([f.parent for f in files]))
            )
            return read_tfrecord(files, str(source), features, root)
        raw = _open_text(str(source))
    if features is not None:
        raise UsageError(
            f"--features is for TFRecord files, but data {raw.source} is something else: leave it "
            f"out"
        )
    return raw


def _open_text(text: str) -> RawData:
    if text in NAMED_SETS:
        return _named(text)
    path = Path(text).expanduser()
    if is_folder(path):
        if holds_images(path):
            return read_image_folder(path)
        raise InputError(
            f"data folder {text} holds neither images nor .tfrecord files: expected a {_KINDS}"
        )
    if is_file(path):
        return read_npz(path)
    if _FUNCTION.fullmatch(text):
        return call_function(text)
    raise InputError(f"data {text!r} does not exist: expected a {_KINDS}")


def _record_files(text: str) -> list[Path]:
    """The TFRecord files that a path, a folder or a glob means; none for anything else."""
    path = Path(text).expanduser()
    if is_file(path):
        return [path] if is_record(path) else []
    if is_folder(path):
        found = [child for child in path.rglob("*") if child.is_file()]
    elif any(sign in text for sign in "*?["):
        start = Path(path.anchor or ".")
        found = list(start.glob(str(path.relative_to(path.anchor))))
    else:
        found = []
    return sorted(file for file in found if is_record(file))


def _named(name: str) -> RawData:
    named = load_named_set(name)
    return assemble(
        name,
        {
            "train": array_part({"x": named.x_train}, named.y_train),
            "test": array_part({"x": named.x_test}, named.y_test),
        },
        class_names=named.class_names,
        preprocessing=named.preprocessing,
        notes=(f"origin: {named.origin}",),
    )
