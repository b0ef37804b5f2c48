"""A small network that is compressed inside `fit`, and what to look at."""

from typing import Any

import numpy as np

from tests import tiny_models
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.schedules import Polynomial

X = tiny_models.examples(64, 8)
Y = (X[:, 0] > 0).astype(np.int64)
BATCH = 8  # 8 steps in an epoch
QUICK = Polynomial(end=6, frequency=2)


def alike(**config: Any) -> Prune:
    """Pruning with the same share of zeros in each tensor, which is easy to tell by hand."""
    return Prune(budget="uniform", **config)


def compiled(library: Any, *, optimizer: Any = "adam", **options: Any) -> Any:
    model = tiny_models.dense(library)
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


def fit(model: Any, *callbacks: Any, epochs: int = 2, **options: Any) -> Any:
    return model.fit(
        X, Y, batch_size=BATCH, epochs=epochs, callbacks=list(callbacks), verbose=0, **options
    )


def zeros(model: Any) -> list[int]:
    """Zeros of every kernel."""
    return [int(np.sum(np.asarray(t.variable) == 0)) for t in select(model).targets]


def kernel(model: Any) -> np.ndarray:
    return np.asarray(model.layers[-2].kernel)


class Watch:
    """Makes a callback that looks at the kernel's zeros at the end of every step."""

    def __init__(self) -> None:
        self.masks: list[np.ndarray] = []

    def callback(self, library: Any) -> Any:
        def look(batch: int, logs: Any) -> None:
            self.masks.append(kernel(callback.model) != 0)

        callback = library.callbacks.LambdaCallback(on_train_batch_end=look)
        return callback
