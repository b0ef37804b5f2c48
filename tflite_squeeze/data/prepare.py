"""From raw examples to what the model takes: decode, preprocess, rename, reshape, cast."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

from tflite_squeeze.data.image_folder import decode_image
from tflite_squeeze.data.preprocessing import Preprocessing, preprocess_tensor
from tflite_squeeze.data.raw_data import shape_text
from tflite_squeeze.errors import InputError


@dataclass(frozen=True, kw_only=True)
class InputPlan:
    """What happens to one input.

    Attributes:
        source: its name in the raw examples.
        name: its name afterwards.
        encoded: whether the raw value is an encoded image file.
        image_size: (height, width) in pixels that an image is resized to; None leaves it.
        color: what an image is decoded to; None leaves its own channels.
        axis: whether a last axis of size 1 is appended or dropped after preprocessing, or the first
            moved to the end.
        dtype: what it is cast to in the end; None leaves it.
    """

    source: str
    name: str
    encoded: bool = False
    image_size: tuple[int, int] | None = None
    color: Literal["grayscale", "rgb"] | None = None
    axis: Literal["append", "drop", "move"] | None = None
    dtype: Any = None


def prepared(
    dataset: tf.data.Dataset, plans: Sequence[InputPlan], preprocessing: Preprocessing
) -> tf.data.Dataset:
    """Raw examples as the model takes them; labels pass unchanged.

    Args:
        dataset: unbatched: dicts of inputs, or (dict, labels).
        plans: what happens to each input; inputs without a plan are left out.
        preprocessing: the scaling, which is applied here, once.
    """
    ready = preparation(plans, preprocessing)
    return dataset.map(ready, num_parallel_calls=tf.data.AUTOTUNE)


def preparation(plans: Sequence[InputPlan], preprocessing: Preprocessing) -> Any:
    """What `prepared` does to one example.

    Args:
        plans: what happens to each input.
        preprocessing: the scaling.

    Returns:
        A function of a dict of raw inputs and, where there are any, of the labels.
    """

    # AutoGraph is kept out: nothing here depends on values, and it warns about pydantic's methods.
    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def ready(raw: dict[str, tf.Tensor], *labels: Any) -> Any:
        inputs = {
            plan.name: _prepare_input(raw[plan.source], plan, preprocessing) for plan in plans
        }
        return (inputs, *labels) if labels else inputs

    return ready


def _prepare_input(x: tf.Tensor, plan: InputPlan, preprocessing: Preprocessing) -> tf.Tensor:
    if plan.encoded:
        x = decode_image(x, plan.color, plan.image_size)
    if preprocessing.applies_to(plan.source):
        _check_channels(x, plan, preprocessing)
        # Token ids and the like stay integers unless something is to be computed with them.
        if preprocessing.changes_values:
            x = preprocess_tensor(x, preprocessing)
    if plan.axis == "append":
        x = x[..., tf.newaxis]
    elif plan.axis == "drop":
        x = tf.squeeze(x, axis=-1)
    elif plan.axis == "move":
        x = tf.transpose(x, [*range(1, x.shape.rank), 0])
    if plan.dtype is None:
        return x
    # Only resized pixels come here as floats: see fitting._cast.
    rounds = x.dtype.is_floating and plan.dtype.is_integer
    return tf.saturate_cast(tf.round(x), plan.dtype) if rounds else tf.cast(x, plan.dtype)


def _check_channels(x: tf.Tensor, plan: InputPlan, preprocessing: Preprocessing) -> None:
    """A mean per channel must fit the channels, or broadcasting would widen the example."""
    rank = x.shape.rank
    if rank is None:
        raise InputError(
            f"input {plan.name!r} has no known rank: give the data set a shape (set_shape)"
        )
    if rank == 0 and preprocessing.layout is not None and not preprocessing.add_channel:
        raise InputError(
            f"layout is {preprocessing.layout!r}, but input {plan.name!r} is one number per "
            f"example: leave the layout out"
        )
    channels = 1
    if not preprocessing.add_channel and rank > 0:
        channels = x.shape[0 if preprocessing.layout == "channels_last" else -1]
    for field in ("mean", "std"):
        values = getattr(preprocessing, field)
        if not isinstance(values, tuple) or len(values) == 1 or channels in (None, len(values)):
            continue
        raise InputError(
            f"{field} has {len(values)} numbers, but input {plan.name!r} of shape "
            f"{shape_text(x.shape)} has {channels} channels: give one number, or {channels}"
        )
