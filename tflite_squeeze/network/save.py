"""Writing a Keras model: whole or not at all."""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import OutputError, reason_of
from tflite_squeeze.files.files import check_output, write_atomically
from tflite_squeeze.files.temporary import temporary_folder

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
# Loggers by which both versions of Keras warn of HDF5 as legacy, and of metrics.
_TALKATIVE = ("absl", "tensorflow")


def check_model_output(path: Path, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuses a path that no Keras model can be saved as, before any work is spent on it.

    Args:
        path: the file to be written.
        force: whether a file that is there already may be replaced.
        inputs: files that are read; none of them may be written over.

    Raises:
        OutputError: as `check_output`, or its suffix is none of `MODEL_SUFFIXES`.
    """
    check_output(path, force=force, inputs=inputs)
    if path.suffix not in MODEL_SUFFIXES:
        raise OutputError(
            f"output {path} cannot be saved as a Keras model: use a name that ends in .keras or .h5"
        )


def rejected_path(path: Path) -> Path:
    """Where a model goes that is not what was asked for.

    Example:
        >>> rejected_path(Path("out/pruned.keras")).name
        'pruned.rejected.keras'
    """
    return path.with_name(f"{path.stem}.rejected{path.suffix}")


def save_model(model: Any, path: Path, *, force: bool = False) -> None:
    """Saves a model of either Keras, in the format that the file's name ends in.

    Args:
        model: the Keras model.
        path: ending in .keras, .h5 or .hdf5.
        force: whether a file that is there already may be replaced.

    Raises:
        OutputError: it cannot be written there, or not in that format.

    Example:
        >>> save_model(model, Path("pruned.keras"), force=True)
    """
    check_model_output(path, force=force)
    with temporary_folder() as folder:
        beside = folder / f"model{path.suffix}"
        try:
            with quietly():
                model.save(beside)
        except (ValueError, NotImplementedError, TypeError, RuntimeError) as error:
            reason = reason_of(error)
            remedy = (
                "give each layer of your own a get_config" if path.suffix == ".keras"
                else "use .keras"
            )  # fmt: skip
            raise OutputError(f"cannot save the model as {path} ({reason}): {remedy}") from error
        write_atomically(path, beside.read_bytes(), force=force)


def saved_bytes(model: Any) -> bytes:
    """A model as the content of a `.keras` file."""
    with temporary_folder() as folder:
        path = folder / "model.keras"
        save_model(model, path)
        return path.read_bytes()


@contextmanager
def quietly() -> Iterator[None]:
    """Keeps what the two versions of Keras and TensorFlow say to themselves within the block.

    They speak of formats that the user chose by name, and of functions that are traced again
    because there is one model after another.
    """
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You are saving your model as an HDF5 file")
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
