"""How each reference model is trained: data set, network, epochs, learning rate, augmentation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import architectures


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One reference model.

    Attributes:
        file: file name below models/; .keras is written by Keras 3, .h5 by tf_keras.
        dataset: name of the data set.
        build: makes the untrained network from a Keras module.
        architecture: one line on what it is.
        epochs: passes over the training part.
        batch: examples per step.
        learning_rate: peak of the cosine schedule.
        flip: whether images are mirrored at random.
        shift: largest random shift of images, in pixels.
        noise: standard deviation of the noise added to (normalised) sensor windows.
        jit: whether XLA compiles the training step; it pays for some networks only.
        weights_from: the recipe whose trained weights are taken over instead of training.
        least_accuracy: test accuracy that the training has to reach.
    """

    file: str
    dataset: str
    build: Callable[[Any], Any]
    architecture: str
    epochs: int = 0
    batch: int = 128
    learning_rate: float = 2e-3
    flip: bool = False
    shift: int = 0
    noise: float = 0.0
    jit: bool = False
    weights_from: str | None = None
    least_accuracy: float


RECIPES = {
    "watch_lstm": Recipe(
        file="watch_lstm.keras",
        dataset="watch",
        build=architectures.watch_lstm,
        architecture="Conv1D(32, 8, stride 4) - LSTM(48) - 7",
        epochs=40,
        batch=64,
        noise=0.1,
        least_accuracy=0.80,
    ),
    "lenet_300_100": Recipe(
        file="lenet_300_100.keras",
        dataset="fashion-mnist",
        build=architectures.lenet_300_100,
        architecture="LeNet-300-100: Dense 300 - 100 - 10",
        epochs=30,
        learning_rate=1e-3,
        flip=True,
        least_accuracy=0.885,
    ),
    "lenet_5": Recipe(
        file="lenet_5.keras",
        dataset="fashion-mnist",
        build=architectures.lenet_5,
        architecture="LeNet-5 (Caffe): Conv 20@5x5 - pool - Conv 50@5x5 - pool - Dense 500 - 10",
        epochs=14,
        learning_rate=1e-3,
        flip=True,
        shift=1,
        least_accuracy=0.905,
    ),
    "lenet_5_tf_keras": Recipe(
        file="lenet_5.h5",
        dataset="fashion-mnist",
        build=architectures.lenet_5,
        architecture="LeNet-5 (Caffe), the weights of lenet_5.keras in tf_keras layers",
        weights_from="lenet_5",
        least_accuracy=0.905,
    ),
    "mobilenet_v1_025": Recipe(
        file="mobilenet_v1_025.keras",
        dataset="fashion-mnist",
        build=architectures.mobilenet_v1_025,
        architecture="MobileNetV1-0.25 (MLPerf Tiny), stem of stride 1 for 28x28x1",
        epochs=8,
        learning_rate=3e-3,
        flip=True,
        shift=1,
        least_accuracy=0.88,
    ),
    "resnet_8": Recipe(
        file="resnet_8.keras",
        dataset="fashion-mnist",
        build=architectures.resnet_8,
        architecture="ResNet-8 (MLPerf Tiny) for 28x28x1",
        epochs=9,
        learning_rate=3e-3,
        flip=True,
        shift=1,
        jit=True,
        least_accuracy=0.905,
    ),
}
