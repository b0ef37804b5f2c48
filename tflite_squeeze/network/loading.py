"""Model files: told apart by what they hold, read with the Keras that wrote them."""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.files.files import is_folder, read_file
from tflite_squeeze.network.flavors import Flavor, flavor_of, keras_of, load_keras_file, serialized
from tflite_squeeze.network.larq_library import has_larq_layers, larq
from tflite_squeeze.network.unwrapping import custom_objects, plain

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_KINDS = ".keras, .h5 or .hdf5 file, SavedModel folder, or .tflite file"


class ModelKind(StrEnum):
    """What a loaded model is."""

    KERAS = "keras"
    TF_KERAS = "tf_keras"
    SAVED_MODEL = "saved_model"
    FUNCTIONS = "functions"
    TFLITE = "tflite"


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model and where it came from.

    Attributes:
        model: the Keras model, the loaded SavedModel, a dict of concrete functions by signature
            name, or the bytes of a `.tflite` file, as `kind` says.
        kind: which of them.
        name: the file's stem, or the model's own name.
        sha256: the hash of the file; for objects, of configuration and weights.
        path: the file or folder, if there is one.
        notes: what was done to it on the way.
    """

    model: Any
    kind: ModelKind
    name: str
    sha256: str
    path: Path | None = None
    notes: tuple[str, ...] = ()


def load_model(
    source: Any, *, allow_unsafe: bool = False, keep_prunable: bool = False
) -> LoadedModel:
    """Loads a model from any form that it may have.

    Args:
        source: a path to a `.keras` file (either Keras), `.h5` file, SavedModel folder or
            `.tflite` file; or a Keras model, a loaded SavedModel, one concrete function or a
            dict of them by signature name, the bytes of a `.tflite` file, a `LoadedModel`.
        allow_unsafe: whether Lambda layers may bring Python code of their own out of the file.
        keep_prunable: whether `Prunable` wrappers stay, for a model that is to be pruned yet.

    Returns:
        The model with its kind, name and hash. Layers that were wrapped for pruning (`Prunable`,
        or TensorFlow Model Optimization's wrappers) come without their wrappers.

    Raises:
        InputError: the file is missing, damaged, not a model, or holds code that was not allowed.
        UsageError: it has Larq's layers, and Larq cannot be used in this process.

    Example:
        >>> load_model("models/lenet_5.keras").kind
        <ModelKind.KERAS: 'keras'>
    """
    if isinstance(source, LoadedModel):
        return source
    if isinstance(source, bytes):
        _refuse_foreign(source, "the model's bytes")
        return LoadedModel(
            model=source,
            kind=ModelKind.TFLITE,
            name="model",
            sha256=hashlib.sha256(source).hexdigest(),
        )
    if not isinstance(source, str | Path):
        return _from_object(source, keep_prunable=keep_prunable)
    path = Path(source)
    if is_folder(path):
        return _load_folder(path, allow_unsafe=allow_unsafe)
    content = read_file(path, "model")
    sha256 = hashlib.sha256(content).hexdigest()
    if content[4:8] == b"TFL3":
        return LoadedModel(
            model=content, kind=ModelKind.TFLITE, name=path.stem, sha256=sha256, path=path
        )
    flavor, config = _read_header(path, content)
    _refuse_code(path, config, allow_unsafe=allow_unsafe)
    written = json.dumps(config)
    if has_larq_layers(written):
        larq()
    classes = custom_objects(flavor, written)
    model = load_keras_file(path, flavor, allow_unsafe=allow_unsafe, custom_objects=classes)
    model, notes = plain(model, keep_prunable=keep_prunable)
    kind = ModelKind(flavor.value)
    return LoadedModel(
        model=model, kind=kind, name=path.stem, sha256=sha256, path=path, notes=notes
    )


def load_tflite(path: Path) -> bytes:
    """Reads a `.tflite` file and refuses anything else.

    Raises:
        InputError: the file is missing, unreadable or lacks the TFL3 identifier.
    """
    content = read_file(path, "file")
    _refuse_foreign(content, str(path))
    return content


def _refuse_foreign(content: bytes, what: str) -> None:
    if content[4:8] != b"TFL3":
        raise InputError(
            f"{what} is not a .tflite file (no TFL3 identifier): convert a Keras model first, "
            f"with tflite-squeeze convert"
        )


def _read_header(path: Path, content: bytes) -> tuple[Flavor, Any]:
    """The Keras that wrote a file and the configuration in it, without running any of it."""
    if not content:
        raise InputError(f"model {path} is empty: expected a {_KINDS}")
    try:
        if content[:2] == b"PK":
            header, suffixes = _read_zip_header(path, content), [".keras"]
        elif content.startswith(_HDF5_MAGIC):
            header, suffixes = _read_hdf5_header(path), [".h5", ".hdf5"]
        else:
            raise InputError(f"{path} is not a model: expected a {_KINDS}")
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"model {path} is damaged or incomplete ({reason}): save or copy it again"
        ) from error
    # Keras goes by the file's name.
    if path.suffix not in suffixes:
        raise InputError(
            f"model {path} holds a {suffixes[0]} file under another name: rename it to "
            f"{path.stem}{suffixes[0]}"
        )
    return header


def _read_zip_header(path: Path, content: bytes) -> tuple[Flavor, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if not {"metadata.json", "config.json"} & set(archive.namelist()):
            raise InputError(f"{path} is an archive, but no model: expected a {_KINDS}")
        metadata = json.loads(archive.read("metadata.json"))
        config = json.loads(archive.read("config.json"))
        broken = archive.testzip()
    if broken:
        raise ValueError(f"wrong checksum in {broken}")
    return _flavor_of_version(str(metadata["keras_version"])), config


def _read_hdf5_header(path: Path) -> tuple[Flavor, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        config = file.attrs.get("model_config")
        if config is None:
            raise InputError(
                f"model {path} holds weights only: save the whole model, with model.save(...)"
            )
        version = file.attrs.get("keras_version", "2")
    text = config.decode() if isinstance(config, bytes) else str(config)
    number = version.decode() if isinstance(version, bytes) else str(version)
    return _flavor_of_version(number), json.loads(text)


def _flavor_of_version(version: str) -> Flavor:
    return Flavor.KERAS if int(version.split(".")[0]) >= 3 else Flavor.TF_KERAS


def _refuse_code(path: Path, config: Any, *, allow_unsafe: bool) -> None:
    """Stops before a Lambda layer's own byte code is brought to life."""
    if not allow_unsafe and (layer := _layer_with_code(config)) is not None:
        raise InputError(
            f"model {path} has Python code inside (Lambda layer {layer!r}): pass --allow-unsafe "
            f"(allow_unsafe=True) if you trust the file"
        )


def _layer_with_code(node: Any) -> str | None:
    """The name of the first Lambda layer whose function is byte code, not a name."""
    if isinstance(node, list):
        return next((name for item in node if (name := _layer_with_code(item))), None)
    if not isinstance(node, dict):
        return None
    if node.get("class_name") == "Lambda" and isinstance(node.get("config"), dict):
        function = node["config"].get("function")
        coded = isinstance(function, list) or (
            isinstance(function, dict) and function.get("class_name") == "__lambda__"
        )
        if coded:
            return str(node["config"].get("name", "lambda"))
    return next((name for item in node.values() if (name := _layer_with_code(item))), None)


def _load_folder(path: Path, *, allow_unsafe: bool) -> LoadedModel:
    if not (path / "saved_model.pb").is_file():
        raise InputError(f"{path} is a folder without saved_model.pb: expected a {_KINDS}")
    name, sha256 = path.resolve().name, _folder_hash(path)
    metadata = path / "keras_metadata.pb"
    # Only as a Keras model can its recurrent layers be rebuilt for a fixed batch.
    if metadata.is_file() and (
        allow_unsafe or b'"class_name": "Lambda"' not in metadata.read_bytes()
    ):
        flavor = Flavor.TF_KERAS
        written = metadata.read_bytes().decode(errors="replace")
        if has_larq_layers(written):
            larq()
        classes = custom_objects(flavor, written)
        model = load_keras_file(path, flavor, allow_unsafe=allow_unsafe, custom_objects=classes)
        model, notes = plain(model)
        return LoadedModel(
            model=model,
            kind=ModelKind.TF_KERAS,
            name=name,
            sha256=sha256,
            path=path,
            notes=notes,
        )
    import tensorflow as tf

    try:
        model = tf.saved_model.load(str(path))
    except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"SavedModel {path} cannot be loaded ({reason}): save it again") from error
    if not model.signatures:
        raise InputError(f"SavedModel {path} has no signature: save it with signatures=...")
    return LoadedModel(model=model, kind=ModelKind.SAVED_MODEL, name=name, sha256=sha256, path=path)


def _folder_hash(path: Path) -> str:
    """A hash of the names and contents of all files in a SavedModel."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        # Keras stamps the fingerprint with fresh numbers; it says nothing about the model.
        if file.is_file() and file.name != "fingerprint.pb":
            content = read_file(file, "model file")
            digest.update(file.relative_to(path).as_posix().encode() + b"\0" + content)
    return digest.hexdigest()


def _from_object(source: Any, *, keep_prunable: bool) -> LoadedModel:
    flavor = flavor_of(source)
    if flavor is not None:
        if not isinstance(source, keras_of(flavor).Model):
            raise UsageError(
                f"model is the layer {source.name!r} ({type(source).__name__}): wrap it in a "
                f"{flavor.value}.Sequential"
            )
        sha256 = hashlib.sha256(serialized(source)).hexdigest()
        model, notes = plain(source, keep_prunable=keep_prunable)
        return LoadedModel(
            model=model,
            kind=ModelKind(flavor.value),
            name=source.name,
            sha256=sha256,
            notes=notes,
        )
    signatures = getattr(source, "signatures", None)
    if signatures:
        functions, kind, name = dict(signatures), ModelKind.SAVED_MODEL, "saved_model"
    else:
        functions = source if isinstance(source, dict) else {"serving_default": source}
        kind, name = ModelKind.FUNCTIONS, "function"
    if not functions:
        raise UsageError("model is an empty dict: give concrete functions by signature name")
    for key, function in functions.items():
        if not hasattr(function, "structured_input_signature"):
            raise UsageError(
                f"model {type(function).__name__} ({key}) is not a Keras model, SavedModel, "
                f"concrete function, path or bytes: for a tf.function pass "
                f"f.get_concrete_function(...)"
            )
    digest = hashlib.sha256()
    for key in sorted(functions):
        graph = functions[key].graph.as_graph_def().SerializeToString(deterministic=True)
        digest.update(key.encode() + graph)
        for variable in functions[key].graph.variables:
            digest.update(variable.numpy().tobytes())
    model = source if kind is ModelKind.SAVED_MODEL else functions
    return LoadedModel(model=model, kind=kind, name=name, sha256=digest.hexdigest())
