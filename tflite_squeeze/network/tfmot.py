"""Saved models that TensorFlow Model Optimization has wrapped for pruning, loaded without it."""

from functools import cache
from typing import Any

import numpy as np

from tflite_squeeze.network.flavors import Flavor, keras_of

NAME = "PruneLowMagnitude"
# What its quantization puts around layers and in front of them; ranges are not taken from it.
QUANTIZING = frozenset({
    "QuantizeAnnotate", "QuantizeAwareActivation", "QuantizeLayer", "QuantizeWrapper",
    "QuantizeWrapperV2",
})  # fmt: skip
QUANTIZED_REMEDY = (
    "pass the float model that quantize_model or quantize_apply was given, and train it with "
    "tflite-squeeze quantize"
)

# Which weights the wrapper keeps masks for, by the type of the layer inside. It writes them into
# the file, so whoever reads it must expect exactly these.
_MASKED = {
    "Conv1D": ("kernel",),
    "Conv2D": ("kernel",),
    "Conv2DTranspose": ("kernel",),
    "Conv3D": ("kernel",),
    "Conv3DTranspose": ("kernel",),
    "Dense": ("kernel",),
    "Embedding": ("embeddings",),
    "GRU": ("cell.kernel", "cell.recurrent_kernel"),
    "LSTM": ("cell.kernel", "cell.recurrent_kernel"),
    "LocallyConnected1D": ("kernel",),
    "LocallyConnected2D": ("kernel",),
    "MultiHeadAttention": (
        "_query_dense.kernel",
        "_key_dense.kernel",
        "_value_dense.kernel",
        "_output_dense.kernel",
    ),
    "SeparableConv1D": ("pointwise_kernel",),
    "SeparableConv2D": ("pointwise_kernel",),
    "SimpleRNN": ("cell.kernel", "cell.recurrent_kernel"),
}


class _PruneLowMagnitude:
    """Holds the variables of TFMOT's wrapper, in its order, and computes what the layer does."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        known = {key: kwargs[key] for key in ("name", "trainable", "dtype") if key in kwargs}
        super().__init__(layer, **known)  # type: ignore[call-arg]
        self.pruning_vars: list[Any] = []
        if hasattr(layer, "_batch_input_shape"):
            self._batch_input_shape = layer._batch_input_shape

    def build(self, input_shape: Any = None) -> None:
        """Makes the layer's weights, then a mask and a threshold for each, then the step."""
        super().build(input_shape)  # type: ignore[misc]
        for path in _MASKED.get(type(self.layer).__name__, ()):  # type: ignore[attr-defined]
            weight: Any = self.layer  # type: ignore[attr-defined]
            for name in path.split("."):
                weight = getattr(weight, name)
            mask = self._state("mask", weight.shape, "ones", weight.dtype)
            threshold = self._state("threshold", (), "zeros", weight.dtype)
            self.pruning_vars.append((weight, mask, threshold))
        self.pruning_step = self._state("pruning_step", (), "zeros", "int64")

    def _state(self, name: str, shape: Any, initializer: str, dtype: Any) -> Any:
        return self.add_weight(  # type: ignore[attr-defined]
            name=name, shape=shape, initializer=initializer, dtype=dtype, trainable=False
        )

    def call(self, inputs: Any) -> Any:
        """Calls the layer inside."""
        return self.layer(inputs)  # type: ignore[attr-defined]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output shape of the layer inside."""
        return self.layer.compute_output_shape(input_shape)  # type: ignore[attr-defined]

    @property
    def trainable_weights(self) -> list[Any]:
        """Those of the layer, in its order."""
        return list(self.layer.trainable_weights)  # type: ignore[attr-defined]

    @property
    def non_trainable_weights(self) -> list[Any]:
        """Those of the layer first, as in the file."""
        inner = self.layer.non_trainable_weights  # type: ignore[attr-defined]
        return [*inner, *self._non_trainable_weights]  # type: ignore[attr-defined]


@cache
def stand_in() -> Any:
    """A class that loads where a saved model names TFMOT's wrapper; TFMOT is not imported."""
    base = keras_of(Flavor.TF_KERAS).layers.Wrapper
    return type(NAME, (_PruneLowMagnitude, base), {"__doc__": _PruneLowMagnitude.__doc__})


def apply_masks(wrapper: Any) -> None:
    """Zeroes what the masks say: a file saved within an epoch has not had that done."""
    for weight, mask, _ in wrapper.pruning_vars:
        weight.assign(np.asarray(weight) * np.asarray(mask))
