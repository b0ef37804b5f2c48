"""The reference networks, each as one function of a Keras module (Keras 3 or tf_keras)."""

from typing import Any

IMAGE = (28, 28, 1)
CLASSES = 10


def lenet_300_100(keras: Any) -> Any:
    """Two hidden layers of 300 and 100 units (LeCun et al. 1998): 266,610 parameters."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(IMAGE, name="image"),
            layers.Flatten(name="flatten"),
            layers.Dense(300, activation="relu", name="dense_300"),
            layers.Dense(100, activation="relu", name="dense_100"),
            layers.Dense(CLASSES, activation="softmax", name="probabilities"),
        ],
        name="lenet_300_100",
    )


def lenet_5(keras: Any) -> Any:
    """Caffe's LeNet-5, whose convolutions have no activation: 431,080 parameters."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(IMAGE, name="image"),
            layers.Conv2D(20, 5, name="conv_1"),
            layers.MaxPooling2D(2, name="pool_1"),
            layers.Conv2D(50, 5, name="conv_2"),
            layers.MaxPooling2D(2, name="pool_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(500, activation="relu", name="dense_500"),
            layers.Dense(CLASSES, activation="softmax", name="probabilities"),
        ],
        name="lenet_5",
    )


def _normalised(keras: Any, x: Any, layer: Any, *, relu: bool = True) -> Any:
    x = keras.layers.BatchNormalization(momentum=0.9, name=f"{layer.name}_bn")(layer(x))
    return keras.layers.ReLU(name=f"{layer.name}_relu")(x) if relu else x


def resnet_8(keras: Any) -> Any:
    """MLPerf Tiny's ResNet-8 (16, 32 and 64 channels) on 28x28x1 rather than 32x32x3.

    Reference: Banbury et al. 2021, arXiv:2106.07597.
    """
    layers = keras.layers
    inputs = layers.Input(IMAGE, name="image")
    stem = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")
    x = _normalised(keras, inputs, stem)
    for stack, (channels, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
        name = f"stack_{stack}"
        first = layers.Conv2D(
            channels, 3, stride, padding="same", use_bias=False, name=f"{name}_conv_1"
        )
        second = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_conv_2")
        y = _normalised(keras, _normalised(keras, x, first), second, relu=False)
        if stride > 1:
            x = layers.Conv2D(channels, 1, stride, padding="same", name=f"{name}_shortcut")(x)
        x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))
    x = layers.AveragePooling2D(7, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, outputs, name="resnet_8")


# Output channels and stride of the 13 separable blocks, at a width of 0.25.
_MOBILENET_BLOCKS = (
    (16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1),
    (128, 1), (128, 1), (128, 1), (128, 1), (256, 2), (256, 1),
)  # fmt: skip


def mobilenet_v1_025(keras: Any) -> Any:
    """MLPerf Tiny's MobileNetV1-0.25 with a stem of stride 1, since 28x28 is small already.

    The maps shrink 28, 14, 7, 4, 2, where 96x96 ones shrink 48, 24, 12, 6, 3.

    Reference: Howard et al. 2017, arXiv:1704.04861; Banbury et al. 2021, arXiv:2106.07597.
    """
    layers = keras.layers
    inputs = layers.Input(IMAGE, name="image")
    stem = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")
    x = _normalised(keras, inputs, stem)
    for block, (channels, stride) in enumerate(_MOBILENET_BLOCKS, start=1):
        depthwise = layers.DepthwiseConv2D(
            3, stride, padding="same", use_bias=False, name=f"block_{block}_depthwise"
        )
        pointwise = layers.Conv2D(channels, 1, use_bias=False, name=f"block_{block}_pointwise")
        x = _normalised(keras, _normalised(keras, x, depthwise), pointwise)
    x = layers.AveragePooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, outputs, name="mobilenet_v1_025")


def watch_lstm(keras: Any) -> Any:
    """A strided convolution that shortens 128 steps to 32, then an LSTM, for 7 exercises."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((128, 6), name="window"),
            layers.Conv1D(32, 8, strides=4, padding="same", activation="relu", name="conv"),
            layers.LSTM(48, name="lstm"),
            layers.Dense(7, activation="softmax", name="probabilities"),
        ],
        name="watch_lstm",
    )
