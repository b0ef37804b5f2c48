"""Tiny models, one for each kind of layer or operation that channels are followed through."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.tiny_models import LIBRARIES
from tflite_squeeze.techniques.narrowing.channels import Channels, Group
from tflite_squeeze.techniques.narrowing.following import Role

Array = np.ndarray
Body = Callable[[Any, Any], Any]
IMAGE, SIGNAL, VOLUME = (6, 6, 3), (6, 3), (4, 4, 4, 2)


@dataclass(frozen=True)
class Case:
    """A model around a kind.

    Attributes:
        body: makes the output of what follows the first maker, "a", whose 8 channels it is given.
        free: the makers of each group that can be narrowed → how many units it has.
        shape: of the input.
        only: the version of Keras that has it; "" for both.
        bare: whether the body is given the input itself.
    """

    body: Body
    free: dict[str, int]
    shape: tuple[int, ...] = IMAGE
    only: str = ""
    bare: bool = False


def model_of(library: Any, case: Case) -> Any:
    """Input → a → what is tested → an output of 3, with random weights everywhere."""
    layers = library.layers
    library.utils.set_random_seed(5)
    x = library.Input(case.shape, name="x")
    kind = {1: "Dense", 2: "Conv1D", 3: "Conv2D", 4: "Conv3D"}[len(case.shape)]
    options = {} if kind == "Dense" else {"kernel_size": 2, "padding": "same"}
    first = (lambda x: x) if case.bare else getattr(layers, kind)(8, name="a", **options)
    y = case.body(layers, first(x))
    if len(y.shape) > 2:
        y = layers.Flatten(name="flat")(y)
    model = library.Model(x, layers.Dense(3, name="scores")(y), name="case")
    random = np.random.default_rng(1)
    for variable in model.variables:
        values = random.uniform(0.5, 1, variable.shape)
        if "variance" not in variable.name and "gamma" not in variable.name:
            values *= random.choice([-1, 1], variable.shape)
        if "seed" not in variable.name:
            variable.assign(values)
    return model


def examples_of(case: Case) -> Array:
    """Four random inputs."""
    return np.random.default_rng(2).normal(size=(4, *case.shape)).astype(np.float32)


def names_of(group: Group) -> str:
    """The makers of a group, as text."""
    names = "+".join(layer.name for layer in group.makers)
    return names if group.what == "channels" else f"{names} {group.what}"


def every_second(channels: Channels) -> Array:
    """Whether each unit stays: of each group that can be narrowed, every second."""
    stays = np.ones(len(channels.group_of), bool)
    for group in channels.groups:
        if not group.fixed:
            stays[group.units[::2]] = False
    return stays


def silence(channels: Channels, stays: Array) -> None:
    """Sets all weights to zero that make a unit that does not stay, or that it passes."""
    for layer in channels.layers.values():
        if id(layer) not in channels.axes:
            continue
        weights = layer.get_weights()
        for index, axis, units, role in channels.along(layer):
            if role is not Role.TAKES:
                moved = np.moveaxis(weights[index], axis, 0)
                moved[~stays[units]] = 0
        layer.set_weights(weights)


def _residual(layers: Any, x: Any) -> Any:
    y = layers.Conv2D(6, 3, padding="same", activation="relu", name="b")(x)
    y = layers.Conv2D(8, 1, name="c")(y)
    return layers.Add(name="add")([x, y])


def _squeeze_excite(layers: Any, x: Any) -> Any:
    y = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    y = layers.Conv2D(4, 1, activation="relu", name="b")(y)
    y = layers.Conv2D(8, 1, activation="sigmoid", name="c")(y)
    return layers.Multiply(name="times")([x, y])


def _batch_norm(layers: Any, x: Any) -> Any:
    return layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(x))


def _layer(kind: str, *arguments: Any, **options: Any) -> Body:
    return lambda layers, x: getattr(layers, kind)(*arguments, name="b", **options)(x)


def _concatenation(layers: Any, x: Any) -> Any:
    y = layers.Conv2D(6, 1, name="b")(x)
    y = layers.BatchNormalization(name="bn")(layers.Concatenate(name="cat")([x, y, x]))
    return layers.Conv2D(4, 1, name="c")(y)


def _added_concatenation(layers: Any, x: Any) -> Any:
    """What "c" makes is added to what "a" and "b" make: they compete in one group."""
    y = layers.Concatenate(name="cat")([x, layers.Conv2D(6, 1, name="b")(x)])
    return layers.Add(name="add")([y, layers.Conv2D(14, 1, name="c")(y)])


def _shared(layers: Any, x: Any) -> Any:
    """One layer for two branches, so that these go together."""
    both = layers.Conv2D(6, 2, padding="same", name="c")
    y = layers.Conv2D(8, 2, padding="same", name="b")(x)
    return layers.Concatenate(name="cat")([both(x), both(y)])


def _outputs_of(layers: Any) -> Any:
    """The library that layers belong to."""
    return LIBRARIES["tf_keras" if "tf_keras" in layers.__name__ else "keras"]


def _nested(layers: Any, x: Any) -> Any:
    """A nested model that is called on channels, twice."""
    library = _outputs_of(layers)
    given = library.Input(x.shape[1:], name="given")
    y = layers.Conv2D(8, 2, padding="same", activation="relu", name="b")(given)
    inner = library.Model(given, layers.Add(name="sum")([given, y]), name="inner")
    head = library.Sequential(
        [library.Input(x.shape[1:]), layers.Conv2D(6, 1, name="c")], name="head"
    )
    return head(inner(inner(x)))


def _two_outputs(layers: Any, x: Any) -> Any:
    """A nested model of two inputs and two outputs."""
    library = _outputs_of(layers)
    one, two = library.Input(x.shape[1:]), library.Input((4,))
    y = layers.Dense(4, name="c")(layers.Flatten(name="f")(one))
    inner = library.Model([one, two], [layers.Add()([y, two]), one], name="inner")
    z = layers.Dense(4, name="b")(layers.GlobalMaxPooling2D(name="p")(x))
    first, second = inner([x, z])
    return layers.Concatenate(name="cat")([first, layers.Flatten(name="g")(second)])


def _reshaped(layers: Any, x: Any) -> Any:
    """Places put together, places made channels, and channels made places."""
    y = layers.Reshape((36, 8), name="places")(x)
    y = layers.Conv1D(6, 2, padding="same", name="b")(y)
    y = layers.Reshape((12, 18), name="channels")(y)
    y = layers.Conv1D(8, 1, name="c")(y)
    return layers.Conv1D(3, 1, name="d")(layers.Reshape((-1, 4), name="parts")(y))


def _permuted(layers: Any, x: Any) -> Any:
    return layers.Permute((2, 1, 3), name="turned")(x)


def _places(layers: Any, x: Any) -> Any:
    y = layers.UpSampling2D(2, name="up")(layers.ZeroPadding2D(1, name="pad")(x))
    y = layers.AveragePooling2D(2, name="pool")(layers.Cropping2D(1, name="crop")(y))
    y = layers.SpatialDropout2D(0.5, name="drop")(layers.Resizing(4, 4, name="size")(y))
    return layers.PReLU(shared_axes=[1, 2], name="prelu")(layers.Rescaling(2.0)(y))


def _prelu(layers: Any, x: Any) -> Any:
    y = layers.PReLU(name="prelu")(x)
    return layers.Multiply(name="times")([y, layers.Softmax(axis=1, name="soft")(y)])


def _embedding(layers: Any, x: Any) -> Any:
    """Indices are looked up, and nothing else is done with them."""
    y = layers.Embedding(4, 8, name="b")(layers.ReLU(3.0, name="index")(x))
    return layers.Dense(6, name="c")(y)


def _states(layers: Any, x: Any) -> Any:
    y, h, c = layers.LSTM(4, return_sequences=True, return_state=True, name="b")(x)
    return layers.LSTM(4, name="c")(y, initial_state=[h, c])


def _both_ways(layers: Any, x: Any) -> Any:
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="b")(x)
    return layers.Bidirectional(layers.GRU(4), merge_mode="sum", name="c")(y)


def _each_step(layers: Any, x: Any) -> Any:
    y = layers.TimeDistributed(layers.Conv2D(6, 2, activation="relu"), name="b")(x)
    y = layers.TimeDistributed(layers.BatchNormalization(), name="bn")(y)
    y = layers.TimeDistributed(layers.MaxPooling2D(2), name="pool")(y)
    return layers.TimeDistributed(layers.Flatten(), name="each")(y)


def _attention(layers: Any, x: Any) -> Any:
    return layers.MultiHeadAttention(4, 4, 6, name="b")(x, x)


def _cross_attention(layers: Any, x: Any) -> Any:
    """Queries, values and keys of different widths, without biases, an output of its own width."""
    value, key = layers.Conv1D(6, 1, name="c")(x), layers.Conv1D(4, 1, name="d")(x)
    layer = layers.MultiHeadAttention(2, 4, use_bias=False, output_shape=6, name="b")
    return layer(x, value, key=key)


def _grouped_attention(layers: Any, x: Any) -> Any:
    return layers.GroupQueryAttention(4, 4, 2, name="b")(x, x)


def _plain_attention(kind: str) -> Body:
    def body(layers: Any, x: Any) -> Any:
        query, value = layers.Conv1D(8, 1, name="b")(x), layers.Conv1D(8, 1, name="c")(x)
        return getattr(layers, kind)(name="attended")([query, value, x])

    return body


def _instance_norm(layers: Any, x: Any) -> Any:
    y = layers.GroupNormalization(groups=8, name="norm")(x)
    return layers.UnitNormalization(name="unit")(layers.GroupNormalization(-1, name="each")(y))


def _keras_3(layers: Any, x: Any) -> Any:
    """Operations of Keras 3."""
    ops = keras.ops
    y = ops.silu(x) * 2.0 + ops.hard_silu(x - 0.5 * x)
    first, second = ops.split(layers.Conv2D(8, 1, name="b")(y), 2, axis=-1)
    third, fourth = ops.split(layers.Conv2D(8, 1, name="c")(y), [6], axis=-1)
    gate = ops.sigmoid(ops.mean(first, axis=(1, 2), keepdims=True))
    y = ops.concatenate([first * gate, ops.maximum(second, 0.0), third], axis=-1)
    y = ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (-1, 36, 14))
    y = ops.squeeze(ops.expand_dims(y, 1), 1)[:, 1:, 2:-1]
    return layers.Concatenate(name="cat")([ops.max(y, axis=1), ops.sum(fourth, axis=(1, 2))])


def _tf_keras(layers: Any, x: Any) -> Any:
    """TensorFlow's, the same ones."""
    y = tf.nn.silu(x) * 2.0 + tf.nn.leaky_relu(x - 0.5 * x)
    first, second = tf.split(layers.Conv2D(8, 1, name="b")(y), 2, axis=-1)
    third, fourth = tf.split(layers.Conv2D(8, 1, name="c")(y), [6, 2], -1)
    gate = tf.sigmoid(tf.reduce_mean(first, axis=(1, 2), keepdims=True))
    y = tf.concat([first * gate, tf.maximum(second, 0.0), third], axis=-1)
    y = tf.reshape(tf.transpose(y, (0, 2, 1, 3)), (-1, 36, 14))
    y = tf.squeeze(tf.expand_dims(y, 1), 1)[:, 1:, 2:-1]
    return layers.Concatenate(name="cat")([tf.reduce_max(y, 1), tf.reduce_sum(fourth, (1, 2))])


def _constant(layers: Any, x: Any) -> Any:
    """A constant for each channel."""
    return x * np.arange(1, 9, dtype=np.float32)


def _blocks(layers: Any, x: Any) -> Any:
    """Channels become places and the other way round; places are repeated and taken apart."""
    keras_3 = "tf_keras" not in layers.__name__
    operations: Any = keras.ops if keras_3 else tf
    blocks: Any = keras.ops.nn if keras_3 else tf.nn
    y = layers.Conv2D(6, 1, name="b")(blocks.depth_to_space(x, 2))
    y = layers.Conv2D(4, 1, name="c")(blocks.space_to_depth(y, 2))
    first, *_ = operations.unstack(operations.tile(y, (1, 2, 1, 1)), axis=2)
    return layers.Multiply(name="times")([layers.Conv1D(4, 1, name="d")(first), first])


def _first_channel(layers: Any, x: Any) -> Any:
    """The first channel is used for all others, so that it has to stay."""
    return x * x[:, :, :, :1]


ATTENTION = {"b heads": 4, "b key widths": 4, "b value widths": 6}
CROSS = {"b heads": 2, "b key widths": 4, "b value widths": 4}
GROUPED = {"b heads": 2, "b widths of heads": 4}
OPERATIONS = {"a": 8, "b": 4, "c": 8}
CASES: dict[str, Case] = {
    "dense": Case(_layer("Dense", 6, activation="relu"), {"a": 8, "b": 6}, (5,)),
    "addition": Case(_residual, {"a+c": 8, "b": 6}),
    "squeeze-and-excite": Case(_squeeze_excite, {"a+c": 8, "b": 4}),
    "concatenation": Case(_concatenation, {"a": 8, "b": 6, "c": 4}),
    "added concatenation": Case(_added_concatenation, {"a+b+c": 14}),
    "shared": Case(_shared, {"a+b": 8, "c": 6}),
    "nested": Case(_nested, {"a+b": 8, "c": 6}),
    "nested, two ends": Case(_two_outputs, {"a": 8, "b+c": 4}),
    "batch norm": Case(_batch_norm, {"a": 8}),
    "conv 1D dilated": Case(_layer("Conv1D", 6, 2, dilation_rate=2), {"a": 8, "b": 6}, SIGNAL),
    "conv 3D": Case(_layer("Conv3D", 6, 2, strides=2), {"a": 8, "b": 6}, VOLUME),
    "grouped conv": Case(_layer("Conv2D", 8, 2, groups=2), {"a": 4, "b": 4}),
    "conv with a group for each channel": Case(_layer("Conv2D", 16, 2, groups=8), {"a+b": 8}),
    "transposed conv": Case(_layer("Conv2DTranspose", 6, 2, strides=2), {"a": 8, "b": 6}),
    "transposed conv 1D": Case(_layer("Conv1DTranspose", 6, 2), {"a": 8, "b": 6}, SIGNAL),
    "depthwise": Case(_layer("DepthwiseConv2D", 2, depth_multiplier=2), {"a": 8}),
    "depthwise 1D": Case(_layer("DepthwiseConv1D", 2), {"a": 8}, SIGNAL),
    "separable": Case(_layer("SeparableConv2D", 6, 2, depth_multiplier=2), {"a": 8, "b": 6}),
    "separable 1D": Case(_layer("SeparableConv1D", 6, 2), {"a": 8, "b": 6}, SIGNAL),
    "einsum": Case(
        _layer("EinsumDense", "abc,cd->abd", output_shape=(6, 6), bias_axes="d"),
        {"a": 8, "b": 6}, SIGNAL,
    ),
    "reshape": Case(_reshaped, {"a": 8, "b": 6, "c": 4, "d": 3}),
    "permute": Case(_permuted, {"a": 8}),
    "places": Case(_places, {"a": 8}),
    "prelu": Case(_prelu, {"a": 8}),
    "instance norm": Case(_instance_norm, {"a": 8}),
    "embedding": Case(_embedding, {"b": 8, "c": 6}, (5,), bare=True),
    "lstm": Case(_states, {"a": 8, "b+c": 4}, SIGNAL),
    "gru": Case(_layer("GRU", 4), {"a": 8, "b": 4}, SIGNAL),
    "gru, reset before": Case(_layer("GRU", 4, reset_after=False), {"a": 8, "b": 4}, SIGNAL),
    "simple rnn": Case(_layer("SimpleRNN", 4, use_bias=False), {"a": 8, "b": 4}, SIGNAL),
    "conv lstm": Case(_layer("ConvLSTM2D", 4, 2), {"a": 8, "b": 4}, VOLUME),
    "bidirectional": Case(_both_ways, {"a": 8, "b": 4, "c": 4}, SIGNAL),
    "time-distributed": Case(_each_step, {"a": 8, "b": 6}, VOLUME),
    "multi-head attention": Case(_attention, {"a": 8, "b": 8, **ATTENTION}, SIGNAL),
    "cross-attention": Case(_cross_attention, {"a": 8, "b": 6, "c": 6, "d": 4, **CROSS}, SIGNAL),
    "grouped-query attention": Case(
        _grouped_attention, {"a+b": 8, **GROUPED}, SIGNAL, only="keras"
    ),
    "attention": Case(_plain_attention("Attention"), {"a+b": 8, "c": 8}, SIGNAL),
    "additive attention": Case(_plain_attention("AdditiveAttention"), {"a+b+c": 8}, SIGNAL),
    "operations of Keras 3": Case(_keras_3, OPERATIONS, only="keras"),
    "operations of TensorFlow": Case(_tf_keras, OPERATIONS, only="tf_keras"),
    "blocks": Case(_blocks, {"a": 2, "b": 6, "c+d": 4}),
    "slice": Case(_first_channel, {"a": 7}),
    "constant": Case(_constant, {"a": 8}),
}  # fmt: skip
