"""Larq, which exists for tf_keras only and wants it behind `tf.keras`."""

import io
import os
import sys
import zipfile
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.files.archives import check_archive
from tflite_squeeze.files.files import is_file, is_folder, read_file
from tflite_squeeze.network.flavors import Flavor, flavor_of, walk_layers

VARIABLE = "TF_USE_LEGACY_KERAS"
_SIGNS = ('"kernel_quantizer"', '"depthwise_quantizer"', '"input_quantizer"')


def larq() -> Any:
    """Imports Larq; its layers are then known to tf_keras wherever models are loaded.

    Raises:
        UsageError: `tf.keras` is Keras 3 in this process, or Larq is not installed.
    """
    if "larq" not in sys.modules and not _legacy():
        raise UsageError(
            f"Larq's layers need tf_keras behind tf.keras: set {VARIABLE}=1 before TensorFlow is "
            f"imported (import os; os.environ[{VARIABLE!r}] = '1'); the command line does so itself"
        )
    try:
        return import_module("larq")
    except ModuleNotFoundError as error:
        if error.name != "larq":
            raise
        raise UsageError("binary networks need Larq: pip install larq") from error


def _legacy() -> bool:
    """Whether `tf.keras` is tf_keras in this process: what the variable said at its import."""
    import tensorflow as tf

    return str(tf.keras.layers.Layer.__module__).startswith("tf_keras")


def has_larq_layers(config: str) -> bool:
    """Whether a model's configuration, as text, names a layer of Larq.

    Example:
        >>> has_larq_layers('{"class_name": "Dense", "config": {"units": 3}}')
        False
    """
    return any(sign in config for sign in _SIGNS)


def may_need_larq(path: Path) -> bool:
    """Whether a model file seems to have layers of Larq, told without a Keras.

    Args:
        path: a file or SavedModel folder; damaged ones are the loader's business.
    """
    file = path / "keras_metadata.pb" if is_folder(path) else path
    if not is_file(file):
        return False
    content = read_file(file, "model")
    if content[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                check_archive(archive, "model", len(content))
                content = archive.read("config.json")
        except (zipfile.BadZipFile, zlib.error, LookupError, EOFError, ValueError, InputError):
            return False
    return any(sign.encode() in content for sign in _SIGNS)


def is_larq_model(model: Any) -> bool:
    """Whether a Keras model has layers of Larq, nested ones included."""
    if flavor_of(model) is not Flavor.TF_KERAS:
        return False
    return any(type(layer).__module__.startswith("larq.") for layer in walk_layers(model))


def arrange_for_larq() -> None:
    """Lets `tf.keras` be tf_keras in this process, where TensorFlow is not imported yet."""
    os.environ.setdefault(VARIABLE, "1")
