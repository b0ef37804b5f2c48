"""The layers of a model, in whichever form it is given."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import CheckFailed, UnsupportedError, UsageError
from tflite_squeeze.network.flavors import flavor_of, keras_of
from tflite_squeeze.network.loading import LoadedModel, ModelKind, load_model


def with_layers(loaded: LoadedModel) -> LoadedModel:
    """The same with layers that can be changed and trained: of a `.tflite` file, layers anew.

    Args:
        loaded: what `load_model` returned.

    Raises:
        UsageError: it is a SavedModel or a function, or a quantized `.tflite` file.
        UnsupportedError: a `.tflite` file has operators that no layer computes.
        CheckFailed: layers that were made of a `.tflite` file compute something else.

    Example:
        >>> with_layers(load_model("lenet_5.tflite")).kind
        <ModelKind.KERAS: 'keras'>
    """
    if loaded.kind in (ModelKind.KERAS, ModelKind.TF_KERAS):
        return loaded
    if loaded.kind is not ModelKind.TFLITE:
        raise UsageError(
            f"model {loaded.path or loaded.name} comes without its layers ({loaded.kind.value}): "
            f"give the .keras or .h5 file that it was made from"
        )
    # It needs tf2onnx, and TensorFlow, which commands load after they have looked at options.
    from tflite_squeeze.rebuilding.from_tflite import import_tflite

    imported = import_tflite(loaded.model, loaded.name)
    return replace(
        loaded,
        model=imported.model,
        kind=ModelKind.KERAS,
        notes=(*loaded.notes, *imported.notes),
    )


def with_layers_or_file(loaded: LoadedModel) -> LoadedModel:
    """The same with layers where these can be had, and else the `.tflite` file that was given.

    Args:
        loaded: what `load_model` returned.

    Raises:
        UsageError: it is a SavedModel or a function, or a quantized `.tflite` file.

    Example:
        >>> with_layers_or_file(load_model("hey_jarvis.tflite")).notes  # it has a branch
        ('hey_jarvis.tflite stays a file: ...',)
    """
    try:
        return with_layers(loaded)
    except (UnsupportedError, CheckFailed) as error:
        why, _, _remedy = str(error).rpartition(": ")
        note = (
            f"{loaded.name}.tflite stays a file, whose weights are pruned and shared without "
            f"training: {why}"
        )
        return replace(loaded, notes=(*loaded.notes, note))


def model_of(source: Any, *, keep_prunable: bool = False) -> tuple[Any, tuple[str, ...]]:
    """The Keras model that a verb is given, in whichever form.

    Args:
        source: a model of either Keras, taken as it is; a path to one, or to a `.tflite` file; or
            a `LoadedModel`.
        keep_prunable: whether `Prunable` wrappers stay in a model that is read from a file.

    Returns:
        (model, what was done to it on the way).

    Raises:
        UsageError: it is no Keras model.
        InputError: it cannot be loaded.

    Example:
        >>> model_of("models/lenet_5.keras")[0].count_params()
        431080
    """
    flavor = None if isinstance(source, str | Path) else flavor_of(source)
    if flavor is not None and isinstance(source, keras_of(flavor).Model):
        return source, ()
    loaded = with_layers(load_model(source, keep_prunable=keep_prunable))
    return loaded.model, loaded.notes
