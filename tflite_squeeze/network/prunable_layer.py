"""The layer behind `Prunable`: it hands everything on to the layer inside, and carries settings."""

from typing import Any

from tflite_squeeze.network.both_versions import BothVersions
from tflite_squeeze.network.flavors import Flavor, known_flavor


class PrunableLayer(BothVersions):
    """A wrapper that computes what the layer inside computes.

    Args:
        layer: a layer of the same Keras.
        settings: how the layer is to be pruned, as JSON; a Keras would keep anything richer in
            containers of its own.
        kwargs: what every Keras layer takes.
    """

    keras_name, keras_base = "Prunable", "layers.Wrapper"

    @classmethod
    def _version_for(cls, layer: Any, *args: Any, **kwargs: Any) -> Flavor:
        return known_flavor(layer)

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
