"""Fashion-MNIST as every case takes it, or with `quick` the few samples in the repository."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tflite_squeeze.data.named_sets import load_named_set
from tflite_squeeze.data.preprocessing import preprocess_array

REPOSITORY = Path(__file__).resolve().parents[3]
SAMPLES = REPOSITORY / "models" / "samples" / "fashion-mnist.npz"
CALIBRATION = 256
DATA_SET = "fashion-mnist"


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """Images in [0, 1], (N, 28, 28, 1), and labels.

    Attributes:
        x: for training and calibration.
        y: their labels.
        x_test: what accuracy is measured on.
        y_test: their labels.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def as_data(self) -> dict[str, np.ndarray]:
        """What `load_data` takes."""
        return {
            "x_train": self.x,
            "y_train": self.y,
            "x_test": self.x_test,
            "y_test": self.y_test,
        }

    @property
    def calibration(self) -> np.ndarray:
        """What integer modes are calibrated on, on either side."""
        return self.x[:CALIBRATION]


def fashion_mnist(*, quick: bool) -> Arrays:
    """The whole set, or the samples in the repository."""
    if quick:
        with np.load(SAMPLES) as data:
            parts = {key: data[key] for key in ("x_train", "y_train", "x_test", "y_test")}
            x, x_test = (
                (parts[key] / np.float32(255)).reshape(-1, 28, 28, 1)
                for key in ("x_train", "x_test")
            )
        return Arrays(x=x, y=parts["y_train"], x_test=x_test, y_test=parts["y_test"])
    named = load_named_set(DATA_SET)
    return Arrays(
        x=preprocess_array(named.x_train, named.preprocessing),
        y=named.y_train,
        x_test=preprocess_array(named.x_test, named.preprocessing),
        y_test=named.y_test,
    )


def reference_model(network: str) -> Any:
    """The reference model of that name, each time anew."""
    path = REPOSITORY / "models" / f"{network}.keras"
    return keras.models.load_model(path, compile=False)
