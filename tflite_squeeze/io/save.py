"""Writing a Keras model: whole or not at all."""

import tempfile
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import OutputError
from tflite_squeeze.io.files import check_output, write_atomically


def save_model(model: Any, path: Path, *, force: bool = False) -> None:
    """Saves a model of either Keras, in the format that the file's name ends in.

    Args:
        model: the Keras model.
        path: ending in .keras, .h5 or .hdf5.
        force: whether a file that is there already may be replaced.

    Raises:
        OutputError: it cannot be written there, or not in that format.
    """
    check_output(path, force=force)
    with tempfile.TemporaryDirectory(prefix="tflite_squeeze_") as folder:
        beside = Path(folder) / f"model{path.suffix}"
        try:
            model.save(beside)
        except (ValueError, NotImplementedError, TypeError) as error:
            line = str(error).strip().splitlines()[0]
            raise OutputError(f"cannot save the model as {path} ({line}): use .keras") from error
        write_atomically(path, beside.read_bytes(), force=force)
