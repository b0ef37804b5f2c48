"""tf.data pipelines, generators, and the user's own functions that return them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.data.arrays import ARRAY_KEY, TOLD_KEYS, is_one_hot, raw_arrays
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.data.raw_data import PART_NAMES, RawData, RawPart, assemble, reading
from tflite_squeeze.errors import InputError, SqueezeError

_PEEKED_LABELS = 16
_FORMS = (
    "an unbatched tf.data.Dataset, (train, validation), a dict with 'train', 'validation', "
    "'test' or 'calibration', arrays, or a generator"
)


def call_function(target: str) -> RawData:
    """Calls the user's `package.module:function` and opens what it returns.

    Args:
        target: the function; modules in the current folder can be imported.

    Raises:
        InputError: it cannot be imported, raises, or returns something else than data.
    """
    module_name, _, name = target.partition(":")
    with _current_folder_importable():
        try:
            function: Any = import_module(module_name)
            for part in name.split("."):
                function = getattr(function, part)
        except SqueezeError:
            raise
        except Exception as error:  # the user's module may raise anything
            raise InputError(
                f"data {target}: cannot import it ({_told(error)}): check the name, and run in "
                f"the folder that holds the module"
            ) from error
        if not callable(function):
            raise InputError(f"data {target} is a {type(function).__name__}: name a function")
        result = _called(function, target)
    if isinstance(result, Iterator):
        return raw_object(lambda: _called(function, target), target)
    return raw_object(result, target)


def raw_object(data: Any, source: str) -> RawData:
    """Opens data that Python already holds.

    Args:
        data: an unbatched `tf.data.Dataset` of inputs or (inputs, labels), inputs being one
            tensor or a dict of them by name; a function that returns a new generator of the
            same; (train, validation) of either; a dict of them by part; an array, (x, y), or a
            dict of arrays as in an .npz file or by input name.
        source: what to call it in messages.

    Raises:
        InputError: it is something else.
    """
    if isinstance(data, tf.data.Dataset) or callable(data):
        return _opened({"train": data}, source)
    if isinstance(data, list | tuple) and len(data) == 2:
        if any(isinstance(part, tf.data.Dataset) or callable(part) for part in data):
            named = dict(zip(("train", "validation"), data, strict=True))
            return raw_object(named, source)
        x, y = data
        return raw_arrays(_keyed("x", x) | _keyed("y", y), source)
    if isinstance(data, Mapping) and set(data) & set(PART_NAMES):
        return _named_parts(data, source)
    if isinstance(data, Mapping):
        keyed = any(ARRAY_KEY.fullmatch(key) or key in TOLD_KEYS for key in data)
        return raw_arrays(data if keyed else _keyed("x", data), source)
    if isinstance(data, np.ndarray):
        return raw_arrays({"x": data}, source)
    raise InputError(f"data {source} is a {type(data).__name__}: give {_FORMS}")


def _keyed(kind: str, value: Any) -> dict[str, Any]:
    """Arrays under the keys that an .npz file has for them."""
    if isinstance(value, Mapping):
        return {f"{kind}:{name}": array for name, array in value.items()}
    return {kind: value}


def _named_parts(data: Mapping[str, Any], source: str) -> RawData:
    unknown = sorted(set(data) - {*PART_NAMES, "class_names", "preprocessing"})
    if unknown:
        raise InputError(
            f"data {source} has the unknown part {unknown[0]!r}: use {', '.join(PART_NAMES)}, "
            f"class_names, preprocessing"
        )
    preprocessing = data.get("preprocessing")
    if preprocessing is not None and not isinstance(preprocessing, Preprocessing):
        raise InputError(f"data {source}: 'preprocessing' is not a Preprocessing object")
    given = {name: data[name] for name in PART_NAMES if data.get(name) is not None}
    return _opened(given, source, tuple(data.get("class_names", ())), preprocessing)


def _opened(
    given: Mapping[str, Any],
    source: str,
    class_names: tuple[str, ...] = (),
    preprocessing: Preprocessing | None = None,
) -> RawData:
    """Opens each part, whether it is a pipeline, a generator function or arrays."""
    notes: list[str] = []
    parts = {}
    for name, data in given.items():
        what = f"{source} ({name} part)" if len(given) > 1 else source
        if isinstance(data, tf.data.Dataset):
            parts[name] = _stream_part(data, what, notes)
        elif callable(data):
            parts[name] = _stream_part(_from_generator(data, what), what, notes)
        else:
            arrays = raw_object(data, what)
            parts[name] = arrays.train or arrays.validation
    return assemble(
        source,
        parts,
        class_names=class_names,
        preprocessing=preprocessing,
        notes=tuple(dict.fromkeys(notes)),
    )


def _stream_part(dataset: tf.data.Dataset, source: str, notes: list[str]) -> RawPart:
    """A pipeline whose elements become {name: input} or ({name: input}, labels)."""
    spec = dataset.element_spec
    labelled = isinstance(spec, tuple) and len(spec) == 2
    if isinstance(spec, tuple) and len(spec) not in (1, 2):
        raise InputError(
            f"data {source} yields {len(spec)} values per example: yield inputs or "
            f"(inputs, labels), several inputs as a dict by name"
        )
    inputs_spec = spec[0] if isinstance(spec, tuple) else spec
    _refuse_nested(inputs_spec, "inputs", source)
    if labelled:
        _refuse_nested(spec[1], "labels", source)
    one_hot = labelled and _first_labels_are_one_hot(dataset, source)
    if one_hot:
        notes.append("one-hot labels were read as class ids")

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def named(inputs: Any, labels: Any = None) -> Any:
        named_inputs = inputs if isinstance(inputs, dict) else {"x": inputs}
        if not labelled:
            return named_inputs
        labels = tf.argmax(labels, axis=-1) if one_hot else labels
        return named_inputs, tf.nest.map_structure(_as_label, labels)

    # Sequential, so that no more is read from a stream than was asked for.
    mapped = dataset.map(named)
    cardinality = int(mapped.cardinality())
    return RawPart(dataset=mapped, count=None if cardinality < 0 else cardinality)


def _refuse_nested(spec: Any, what: str, source: str) -> None:
    leaves = spec.values() if isinstance(spec, dict) else [spec]
    if not all(isinstance(leaf, tf.TensorSpec) for leaf in leaves):
        raise InputError(
            f"data {source} yields {what} that are neither one dense tensor nor a dict of them "
            f"by name: name several in a dict"
        )


def _as_label(label: tf.Tensor) -> tf.Tensor:
    return tf.cast(label, tf.float32 if label.dtype.is_floating else tf.int64)


def _first_labels_are_one_hot(dataset: tf.data.Dataset, source: str) -> bool:
    """Looks at a few labels: a stream cannot be looked at as a whole."""
    spec = dataset.element_spec[1]
    if isinstance(spec, dict) or spec.shape.rank != 1 or (spec.shape[0] or 2) < 2:
        return False
    with reading(source):
        few = [
            labels
            for _, labels in dataset.take(_PEEKED_LABELS).as_numpy_iterator()
        ]  # fmt: skip
    return bool(few) and len({len(row) for row in few}) == 1 and is_one_hot(np.stack(few))


def _from_generator(function: Callable[[], Any], source: str) -> tf.data.Dataset:
    """A pipeline over a generator function, called anew for every pass."""

    def examples() -> Iterator[Any]:
        with _current_folder_importable():
            for example in function():
                yield _as_arrays(example)

    try:
        first = next(examples(), None)
    except SqueezeError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise InputError(f"data {source} failed with {_told(error)}: correct it") from error
    if first is None:
        raise InputError(f"data {source} yields nothing: give at least one example")
    signature = tf.nest.map_structure(
        lambda array: tf.TensorSpec(array.shape, tf.as_dtype(array.dtype)), first
    )
    return tf.data.Dataset.from_generator(examples, output_signature=signature)


def _as_arrays(example: Any) -> Any:
    """An example of a generator with arrays for leaves: inputs or (inputs, labels)."""
    if isinstance(example, tuple):
        return tuple(_as_arrays(part) for part in example)
    if isinstance(example, Mapping):
        return {name: np.asarray(value) for name, value in example.items()}
    return np.asarray(example)


def _called(function: Any, target: str) -> Any:
    try:
        return function()
    except SqueezeError:
        raise
    except Exception as error:  # the user's function may raise anything
        raise InputError(f"data {target} failed with {_told(error)}: correct it") from error


def _told(error: Exception) -> str:
    """An exception as one line."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    """Lets modules in the current folder be imported, as `python -m` does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
