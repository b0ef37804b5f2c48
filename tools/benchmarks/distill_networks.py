"""What is distilled: networks, and how they are judged."""

from typing import Any

import numpy as np

STUDENT_BATCH = 128


def accuracy(model: Any, x: Any, y: Any) -> float:
    """Share of examples that a model gets right."""
    return float(np.mean(np.argmax(model.predict(x, batch_size=500, verbose=0), axis=1) == y))


def network(width: tuple[int, ...], *, dropout: bool = False) -> Any:
    """A fully connected network on MNIST's images."""
    import keras

    layers = keras.layers
    inner = [layers.Flatten(), *([layers.Dropout(0.2)] if dropout else [])]
    for units in width:
        inner += [
            layers.Dense(units, activation="relu"),
            *([layers.Dropout(0.5)] if dropout else []),
        ]
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            *inner,
            layers.Dense(10, activation="softmax"),
        ],
        name="-".join(map(str, width)),
    )
