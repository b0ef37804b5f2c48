"""How the inputs of a data set become the inputs of one model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import tensorflow as tf

from tflite_squeeze.data.prepare import InputPlan, prepared
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.data.raw_data import RawData, shape_text
from tflite_squeeze.errors import InputError

Plans = tuple[tuple[InputPlan, ...], tuple[str, ...]]
_DONE_TO_AXIS = {
    "append": "a channel axis of size 1 was added",
    "drop": "a channel axis of size 1 was dropped",
    "move": "the data has its channels first, the model takes them last: they were moved",
}


def fitted_plans(
    raw: RawData, preprocessing: Preprocessing, inputs: Mapping[str, tf.TensorSpec]
) -> Plans:
    """Plans each input of a model.

    Args:
        raw: the opened source.
        preprocessing: what is applied to it.
        inputs: the model's inputs by name, batch axis first.

    Returns:
        One plan per input of the model, and notes, each starting with "input <name>".

    Raises:
        InputError: names, shapes or dtypes do not fit.
    """
    plans, notes = [], []
    for name, source in _matched_names(raw, inputs).items():
        wanted = inputs[name]
        plan = InputPlan(source=source, name=name)
        if source in raw.images:
            plan = _image_plan(plan, wanted, preprocessing, raw.source)
        if source not in (name, "x"):
            notes.append(f"input {name!r} takes the data's {source!r}")
        spec = _traced(raw, plan, preprocessing)
        axis = _axis(plan, spec, wanted, raw.source, preprocessing)
        if axis is not None:
            notes.append(f"input {name!r}: {_DONE_TO_AXIS[axis]}")
        pixels = plan.encoded or spec.dtype == tf.uint8
        if pixels and wanted.dtype.is_floating and not preprocessing.changes_values:
            notes.append(
                f"input {name!r} gets raw pixels from 0 to 255: pass --scale 1/255 (or mean and "
                f"std) if the model was trained on scaled ones"
            )
        dtype = _cast(plan, spec, wanted, raw.source, preprocessing)
        plans.append(replace(plan, axis=axis, dtype=dtype))
    return tuple(plans), tuple(notes)


def _matched_names(raw: RawData, inputs: Mapping[str, tf.TensorSpec]) -> dict[str, str]:
    """The data's input for each of the model's."""
    given = list(raw.validation.input_specs)
    if len(given) == len(inputs) == 1:
        return {next(iter(inputs)): given[0]}
    missing = [name for name in inputs if name not in given]
    extra = [name for name in given if name not in inputs]
    if missing or extra:
        raise InputError(
            f"data {raw.source} has the inputs {sorted(given)}, the model takes {sorted(inputs)}: "
            f"name the data's inputs after the model's"
        )
    return {name: name for name in inputs}


def _image_plan(
    plan: InputPlan, wanted: tf.TensorSpec, preprocessing: Preprocessing, source: str
) -> InputPlan:
    """Image size and colour: as stated, else as the model has them."""
    shape = wanted.shape[1:]
    size, channels = preprocessing.image_size, None
    if shape.rank in (2, 3):
        sizes = list(shape) if shape.rank == 3 else [*shape, 1]
        if preprocessing.layout == "channels_first" and shape.rank == 3:
            sizes = [*sizes[1:], sizes[0]]
        height, width, channels = sizes
        if size is None and height is not None and width is not None:
            size = (height, width)
    if size is None:
        raise InputError(
            f"the model leaves the size of input {plan.name!r} open {shape_text(wanted.shape)}, "
            f"and data {source} holds image files: pass --image-size HxW"
        )
    colors: dict[int | None, Literal["grayscale", "rgb"]] = {1: "grayscale", 3: "rgb"}
    color = preprocessing.color or colors.get(channels)
    return replace(plan, encoded=True, image_size=size, color=color)


def _traced(raw: RawData, plan: InputPlan, preprocessing: Preprocessing) -> tf.TensorSpec:
    """The input's shape and dtype after preprocessing, without running it."""
    spec = prepared(raw.validation.dataset, [plan], preprocessing).element_spec
    return (spec[0] if isinstance(spec, tuple) else spec)[plan.name]


def _axis(
    plan: InputPlan,
    spec: tf.TensorSpec,
    wanted: tf.TensorSpec,
    source: str,
    preprocessing: Preprocessing,
) -> Literal["append", "drop", "move"] | None:
    """What is done about a channel axis, where nothing else differs."""
    if wanted.shape.rank is None:
        return None
    target = wanted.shape[1:]
    if spec.shape.is_compatible_with(target):
        return None
    if target.rank and target[-1] == 1 and spec.shape.is_compatible_with(target[:-1]):
        return "append"
    if spec.shape.rank and spec.shape[-1] == 1 and spec.shape[:-1].is_compatible_with(target):
        return "drop"
    if _is_channels_first(spec.shape, target, preprocessing):
        return "move"
    raise InputError(
        f"data {source} has examples of shape {shape_text(spec.shape)}, but the model's input "
        f"{plan.name!r} takes {shape_text(target)}: {_remedy(spec.shape, target, preprocessing)}"
    )


def _is_channels_first(
    given: tf.TensorShape, target: tf.TensorShape, preprocessing: Preprocessing
) -> bool:
    """Whether images differ in where their channels are alone, and nothing says otherwise."""
    if not given.rank == target.rank == 3 or preprocessing.layout is not None:
        return False
    # Numbers for each channel are for the last axis, and were used before.
    single = all(not isinstance(one, tuple) for one in (preprocessing.mean, preprocessing.std))
    return single and tf.TensorShape([*given[1:], given[0]]).is_compatible_with(target)


def _remedy(given: tf.TensorShape, target: tf.TensorShape, preprocessing: Preprocessing) -> str:
    rank = given.rank
    if rank == target.rank + 1 and given[1:].is_compatible_with(target):
        return "it looks batched; pass it unbatched (dataset.unbatch())"
    if rank == target.rank == 3 and preprocessing.layout is None:
        if tf.TensorShape([given[2], given[0], given[1]]).is_compatible_with(target):
            return "pass --layout channels_first"
        if tf.TensorShape([given[1], given[2], given[0]]).is_compatible_with(target):
            return "pass --layout channels_last"
    if rank == 3 and preprocessing.image_size is not None:
        return "change --image-size or --color"
    if given.num_elements() is not None and given.num_elements() == target.num_elements():
        return "reshape the data's examples"
    return "give data of the shape that the model was trained on"


def _cast(
    plan: InputPlan,
    spec: tf.TensorSpec,
    wanted: tf.TensorSpec,
    source: str,
    preprocessing: Preprocessing,
) -> tf.DType | None:
    """The dtype to cast to; only casts that keep the values are made."""
    given, target = spec.dtype, wanted.dtype
    if given == target:
        return None
    number = given.is_integer or given == tf.bool
    keeps = (
        (target.is_floating and (number or given.is_floating))
        or (number and target in (tf.int32, tf.int64))
        or (plan.encoded and target == tf.uint8 and not preprocessing.changes_values)
        or (number and target.is_integer and target.min <= given.min and given.max <= target.max)
    )
    if not keeps:
        raise InputError(
            f"data {source} has {given.name} values, but the model's input {plan.name!r} takes "
            f"{target.name}: give {target.name} data"
        )
    return target
