"""Model files: told apart by what they hold, read with the Keras that wrote them."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import InputError, UsageError, reason_of
from tflite_squeeze.files.files import is_file, is_folder, read_file
from tflite_squeeze.files.tflite_file import is_tflite, refuse_foreign
from tflite_squeeze.foreign.onnx.reading import SUFFIX
from tflite_squeeze.foreign.torch.source import (
    Factory,
    factory_of,
    is_factory,
    is_program,
    refuse_unused,
)
from tflite_squeeze.network.compiling import compiled_as_saved
from tflite_squeeze.network.flavors import Flavor, flavor_of, keras_of, load_keras_file, serialized
from tflite_squeeze.network.larq_library import has_larq_layers, larq
from tflite_squeeze.network.layer_graphs import check_names
from tflite_squeeze.network.model_files import KINDS, read_header, read_metadata
from tflite_squeeze.network.saved_operations import check_saved_graphs
from tflite_squeeze.network.trust import check_trust, first_distrust
from tflite_squeeze.network.unwrapping import custom_objects, plain


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
    source: Any,
    *,
    allow_unsafe: bool = False,
    keep_prunable: bool = False,
    weights: str | Path | None = None,
    inputs: Iterable[str] = (),
) -> LoadedModel:
    """Loads a model from any form that it may have.

    Args:
        source: a path to a `.keras` file (either Keras), `.h5` file, SavedModel folder, `.onnx`,
            `.pt2` or `.tflite` file; `model.py:build`, a function that builds a PyTorch network; or
            a Keras model, a loaded SavedModel, one concrete function or a dict of them by signature
            name, the bytes of a `.tflite` file, a `LoadedModel`.
        allow_unsafe: whether the file may run code of its own: Lambda layers, any class or function
            that it names, operations that touch files.
        keep_prunable: whether `Prunable` wrappers stay, for a model that is to be pruned yet.
        weights: of `model.py:build`, the file with the network's state dict.
        inputs: of `model.py:build`, the shape of each input, such as "1x3x224x224".

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
    if is_factory(source):
        return _from_torch(factory_of(source, weights, inputs))
    refuse_unused(source, weights, inputs)
    if isinstance(source, LoadedModel):
        return source
    if isinstance(source, bytes):
        refuse_foreign(source, "the model's bytes")
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
    if path.suffix == SUFFIX:
        return _import_onnx(path)
    if is_program(path):
        return _from_torch(path, allow_unsafe=allow_unsafe)
    content = read_file(path, "model")
    sha256 = hashlib.sha256(content).hexdigest()
    if is_tflite(content):
        return LoadedModel(
            model=content, kind=ModelKind.TFLITE, name=path.stem, sha256=sha256, path=path
        )
    flavor, config, weights_bytes = read_header(path, content)
    written = json.dumps(config)
    if has_larq_layers(written):
        larq()
    classes = custom_objects(flavor, written)
    check_names(str(path), config)
    if not allow_unsafe:
        check_trust(str(path), config, flavor, classes)
    model = load_keras_file(
        path,
        flavor,
        weights_bytes=weights_bytes,
        allow_unsafe=allow_unsafe,
        custom_objects=classes,
    )
    settings = config.get("compile_config") if isinstance(config, dict) else None
    left_out = compiled_as_saved(model, settings, flavor, allow_unsafe=allow_unsafe)
    model, notes = plain(model, keep_prunable=keep_prunable)
    return LoadedModel(
        model=model,
        kind=ModelKind(flavor.value),
        name=path.stem,
        sha256=sha256,
        path=path,
        notes=notes if left_out is None else (*notes, left_out),
    )


def _import_onnx(path: Path) -> LoadedModel:
    from tflite_squeeze.foreign.onnx.importing import import_onnx

    sha256 = hashlib.sha256(read_file(path, "model")).hexdigest()
    imported = import_onnx(path)
    return LoadedModel(
        model=imported.model,
        kind=ModelKind.KERAS,
        name=path.stem,
        sha256=sha256,
        path=path,
        notes=imported.notes,
    )


def _from_torch(source: Path | Factory, *, allow_unsafe: bool = False) -> LoadedModel:
    from tflite_squeeze.foreign.torch.importing import TorchFile, load_torch

    found = load_torch(source, allow_unsafe=allow_unsafe)
    model, kind = (
        (found.tflite, ModelKind.TFLITE)
        if isinstance(found, TorchFile)
        else (found.model, ModelKind.KERAS)
    )
    if isinstance(source, Factory):
        # Its file may import others, so that it does not tell networks apart.
        path, name = None, source.path.stem
        content = model if isinstance(model, bytes) else serialized(model)
    else:
        path, name, content = source, source.stem, read_file(source, "model")
    return LoadedModel(
        model=model,
        kind=kind,
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        path=path,
        notes=found.notes,
    )


def _load_folder(path: Path, *, allow_unsafe: bool) -> LoadedModel:
    if not is_file(path / "saved_model.pb"):
        raise InputError(f"{path} is a folder without saved_model.pb: expected a {KINDS}")
    name, sha256 = path.resolve().name, _folder_hash(path)
    if not allow_unsafe:
        check_saved_graphs(path, read_file(path / "saved_model.pb", "model file"))
    notes: tuple[str, ...] = ()
    # Only as a Keras model can its recurrent layers be rebuilt for a fixed batch.
    configs, settings = read_metadata(path)
    if configs:
        flavor = Flavor.TF_KERAS
        written = json.dumps(configs)
        if has_larq_layers(written):
            larq()
        classes = custom_objects(flavor, written)
        check_names(str(path), configs)
        unknown = None if allow_unsafe else _unknown_in(path, configs, classes)
        if unknown is None:
            model = load_keras_file(
                path,
                flavor,
                weights_bytes=_folder_bytes(path / "variables"),
                allow_unsafe=allow_unsafe,
                custom_objects=classes,
            )
            left_out = compiled_as_saved(model, settings, flavor, allow_unsafe=allow_unsafe)
            model, notes = plain(model)
            return LoadedModel(
                model=model,
                kind=ModelKind.TF_KERAS,
                name=name,
                sha256=sha256,
                path=path,
                notes=notes if left_out is None else (*notes, left_out),
            )
        notes = (f"it {unknown}; here it is loaded as functions, without its layers",)
    import tensorflow as tf

    try:
        model = tf.saved_model.load(str(path))
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError,
        AssertionError, NotImplementedError, tf.errors.OpError,
    ) as error:  # fmt: skip
        reason = reason_of(error)
        raise InputError(f"SavedModel {path} cannot be loaded ({reason}): save it again") from error
    if not model.signatures:
        raise InputError(f"SavedModel {path} has no signature: save it with signatures=...")
    kind = ModelKind.SAVED_MODEL
    return LoadedModel(model=model, kind=kind, name=name, sha256=sha256, path=path, notes=notes)


def _unknown_in(path: Path, configs: list[Any], classes: dict[str, Any]) -> str | None:
    """What keeps a SavedModel's layers from being rebuilt: an unknown name.

    Raises:
        InputError: the metadata holds Python code, or operations that do more than compute.
    """
    found = first_distrust(configs, Flavor.TF_KERAS, classes)
    if found is not None and not found.is_unknown:
        raise InputError(
            f"SavedModel {path} {found}, or delete its keras_metadata.pb to use the graph alone"
        )
    return None if found is None else str(found)


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file())


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
