"""How raw values are scaled and arranged for a model, stated once."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from tflite_squeeze.frozen import Frozen

if TYPE_CHECKING:
    import tensorflow as tf

Layout = Literal["channels_first", "channels_last"]


class Preprocessing(Frozen):
    """How raw values become what the model was trained on: (x * scale - mean) / std.

    The channels are the last axis while scaling, whatever the layout before or after it.

    Example:
        >>> Preprocessing(scale="1/255").scale
        0.00392156862745098
    """

    scale: float = Field(default=1.0, description='Factor on raw values, such as "1/255".')
    mean: float | tuple[float, ...] | None = Field(
        default=None,
        description="Mean to subtract after scaling: one number, or one per channel.",
    )
    std: float | tuple[float, ...] | None = Field(
        default=None,
        description="Standard deviation to divide by after that: one number, or one per channel.",
    )
    layout: Layout | None = Field(
        default=None,
        description="Where the model takes its channels, if the data has them elsewhere: "
        '"channels_first" moves the last axis to the front, "channels_last" the '
        "first axis to the end.",
    )
    add_channel: bool = Field(
        default=False, description="Append a channel axis of size 1 before anything else."
    )
    image_size: tuple[int, int] | None = Field(
        default=None, description="Height and width to which image files are resized, in pixels."
    )
    color: Literal["grayscale", "rgb"] | None = Field(
        default=None,
        description="Decode image files to one channel or three; by default as many as the model "
        "takes.",
    )
    dtype: Literal["float32"] = Field(
        default="float32", description="Type of the values before they are scaled."
    )
    inputs: tuple[str, ...] = Field(
        default=(),
        description="Inputs of a model with several that this applies to; all by default.",
    )

    @field_validator("scale", mode="before")
    @classmethod
    def _read_fraction(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            numerator, _, denominator = value.partition("/")
            return float(Fraction(numerator.strip()) / Fraction(denominator.strip() or "1"))
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError(f"{value!r} is not a number or a fraction such as 1/255") from error

    @field_validator("scale", "mean", "std")
    @classmethod
    def _finite(cls, value: Any) -> Any:
        if value is not None and not np.all(np.isfinite(value)):
            raise ValueError(f"{value} is not finite")
        return value

    @field_validator("std")
    @classmethod
    def _divides(cls, value: Any) -> Any:
        if value is not None and not np.all(np.asarray(value) > 0):
            raise ValueError(f"{value} must be greater than 0")
        return value

    @field_validator("image_size")
    @classmethod
    def _has_pixels(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and min(value) < 1:
            raise ValueError(f"{value} must be at least 1 x 1 pixels")
        return value

    @property
    def changes_values(self) -> bool:
        """Whether it does anything to numbers, apart from how files are decoded."""
        about_files = {"image_size": None, "color": None, "inputs": ()}
        return self.model_copy(update=about_files) != Preprocessing()

    def applies_to(self, name: str) -> bool:
        """Whether an input of that name is changed by it."""
        return not self.inputs or name in self.inputs


def preprocess_array(x: NDArray[Any], preprocessing: Preprocessing) -> NDArray[Any]:
    """Applies preprocessing to one example, or to many with any number of leading axes.

    Args:
        x: values with the channels last, or, for `layout="channels_last"`, one example with the
            channels first.
        preprocessing: what to do.

    Returns:
        float32 values in the layout the model takes.

    Example:
        >>> preprocess_array(np.array([0, 255]), Preprocessing(scale="1/255"))
        array([0., 1.], dtype=float32)
    """
    values = x.astype(preprocessing.dtype)
    if preprocessing.add_channel:
        values = values[..., np.newaxis]
    if preprocessing.layout == "channels_last":
        values = np.moveaxis(values, 0, -1)
    values = _normalised(values, preprocessing)
    if preprocessing.layout == "channels_first":
        values = np.moveaxis(values, -1, 0)
    return np.asarray(values, dtype=preprocessing.dtype)


def preprocess_tensor(x: "tf.Tensor", preprocessing: Preprocessing) -> "tf.Tensor":
    """The same as `preprocess_array`, inside a tf.data pipeline, for one example."""
    import tensorflow as tf

    values = tf.cast(x, preprocessing.dtype)
    if preprocessing.add_channel:
        values = values[..., tf.newaxis]
    axes = list(range(values.shape.rank))
    if preprocessing.layout == "channels_last":
        values = tf.transpose(values, [*axes[1:], 0])
    values = _normalised(values, preprocessing)
    if preprocessing.layout == "channels_first":
        values = tf.transpose(values, [axes[-1], *axes[:-1]])
    return values


def _normalised(values: Any, preprocessing: Preprocessing) -> Any:
    """(values * scale - mean) / std, on arrays and tensors alike, steps without effect left out."""
    if preprocessing.scale != 1.0:
        values = values * np.float32(preprocessing.scale)
    if preprocessing.mean is not None:
        values = values - np.asarray(preprocessing.mean, np.float32)
    if preprocessing.std is not None:
        values = values / np.asarray(preprocessing.std, np.float32)
    return values
