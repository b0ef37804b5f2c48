"""Teachers' answers to every example, computed once and read from disk afterwards."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.data import Data
from tflite_squeeze.data.raw_data import reading
from tflite_squeeze.errors import OutputError, UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.training.config import Distill
from tflite_squeeze.training.parts import training_part
from tflite_squeeze.training.record import CacheRecord
from tflite_squeeze.training.teaching.distiller import ANSWERS, LABELS
from tflite_squeeze.training.teaching.teachers import Teacher

Array = NDArray[Any]

_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers of each teacher to each example, in the order of the data.

    Attributes:
        files: by teacher, an array (examples, ...) on disk for each of its outputs.
        record: what the report says about them.
    """

    files: tuple[tuple[Array, ...], ...]
    record: CacheRecord

    def targets(self, index: Any, labels: Any) -> dict[str, Any]:
        """The targets of a batch, as a `Distiller` takes them.

        Args:
            index: positions of its examples in the data, (N,).
            labels: of the examples, or None.
        """
        flat = [array for files in self.files for array in files]

        def read(positions: Array) -> list[Array]:
            return [array[positions] for array in flat]

        dtypes = [tf.float32] * len(flat)
        found = tf.nest.flatten(tf.numpy_function(read, [index], dtypes, stateful=False))
        for tensor, array in zip(found, flat, strict=True):
            tensor.set_shape([None, *array.shape[1:]])
        rest = iter(found)
        # Tuples: tf.data would make one tensor of a list.
        answers = tuple(tuple(next(rest) for _ in files) for files in self.files)
        return {ANSWERS: answers} if labels is None else {ANSWERS: answers, LABELS: labels}


class DataDiffersError(Exception):
    """Two passes over the data gave different examples."""


def default_folder() -> Path:
    """Where answers are kept: in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "tflite_squeeze" / "teachers"


def answers_of(
    teachers: Sequence[Teacher], dataset: Any, names: Sequence[str], folder: Path
) -> Answers:
    """Reads what teachers say of every example, or lets them say it and writes it down.

    The data is read once to know its hash, and once more where a teacher has to answer. Answers
    are written batch by batch into a file beside the final one, which takes its place when it is
    whole.

    Args:
        teachers: one or more.
        dataset: unbatched examples in a fixed order: inputs by name, or (those, labels).
        names: of the inputs, in the student's order.
        folder: where the files lie; created if it is not there.

    Raises:
        DataDiffersError: the data is augmented, or comes in another order each time.
        OutputError: nothing can be written there.
    """
    digest, count = _digest(dataset, names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files, reused = [], True
        for teacher in teachers:
            paths = _paths(folder, teacher, digest)
            if not _whole(paths, count):
                reused = False
                _write(paths, teacher, dataset, names, digest, count)
            files.append(tuple(np.load(path, mmap_mode="r") for path in paths))
    except OSError as error:
        raise OutputError(
            f"the teacher's answers cannot be written to {folder} ({error.strerror or error}): "
            f"pass another cache_dir, or cache=False"
        ) from error
    record = CacheRecord(
        used=True,
        reason="read from disk" if reused else "computed once",
        size_bytes=sum(array.nbytes for group in files for array in group),
    )
    return Answers(files=tuple(files), record=record)


def known_answers(
    model: Any,
    teachers: Sequence[Teacher],
    config: Distill,
    data: Data,
    epochs: int,
    folder: Path,
    *,
    augmented: bool = False,
) -> tuple[Answers | None, CacheRecord]:
    """The answers to all that is trained on, where it is valid and pays to have them.

    Args:
        model: the student.
        teachers: one or more.
        config: says whether to compute them once.
        data: fitted to the student.
        epochs: how often each example is used.
        folder: where answers go, unless the config names one.
        augmented: whether examples are changed before the student sees them.

    Returns:
        The answers, or None where the teachers have to answer in each step; and why.

    Raises:
        UsageError: it is asked for and cannot be.
        OutputError: nothing can be written there.
    """
    dataset, raw = training_part(data)
    reasons = {
        "examples are augmented, and the teacher has to see each as the student does": augmented,
        "hints need the teacher's hidden layers in each step": bool(config.hints),
        "the data has no end": dataset.cardinality() == tf.data.INFINITE_CARDINALITY,
    }
    against = next((reason for reason, holds in reasons.items() if holds), None)
    if against is None and config.cache is None and epochs < 2:
        return None, CacheRecord(used=False, reason="each example is used only once")
    if config.cache is False:
        return None, CacheRecord(used=False, reason="not wanted")
    if against is None:
        names = [spec.name for spec in tf.nest.flatten(flavors.input_structure(model))]
        kept = folder if config.cache_dir is None else Path(config.cache_dir).expanduser()
        try:
            with reading(data.source, raw):
                answers = answers_of(teachers, dataset, names, kept)
        except DataDiffersError:
            against = "two passes over the data differ: it is augmented, or its order changes"
        else:
            return answers, answers.record
    if config.cache:
        raise UsageError(f"cache is True, but {against}: leave it out")
    return None, CacheRecord(used=False, reason=against)


def _paths(folder: Path, teacher: Teacher, digest: str) -> list[Path]:
    stem = f"{teacher.sha256[:24]}-{digest[:24]}"
    return [folder / f"{stem}-{number}.npy" for number in range(len(teacher.kinds))]


def _whole(paths: Sequence[Path], count: int) -> bool:
    """Whether all files are there and readable; damaged ones are written anew."""
    for path in paths:
        try:
            if len(np.load(path, mmap_mode="r")) != count:
                return False
        except (OSError, ValueError, EOFError):
            return False
    return True


def _batches(dataset: Any, names: Sequence[str]) -> Iterator[list[Array]]:
    """Inputs in the student's order, batch by batch."""
    for element in dataset.batch(_BATCH).as_numpy_iterator():
        inputs = element[0] if isinstance(element, tuple) else element
        yield [inputs[name] for name in names]


def _hash(digest: Any, inputs: Sequence[Array]) -> int:
    for array in inputs:
        digest.update(str((array.dtype, array.shape[1:])).encode())
        digest.update(np.ascontiguousarray(array))
    return len(inputs[0])


def _digest(dataset: Any, names: Sequence[str]) -> tuple[str, int]:
    """The hash of all inputs in their order, and how many there are."""
    digest, count = hashlib.blake2b(), 0
    for inputs in _batches(dataset, names):
        count += _hash(digest, inputs)
    return digest.hexdigest(), count


def _new_file(path: Path, shape: tuple[int, ...]) -> Any:
    """An array of float32 on disk, to be filled batch by batch."""
    open_memmap: Any = np.lib.format.open_memmap
    return open_memmap(path, mode="w+", dtype=np.float32, shape=shape)


def _write(
    paths: Sequence[Path], teacher: Teacher, dataset: Any, names: Sequence[str], digest: str,
    count: int,
) -> None:  # fmt: skip
    """Lets a teacher answer all examples; leaves whole files or none."""
    beside = [path.with_name(f".{path.stem}-{os.getpid()}.npy") for path in paths]
    answer = tf.function(teacher.answer, reduce_retracing=True)
    written: list[Any] = []
    again, start = hashlib.blake2b(), 0
    try:
        for inputs in _batches(dataset, names):
            outputs = [np.asarray(output) for output in answer([tf.constant(x) for x in inputs])]
            if not written:
                written = [
                    _new_file(path, (count, *output.shape[1:]))
                    for path, output in zip(beside, outputs, strict=True)
                ]
            end = start + _hash(again, inputs)
            if end > count:
                raise DataDiffersError
            for array, output in zip(written, outputs, strict=True):
                array[start:end] = output
            start = end
        if again.hexdigest() != digest:
            raise DataDiffersError
        for array, path, target in zip(written, beside, paths, strict=True):
            array.flush()
            path.replace(target)
    finally:
        for path in beside:
            path.unlink(missing_ok=True)
