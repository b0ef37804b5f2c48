"""Layers for what foreign networks have and Keras has no layer for, in Keras 3."""

import operator
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

PACKAGE = "tflite_squeeze"
_OPERATIONS = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "maximum": ops.maximum, "minimum": ops.minimum,
    "power": operator.pow,
}  # fmt: skip


@keras.saving.register_keras_serializable(PACKAGE)
class WeightOperation(keras.layers.Layer):  # type: ignore[misc]
    """A weight that is added to its input, multiplied with it, or the like.

    Args:
        operation: "add", "subtract", "multiply", "divide", "maximum", "minimum" or "power".
        shape: of the weight; it is broadcast against an example.
        reverse: whether the weight comes first, as in `weight - x`.
    """

    def __init__(
        self, operation: str, shape: Sequence[int], *, reverse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if operation not in _OPERATIONS:
            raise ValueError(f"operation is {operation!r}: use one of {sorted(_OPERATIONS)}")
        self.operation, self.shape, self.reverse = operation, tuple(shape), reverse

    def build(self, input_shape: Any) -> None:
        """Makes the weight."""
        self.weight = self.add_weight(shape=self.shape, initializer="zeros", name="weight")

    def call(self, inputs: Any) -> Any:
        """Computes the operation."""
        pair = (self.weight, inputs) if self.reverse else (inputs, self.weight)
        return _OPERATIONS[self.operation](*pair)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = {"operation": self.operation, "shape": self.shape, "reverse": self.reverse}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(PACKAGE)
class Parameter(keras.layers.Layer):  # type: ignore[misc]
    """A weight that is the same for each example: a class token, positions, queries, a mask.

    Args:
        shape: of the weight, without the batch.
        weight_dtype: "float32", "int32" or "bool"; only the first is trained.
    """

    def __init__(
        self, shape: Sequence[int], *, weight_dtype: str = "float32", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.shape, self.weight_dtype = tuple(shape), weight_dtype

    def build(self, input_shape: Any) -> None:
        """Makes the weight."""
        self.weight = self.add_weight(
            shape=self.shape,
            initializer="zeros",
            dtype=self.weight_dtype,
            trainable=self.weight_dtype == "float32",
            name="weight",
        )

    def call(self, inputs: Any) -> Any:
        """The weight for each example of a batch, whatever is in that."""
        return ops.broadcast_to(self.weight, (ops.shape(inputs)[0], *self.shape))

    def compute_output_spec(self, inputs: Any) -> Any:
        """Shape and type of the output."""
        return keras.KerasTensor((inputs.shape[0], *self.shape), dtype=self.weight_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "shape": self.shape, "weight_dtype": self.weight_dtype}


@keras.saving.register_keras_serializable(PACKAGE)
class Interpolation(keras.layers.Layer):  # type: ignore[misc]
    """Resizes images as TensorFlow's runtime operators do.

    Args:
        size: (height, width) of the output, in pixels.
        method: "bilinear" or "nearest".
        align_corners: whether the centres of the corner pixels stay where they are.
        half_pixel_centers: whether pixels are squares rather than points.
    """

    def __init__(
        self,
        size: Sequence[int],
        *,
        method: str = "bilinear",
        align_corners: bool = False,
        half_pixel_centers: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size, self.method = tuple(size), method
        self.align_corners, self.half_pixel_centers = align_corners, half_pixel_centers

    def call(self, inputs: Any) -> Any:
        """Resizes a batch of images."""
        import tensorflow as tf

        resize = {
            "bilinear": tf.raw_ops.ResizeBilinear, "nearest": tf.raw_ops.ResizeNearestNeighbor
        }[self.method]  # fmt: skip
        return resize(
            images=inputs,
            size=self.size,
            align_corners=self.align_corners,
            half_pixel_centers=self.half_pixel_centers,
        )

    def compute_output_spec(self, inputs: Any) -> Any:
        """Shape and type of the output."""
        shape = (inputs.shape[0], *self.size, inputs.shape[-1])
        return keras.KerasTensor(shape, dtype=inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = {
            "size": self.size, "method": self.method, "align_corners": self.align_corners,
            "half_pixel_centers": self.half_pixel_centers,
        }  # fmt: skip
        return {**super().get_config(), **own}


LAYERS: dict[str, type[Any]] = {
    each.__name__: each for each in (WeightOperation, Parameter, Interpolation)
}
