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
    half_away,
    is_exporting,
    largest_magnitudes,
    with_learned_steps,
)
from tflite_squeeze.network.quantization.folding import OUTPUT_AXES, is_depthwise
from tflite_squeeze.network.quantization.kept import shared_kernel, shared_table, with_zeros
from tflite_squeeze.network.quantization.plan import ActivationQuantization, WeightQuantization
from tflite_squeeze.network.quantization.points import FIXED, with_bits
from tflite_squeeze.network.variables import raw_variable

_HOLDERS = ("_kernel", "kernel", "depthwise_kernel")

_BYTE = 127

_OVER_TIME = ("Conv1D", "DepthwiseConv1D")

# The name of what stands behind a function in float while it is converted.
MARK = "stays_in_float"

Estimator = Literal["average", "learned", "fixed"]


def has_free_scales(kind: str, layer: Any) -> bool:
    """Whether a file can have other scales of a kernel than its greatest weights over 127.

    The converter does not read the scales of a kernel that it reshapes.

    Args:
        kind: class of the layer of Keras, such as "Conv2D".
        layer: the layer, of which the groups count.
    """
    grouped = kind in _OVER_TIME and getattr(layer, "groups", 1) != 1
    return not (kind.endswith("Transpose") or grouped)


class _Delayed(BothVersions):
    """A layer that rounds from a training step on; in inference, always."""

    delay: int

    def _add_steps(self) -> None:
        if self.delay:
            self.steps = self.add_weight(
                name="steps", shape=(), initializer="zeros", trainable=False
            )

    def _once_begun(self, rounded: Any, plain: Any, training: Any, *, counts: bool = True) -> Any:
        """What is rounded, or before the step what is not."""
        if not self.delay or not training:
            return rounded
        steps = tf.convert_to_tensor(self.steps)
        if counts:
            self.steps.assign(steps + 1)
        return tf.where(steps >= self.delay, rounded, plain)


class QuantizedActivation(_Delayed):
    """Rounds a tensor to the integers of a range.

    Args:
        point: the name of the activation in the plan.
        bits: 8 or 16.
        estimator: how training finds the range: "average" follows the least and the greatest
            value of the batches, "learned" trains both bounds by their gradients from those of the
            first batch on where there are none, "fixed" keeps them.
        momentum: how much of the range stays in each step of "average".
        delay: training steps before values are rounded; ranges follow from the first on.
        rounds_training: whether values are rounded in training too. Those that a loss takes the
            logarithm of are not: steps of 1/256 leave no gradient to small probabilities.

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
        delay: int = 0,
        rounds_training: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.point, self.bits = point, bits
        self.estimator, self.momentum = estimator, momentum
        self.delay, self.rounds_training = delay, rounds_training

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        own = {
            "point": self.point, "bits": self.bits, "estimator": self.estimator,
            "momentum": self.momentum, "delay": self.delay,
            "rounds_training": self.rounds_training,
        }  # fmt: skip
        return {**super().get_config(), **own}  # type: ignore[misc]

    def build(self, shape: Any) -> None:
        """Adds the bounds; 0 and 0 stand for none yet."""
        learned = self.estimator == "learned"
        self.low, self.high = (
            self.add_weight(name=name, shape=(), initializer="zeros", trainable=learned)
            for name in ("low", "high")
        )
        self._add_steps()
        super().build(shape)  # type: ignore[misc]

    def call(
        self, inputs: Any, training: Any = None, observing: bool = True, averaged: bool = False
    ) -> Any:
        """The values on the grid; as they are while there is no range.

        Args:
            inputs: float32.
            training: whether "average" follows them.
            observing: False for a tensor that is rounded by the range of another.
            averaged: whether they are means of integers of the range.
        """
        if is_exporting():
            low, high = constant(self.low), constant(self.high)
            return fake_activation(inputs, low, high, self.bits)
        if training and not self.rounds_training:
            return inputs
        low, high = tf.convert_to_tensor(self.low), tf.convert_to_tensor(self.high)
        if averaged:
            inputs = half_away(inputs, low, high, self.bits)
        if training and observing and self.estimator != "fixed":
            low, high = self._moved(inputs, low, high)
        rounded = tf.cond(
            high > low,
            lambda: fake_activation(inputs, low, high, self.bits),
            lambda: tf.identity(inputs),
        )
        return self._once_begun(rounded, inputs, training, counts=observing)

    def _moved(self, inputs: Any, low: Any, high: Any) -> tuple[Any, Any]:
        """The bounds after a batch; those of the first one are taken as they are."""
        # A batch is observed, not trained by its extremes, whose gradients would cost as much time
        # as all the rounding.
        inputs = tf.stop_gradient(inputs)
        least = tf.minimum(tf.reduce_min(inputs), 0.0)
        most = tf.maximum(tf.reduce_max(inputs), 0.0)
        # Without a range there is no rounding, and so no gradient to find a learned one by.
        kept = tf.where(high > low, 1.0 if self.estimator == "learned" else self.momentum, 0.0)
        low = kept * low + (1 - kept) * least
        high = kept * high + (1 - kept) * most
        self.low.assign(low)
        self.high.assign(high)
        return low, high

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input."""
        return input_shape

    @property
    def stands_for(self) -> str:
        """The name by which a model's output that it rounds is called."""
        return self.point

    @property
    def quantization(self) -> ActivationQuantization:
        """What the plan says of it."""
        low, high = (float(raw_variable(one).numpy()) for one in (self.low, self.high))
        if not high > low:
            return ActivationQuantization(bits=self.bits)
        return ActivationQuantization(bits=self.bits, low=min(low, 0.0), high=max(high, 0.0))


class QuantizedWeights(_Delayed):
    """A layer of Keras that computes with a kernel rounded to a grid.

    Args:
        kernel_quantization: a `WeightQuantization`, or its fields.
        learned_scale: whether the grid's greatest values are trained; else they are the
            kernel's own, or what the plan says.
        keeps_zeros: whether weights that are zero stay zero in training.
        shared_values: how many values, zero included, the kernel's weights share and keep sharing;
            0 where each is trained by itself.
        delay: training steps before the kernel is rounded.

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
        keeps_zeros: bool = False,
        shared_values: int = 0,
        delay: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        # As it is, since tf_keras wraps lists and dicts.
        self.quantization = WeightQuantization.model_validate(kernel_quantization or {})
        self.learned_scale, self.delay = learned_scale, delay
        self.keeps_zeros, self.shared_values = keeps_zeros, shared_values

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        own = {
            "kernel_quantization": self.quantization.model_dump(mode="json"),
            "learned_scale": self.learned_scale, "keeps_zeros": self.keeps_zeros,
            "shared_values": self.shared_values, "delay": self.delay,
        }  # fmt: skip
        return {**super().get_config(), **own}  # type: ignore[misc]

    @property
    def depthwise(self) -> bool:
        """Whether the two last axes of the kernel together count channels."""
        return is_depthwise(self.plain_kind)

    def build(self, shape: Any) -> None:
        """Adds the learned scale, which weights share a value, and a count of steps."""
        super().build(shape)  # type: ignore[misc]
        if self.shared_values:
            self._add_sharing()
        self._add_steps()
        if self.learned_scale:
            largest = largest_magnitudes(
                tf.convert_to_tensor(self.kernel_variable),
                self.quantization,
                depthwise=self.depthwise,
            )
            self.largest = self.add_weight(
                name="largest", shape=largest.shape, initializer="ones", trainable=True
            )

    def _add_sharing(self) -> None:
        """What `kept.Sharing` says, as state that is saved with the model."""
        shape = tuple(self.kernel_variable.shape)
        axes = {axis % len(shape) for axis in OUTPUT_AXES[self.plain_kind]}
        factors = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
        for name, size, dtype in (
            ("segments", shape, "int32"),
            ("factors", factors, "float32"),
            ("means", (2, self.shared_values), "float32"),
        ):
            state = self.add_weight(
                name=name, shape=size, dtype=dtype, initializer="zeros", trainable=False
            )
            setattr(self, name, state)

    def call(self, inputs: Any, training: Any = None) -> Any:
        """What the layer computes with the rounded kernel."""
        if is_exporting() and self.is_image_in_files:
            return self._as_an_image(inputs)
        kept = self.kernel_variable
        # Past the attribute hooks of Keras, which would track or refuse a tensor.
        self.__dict__[self._holder] = self.rounded_kernel(training)
        try:
            return super().call(inputs)  # type: ignore[misc]
        finally:
            self.__dict__[self._holder] = kept

    @property
    def is_image_in_files(self) -> bool:
        """Whether it is a convolution over time that files have as one of an image."""
        return self.plain_kind in _OVER_TIME and has_free_scales(self.plain_kind, self)

    def _as_an_image(self, inputs: Any) -> Any:
        """A convolution over time as that of an image of height 1, which its file has.

        The converter refuses what a layer over time does to its kernel behind the grid.
        """
        layer: Any = self
        (apart,), (taps,) = layer.dilation_rate, layer.kernel_size
        padding, step = layer.padding.upper(), layer.strides[0]
        if padding == "CAUSAL":
            inputs = tf.pad(inputs, [(0, 0), ((taps - 1) * apart, 0), (0, 0)])
            padding = "VALID"
        convolve = tf.nn.depthwise_conv2d if self.depthwise else tf.nn.conv2d
        strides = [1, step, step, 1] if self.depthwise else [1, 1, step, 1]
        found = convolve(
            inputs[:, tf.newaxis], self._exported_kernel(), strides, padding,
            dilations=[1, apart] if self.depthwise else [1, 1, apart, 1],
        )  # fmt: skip
        found = tf.squeeze(found, 1)
        if layer.use_bias:
            found = tf.nn.bias_add(found, tf.convert_to_tensor(layer.bias))
        return found if layer.activation is None else layer.activation(found)

    @property
    def _holder(self) -> str:
        """The attribute that has the kernel; both versions of Keras have names of their own."""
        return next(name for name in _HOLDERS if name in self.__dict__)

    @property
    def kernel_variable(self) -> Any:
        """The variable of the kernel that is trained, in float."""
        return self.__dict__[self._holder]

    def kept_kernel(self) -> Any:
        """The kernel in float, with the zeros and the shared values that it keeps."""
        kernel = tf.convert_to_tensor(self.kernel_variable)
        if self.shared_values:
            segments, factors = map(tf.convert_to_tensor, (self.segments, self.factors))
            return shared_kernel(self._table(kernel), segments, factors)
        return with_zeros(kernel) if self.keeps_zeros else kernel

    def _table(self, kernel: Any) -> Any:
        """The values that the kernel's weights share."""
        state = (self.segments, self.factors, self.means)
        return shared_table(kernel, *map(tf.convert_to_tensor, state))

    def save_own_variables(self, store: Any) -> None:
        """Saves all weights; Keras 3 would save the kernel and the bias of a Dense layer alone."""
        for at, one in enumerate(self.weights):
            store[str(at)] = np.asarray(one)

    def load_own_variables(self, store: Any) -> None:
        """The inverse."""
        for at, one in enumerate(self.weights):
            one.assign(store[str(at)])

    def settle(self) -> None:
        """Writes the kernel that is computed with into the variable that is trained."""
        self.kernel_variable.assign(self.kept_kernel())

    def rounded_kernel(self, training: Any = None) -> Any:
        """The kernel on its grid."""
        if is_exporting():
            return self._exported_kernel()
        return self._once_begun(self.rounded_values(), self.kept_kernel(), training)

    def _exported_kernel(self) -> Any:
        """Constants of which the converter makes the grid's integers."""
        quantization = self.quantization
        with tf.init_scope():
            kernel = np.asarray(self.rounded_values())
            eight = np.asarray(self.largest_values()) / quantization.levels * _BYTE
            found = self.converter_finds_scales()
        if self.is_image_in_files:
            kernel = kernel[np.newaxis]
        if found or (self.plain_kind == "Dense" and quantization.axis is not None):
            # A Dense layer's scale for each channel is written into the file afterwards.
            return tf.constant(kernel)
        return exported_weights(kernel, quantization, eight, depthwise=self.depthwise)

    def converter_finds_scales(self) -> bool:
        """Whether 127 steps are each channel's greatest magnitude, as the converter has it."""
        quantization = self.quantization
        reached = largest_magnitudes(self.rounded_values(), quantization, depthwise=self.depthwise)
        eight = np.asarray(self.largest_values()) / (quantization.levels or 1) * _BYTE
        return quantization.axis is not None and np.allclose(
            np.asarray(reached), eight, rtol=1e-6, atol=0
        )

    def rounded_values(self) -> Any:
        """The kernel on its grid, with gradients."""
        kernel = self.kept_kernel()
        rounded = with_learned_steps if self.learned_scale else fake_weights
        return rounded(kernel, self.quantization, self._largest(kernel), depthwise=self.depthwise)

    def largest_values(self) -> Any:
        """The greatest value of the grid: a scalar, or (channels,)."""
        return self._largest(self.kept_kernel())

    def _largest(self, kernel: Any) -> Any:
        quantization = self.quantization
        if self.learned_scale:
            return tf.abs(tf.convert_to_tensor(self.largest)) + LEAST
        if quantization.scale is not None:
            largest = tf.constant(quantization.scale, tf.float32) * quantization.levels
            return largest if quantization.axis is not None else largest[0]
        if self.shared_values and quantization.axis is not None:
            # In proportion to the factors, so that a value is one integer in all channels.
            table = self._table(tf.convert_to_tensor(self.kernel_variable))
            factors = tf.abs(tf.reshape(tf.convert_to_tensor(self.factors), [-1]))
            return tf.maximum(factors * tf.reduce_max(tf.abs(table)), LEAST)
        return largest_magnitudes(kernel, quantization, depthwise=self.depthwise)


class QuantizedFunction(BothVersions):
    """An activation that a file does not compute as one operator between two ranges.

    Of some a file computes a part as an operator of its own, and rounds it. Others have a fixed
    range, which the converter would spread from a function in float to what takes its values: in
    files it finds a mark behind them, which it cannot quantize and which is taken out again.

    Args:
        function: "swish", the sigmoid of which is rounded; Keras 3's "hard_sigmoid", of which the
            part from 0 to 6 is; "sigmoid", "tanh" or "softmax" in float.
        bits: of what is rounded inside.
    """

    keras_name = "QuantizedFunction"

    def __init__(
        self,
        function: Literal["swish", "hard_sigmoid", "sigmoid", "tanh", "softmax"],
        bits: Literal[8, 16] = 8,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.function, self.bits = function, bits

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        return {**super().get_config(), "function": self.function, "bits": self.bits}  # type: ignore[misc]

    def call(self, inputs: Any) -> Any:
        """The activation, rounded inside but not at its end."""
        if self.function == "swish":
            return inputs * self._rounded(tf.sigmoid(inputs))
        if self.function == "hard_sigmoid":
            return self._rounded(tf.nn.relu6(inputs + 3.0)) / 6.0
        values = getattr(tf.nn, self.function)(inputs)
        return tf.floor(values, name=MARK) if is_exporting() else values

    def _rounded(self, values: Any) -> Any:
        inside = self._inside
        return fake_activation(values, inside.low, inside.high, self.bits)

    @property
    def _inside(self) -> ActivationQuantization:
        """The range of what is rounded inside."""
        if self.function == "swish":
            return with_bits(FIXED["sigmoid"], self.bits)
        return ActivationQuantization(bits=self.bits, low=0.0, high=6.0)

    @property
    def inside_step(self) -> float | None:
        """The step of what is rounded inside; None where nothing is."""
        return self._inside.scale if self.function in ("swish", "hard_sigmoid") else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input."""
        return input_shape


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
    QuantizedFunction.keras_name: QuantizedFunction,
}


def in_version(kind: str, flavor: Flavor) -> Any:
    """A layer class of this module for one version of Keras.

    Args:
        kind: its name.
        flavor: the version.
    """
    return LAYERS[kind].in_version(flavor)
