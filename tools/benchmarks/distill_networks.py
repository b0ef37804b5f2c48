"""What is distilled: data, networks and how they are judged."""

from typing import Any

import numpy as np

STUDENT_BATCH = 128


def arrays(name: str) -> tuple[Any, Any, Any, Any]:
    """A named set, preprocessed."""
    from tflite_squeeze.io.named_sets import load_named_set
    from tflite_squeeze.io.preprocessing import preprocess_array

    data = load_named_set(name)
    x, x_test = (preprocess_array(part, data.preprocessing) for part in (data.x_train, data.x_test))
    return x, data.y_train, x_test, data.y_test


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
