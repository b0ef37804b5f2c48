"""What a model file says about itself, read without running any of it and in bounded work."""

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from tflite_squeeze.errors import InputError, reason_of
from tflite_squeeze.files.archives import check_archive, read_json
from tflite_squeeze.files.files import is_file, read_file
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.hdf5_files import check_hdf5

KINDS = ".keras, .h5 or .hdf5 file, SavedModel folder, .onnx, .pt2 or .tflite file"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_WEIGHTS = "model.weights.h5"
# What libraries raise when they meet bytes that no writer wrote.
_DAMAGE = (
    OSError, KeyError, ValueError, EOFError, TypeError, AttributeError, RuntimeError,
    NotImplementedError, IndexError, OverflowError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


class Header(NamedTuple):
    """What a model file says about itself.

    Attributes:
        flavor: the Keras that wrote it.
        config: the model's configuration, with its `compile_config`.
        weights_bytes: how many bytes of weights it holds.
    """

    flavor: Flavor
    config: Any
    weights_bytes: int


def read_header(path: Path, content: bytes) -> Header:
    """Reads what a file says about itself.

    Args:
        path: the file.
        content: what it holds.

    Raises:
        InputError: it is no model, damaged, has the wrong suffix, or would unpack to far more than
            a model of its size.
    """
    if not content:
        raise InputError(f"model {path} is empty: expected a {KINDS}")
    try:
        if content[:2] == b"PK":
            header, suffixes = _read_zip_header(path, content), [".keras"]
        elif content.startswith(_HDF5_MAGIC):
            header, suffixes = _read_hdf5_header(path, content), [".h5", ".hdf5"]
        else:
            raise InputError(f"{path} is not a model: expected a {KINDS}")
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    # Keras goes by the file's name.
    if path.suffix not in suffixes:
        raise InputError(
            f"model {path} holds a {suffixes[0]} file under another name: rename it to "
            f"{path.stem}{suffixes[0]}"
        )
    return header


def read_metadata(folder: Path) -> tuple[list[Any], Any]:
    """The configurations in the metadata of a SavedModel, and what it says of `compile`.

    They lie in `keras_metadata.pb`, or before TensorFlow 2.5 in `saved_model.pb`.

    Returns:
        The layers' configurations, none where Keras did not write it; and the settings of
        `compile`, or None.

    Raises:
        InputError: it is damaged.
    """
    from google.protobuf.message import DecodeError

    own = folder / "keras_metadata.pb"
    path = own if is_file(own) else folder / "saved_model.pb"
    content = read_file(path, "model file")
    try:
        texts = _keras_metadata(content) if path == own else _metadata_in_graph(content)
        configs = [json.loads(text) for text in texts if text]
    except (DecodeError, *_DAMAGE) as error:
        raise _damaged(path, error) from error
    settings = [
        config.pop("training_config", None) for config in configs if isinstance(config, dict)
    ]
    return configs, next((found for found in settings if found), None)


def _keras_metadata(content: bytes) -> list[str]:
    from tf_keras.protobuf import saved_metadata_pb2

    saved = saved_metadata_pb2.SavedMetadata.FromString(content)
    return [node.metadata for node in saved.nodes]


def _metadata_in_graph(content: bytes) -> list[str]:
    """Where TensorFlow wrote it before 2.5."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString(content)
    return [
        node.user_object.metadata
        for graph in saved.meta_graphs
        for node in graph.object_graph_def.nodes
        if node.user_object.identifier.startswith("_tf_keras")
    ]


def _damaged(path: Path, error: Exception) -> InputError:
    reason = reason_of(error)
    if isinstance(error, RecursionError):
        reason = "its configuration is nested too deep"
    return InputError(f"model {path} is damaged or incomplete ({reason}): save or copy it again")


def _read_zip_header(path: Path, content: bytes) -> Header:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if not {"metadata.json", "config.json"} & set(names):
            raise InputError(f"{path} is an archive, but no model: expected a {KINDS}")
        check_archive(archive, f"model {path}", len(content))
        metadata = read_json(archive, "metadata.json")
        config = read_json(archive, "config.json")
        broken = archive.testzip()
        if broken:
            raise ValueError(f"wrong checksum in {broken}")
        weights_bytes = sum(member.file_size for member in archive.infolist())
        if _WEIGHTS in names:
            weights = archive.read(_WEIGHTS)
            weights_bytes = check_hdf5(weights, f"model {path}")
    if not isinstance(metadata, dict):
        raise ValueError("its metadata are no dict")
    return Header(_flavor_of_version(str(metadata["keras_version"])), config, weights_bytes)


def _read_hdf5_header(path: Path, content: bytes) -> Header:
    import h5py

    weights_bytes = check_hdf5(content, f"model {path}")
    with h5py.File(io.BytesIO(content), "r") as file:
        config = file.attrs.get("model_config")
        if config is None:
            raise InputError(
                f"model {path} holds weights only: save the whole model, with model.save(...)"
            )
        version = file.attrs.get("keras_version", "2")
        training = file.attrs.get("training_config")
    found = json.loads(_text(config))
    if training is not None and isinstance(found, dict):
        found["compile_config"] = json.loads(_text(training))
    return Header(_flavor_of_version(_text(version)), found, weights_bytes)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _flavor_of_version(version: str) -> Flavor:
    major = version.split(".")[0]
    if not major.isdecimal():
        raise ValueError(f"keras_version is {version[:40]!r}")
    return Flavor.KERAS if int(major) >= 3 else Flavor.TF_KERAS
