"""Layers that compute as quantized operators do, in both versions of Keras."""

from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tflite_squeeze.network.both_versions import BothVersions
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.quantization.fake import (
    LEAST,
    constant,
    exported_weights,
    fake_activation,
    fake_weights,
    is_exporting,
    largest_magnitudes,
)
from tflite_squeeze.network.quantization.folding import OUTPUT_AXES
from tflite_squeeze.network.quantization.plan import ActivationQuantization, WeightQuantization
from tflite_squeeze.network.variables import raw_variable

_HOLDERS = ("_kernel", "kernel", "depthwise_kernel")

_BYTE = 127

Estimator = Literal["average", "learned", "fixed"]


class QuantizedActivation(BothVersions):
    """Rounds a tensor to the integers of a range.

    Args:
        point: the name of the activation in the plan.
        bits: 8 or 16.
        estimator: how training finds the range: "average" follows the least and the greatest
            value of the batches, "learned" trains both bounds by their gradients, "fixed" keeps
            them.
        momentum: how much of the range stays in each step of "average".

    Reference: Jacob et al. 2018, arXiv:1712.05877, 3.1 (averages); Jain et al. 2019,
    arXiv:1903.08066 (trained bounds).
    """

    keras_name = "QuantizedActivation"

    def __init__(
        self,
        point: str,
        bits: Literal[8, 16] = 8,
        estimator: Estimator = "average",
        momentum: float = 0.99,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.point, self.bits = point, bits
        self.estimator, self.momentum = estimator, momentum

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        own = {
            "point": self.point, "bits": self.bits, "estimator": self.estimator,
            "momentum": self.momentum,
        }  # fmt: skip
        return {**super().get_config(), **own}  # type: ignore[misc]

    def build(self, shape: Any) -> None:
        """Adds the bounds; 0 and 0 stand for none yet."""
        learned = self.estimator == "learned"
        self.low, self.high = (
            self.add_weight(name=name, shape=(), initializer="zeros", trainable=learned)
            for name in ("low", "high")
        )
        super().build(shape)  # type: ignore[misc]

    def call(self, inputs: Any, training: Any = None) -> Any:
        """The values on the grid; as they are while there is no range."""
        if is_exporting():
            low, high = constant(self.low), constant(self.high)
            return fake_activation(inputs, low, high, self.bits)
        low, high = tf.convert_to_tensor(self.low), tf.convert_to_tensor(self.high)
        if training and self.estimator == "average":
            low, high = self._moved(inputs, low, high)
        return tf.cond(
            high > low,
            lambda: fake_activation(inputs, low, high, self.bits),
            lambda: tf.identity(inputs),
        )

    def _moved(self, inputs: Any, low: Any, high: Any) -> tuple[Any, Any]:
        """The bounds after a batch; those of the first one are taken as they are."""
        least = tf.minimum(tf.reduce_min(inputs), 0.0)
        most = tf.maximum(tf.reduce_max(inputs), 0.0)
        kept = tf.where(high > low, self.momentum, 0.0)
        low = kept * low + (1 - kept) * least
        high = kept * high + (1 - kept) * most
        self.low.assign(low)
        self.high.assign(high)
        return low, high

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input."""
        return input_shape

    @property
    def quantization(self) -> ActivationQuantization:
        """What the plan says of it."""
        low, high = (float(raw_variable(one).numpy()) for one in (self.low, self.high))
        if not high > low:
            return ActivationQuantization(bits=self.bits)
        return ActivationQuantization(bits=self.bits, low=min(low, 0.0), high=max(high, 0.0))


class QuantizedWeights(BothVersions):
    """A layer of Keras that computes with a kernel rounded to a grid.

    Args:
        kernel_quantization: a `WeightQuantization`, or its fields.
        learned_scale: whether the grid's greatest values are trained; else they are the
            kernel's own, or what the plan says.

    Reference: Jacob et al. 2018, arXiv:1712.05877; Esser et al. 2020, arXiv:1902.08153 (learned
    steps).
    """

    plain_kind: str
    quantization: WeightQuantization

    def __init__(
        self,
        *args: Any,
        kernel_quantization: Any = None,
        learned_scale: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        # As it is, since tf_keras wraps lists and dicts.
        self.quantization = WeightQuantization.model_validate(kernel_quantization or {})
        self.learned_scale = learned_scale

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        own = {
            "kernel_quantization": self.quantization.model_dump(mode="json"),
            "learned_scale": self.learned_scale,
        }
        return {**super().get_config(), **own}  # type: ignore[misc]

    @property
    def depthwise(self) -> bool:
        """Whether the two last axes of the kernel together count channels."""
        return len(OUTPUT_AXES[self.plain_kind]) == 2

    def build(self, shape: Any) -> None:
        """Adds the learned scale, if there is one."""
        super().build(shape)  # type: ignore[misc]
        if self.learned_scale:
            largest = largest_magnitudes(
                tf.convert_to_tensor(self.kernel_variable),
                self.quantization,
                depthwise=self.depthwise,
            )
            self.largest = self.add_weight(
                name="largest", shape=largest.shape, initializer="ones", trainable=True
            )

    def call(self, inputs: Any) -> Any:
        """What the layer computes with the rounded kernel."""
        kept = self.kernel_variable
        # Past the attribute hooks of Keras, which would track or refuse a tensor.
        self.__dict__[self._holder] = self.rounded_kernel()
        try:
            return super().call(inputs)  # type: ignore[misc]
        finally:
            self.__dict__[self._holder] = kept

    @property
    def _holder(self) -> str:
        """The attribute that has the kernel; both versions of Keras have names of their own."""
        return next(name for name in _HOLDERS if name in self.__dict__)

    @property
    def kernel_variable(self) -> Any:
        """The variable of the kernel that is trained, in float."""
        return self.__dict__[self._holder]

    def rounded_kernel(self) -> Any:
        """The kernel on its grid."""
        return self._exported_kernel() if is_exporting() else self.rounded_values()

    def _exported_kernel(self) -> Any:
        """Constants of which the converter makes the grid's integers."""
        quantization = self.quantization
        with tf.init_scope():
            kernel = np.asarray(self.rounded_values())
            largest = np.asarray(self.largest_values())
            reached = np.asarray(
                largest_magnitudes(tf.constant(kernel), quantization, depthwise=self.depthwise)
            )
        eight = largest / quantization.levels * _BYTE
        if quantization.axis is not None and np.allclose(reached, eight, rtol=1e-6, atol=0):
            return tf.constant(kernel)  # the converter's own steps are these
        return exported_weights(kernel, quantization, eight, depthwise=self.depthwise)

    def rounded_values(self) -> Any:
        """The kernel on its grid, with gradients."""
        kernel = tf.convert_to_tensor(self.kernel_variable)
        return fake_weights(
            kernel, self.quantization, self._largest(kernel), depthwise=self.depthwise
        )

    def largest_values(self) -> Any:
        """The greatest value of the grid: a scalar, or (channels,)."""
        return self._largest(tf.convert_to_tensor(self.kernel_variable))

    def _largest(self, kernel: Any) -> Any:
        quantization = self.quantization
        if self.learned_scale:
            return tf.abs(tf.convert_to_tensor(self.largest)) + LEAST
        if quantization.scale is not None:
            largest = tf.constant(quantization.scale, tf.float32) * quantization.levels
            return largest if quantization.axis is not None else largest[0]
        return largest_magnitudes(kernel, quantization, depthwise=self.depthwise)


def _quantized(kind: str) -> type[QuantizedWeights]:
    name = f"Quantized{kind}"
    own = {
        "keras_name": name, "keras_base": f"layers.{kind}", "plain_kind": kind,
        "__doc__": f"A {kind} with a quantized kernel; see `QuantizedWeights`.",
        "__module__": __name__,
    }  # fmt: skip
    return type(name, (QuantizedWeights,), own)


LAYERS: dict[str, type[BothVersions]] = {
    **{f"Quantized{kind}": _quantized(kind) for kind in OUTPUT_AXES},
    QuantizedActivation.keras_name: QuantizedActivation,
}


def in_version(kind: str, flavor: Flavor) -> Any:
    """A layer class of this module for one version of Keras.

    Args:
        kind: its name.
        flavor: the version.
    """
    return LAYERS[kind].in_version(flavor)
