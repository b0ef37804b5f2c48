"""The only module that knows there are two Kerases: Keras 3 (`keras`) and `tf_keras`."""

import sys
from enum import StrEnum
from importlib import import_module
from typing import Any

from tflite_squeeze.errors import UsageError


class Flavor(StrEnum):
    """Which Keras a model object or a file belongs to; the value is the module's name."""

    KERAS = "keras"
    TF_KERAS = "tf_keras"


def keras_of(flavor: Flavor) -> Any:
    """Imports and returns the Keras module of a flavour."""
    return import_module(flavor.value)


def flavor_of(obj: Any) -> Flavor | None:
    """Tells which Keras a model or a layer belongs to, or None when it belongs to neither.

    A Keras that was never imported cannot have made the object, so none is imported to ask.
    """
    for flavor in Flavor:
        module = sys.modules.get(flavor.value)
        if module is not None and isinstance(obj, module.layers.Layer):
            return flavor
    return None


def builtin_dataset(name: str) -> Any:
    """Loads a set that Keras ships or downloads: `fashion_mnist` or `mnist`.

    Returns:
        ((x_train, y_train), (x_test, y_test)) as NumPy arrays.
    """
    if name not in ("mnist", "fashion_mnist"):
        raise UsageError(f"Keras has no data set {name!r} here; use mnist or fashion_mnist")
    return getattr(keras_of(Flavor.KERAS).datasets, name).load_data()
