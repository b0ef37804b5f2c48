"""The layer behind `Prunable`: it hands everything on to the layer inside, and carries settings."""

from functools import cache
from typing import Any

from tflite_squeeze.network.flavors import Flavor, keras_of

PACKAGE, NAME = "tflite_squeeze", "Prunable"


class _Prunable:
    """A wrapper that computes what the layer inside computes.

    Args:
        layer: a layer of the same Keras.
        settings: how the layer is to be pruned, as JSON; a Keras would keep anything richer in
            containers of its own.
        kwargs: what every Keras layer takes.
    """

    def __init__(self, layer: Any, settings: str = "{}", **kwargs: Any) -> None:
        kwargs.setdefault("name", f"prunable_{layer.name}")
        super().__init__(layer, **kwargs)  # type: ignore[call-arg]
        self.layer = layer
        self.settings = settings
        self.supports_masking = bool(layer.supports_masking)
        if hasattr(layer, "_batch_input_shape"):  # tf_keras's way to begin a Sequential
            self._batch_input_shape = layer._batch_input_shape

    def call(self, inputs: Any) -> Any:
        """Calls the layer inside."""
        return self.layer(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output shape of the layer inside."""
        return self.layer.compute_output_shape(input_shape)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the layer inside."""
        return self.layer.compute_mask(inputs, mask)

    def get_config(self) -> dict[str, Any]:
        """The wrapper and the layer inside as plain data."""
        return {**super().get_config(), "settings": self.settings}  # type: ignore[misc]


@cache
def prunable_class(flavor: Flavor) -> Any:
    """The wrapper's class for one Keras, registered there so that saved models load."""
    keras = keras_of(flavor)
    made = type(NAME, (_Prunable, keras.layers.Wrapper), {"__doc__": _Prunable.__doc__})
    return keras.saving.register_keras_serializable(PACKAGE, NAME)(made)
