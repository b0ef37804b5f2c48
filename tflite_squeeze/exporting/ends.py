"""The inputs and outputs of a `.tflite` file, as its ONNX file has them."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.microcontrollers.graph import main_inputs, main_outputs
from tflite_squeeze.runtime.session import Endpoint, dequantized, quantized
from tflite_squeeze.tflite.fields import scales_of
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.links import Links

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Both ends of a file.

    Attributes:
        inputs: by name.
        outputs: by name.
        steps: of each output the scale that it is computed with; 0 for one computed in float.
    """

    inputs: dict[str, Endpoint]
    outputs: dict[str, Endpoint]
    steps: dict[str, float]

    @classmethod
    def of(cls, tflite: bytes) -> "Ends":
        """Those of a file's main graph.

        Raises:
            InputError: the file is damaged.
        """
        model = read_model(tflite)
        links, outputs = Links(model, 0), main_outputs(model)
        return cls(
            inputs={one.name: one for one in main_inputs(model)},
            outputs={one.name: one for one in outputs},
            steps={one.name: one.scale or _step_before(links, one.index) for one in outputs},
        )

    def quantized(self, values: Arrays) -> Arrays:
        """Real values as the inputs take them."""
        return {
            name: quantized(array, self.inputs[name]) if self.inputs[name].scale else array
            for name, array in values.items()
        }

    def dequantized(self, values: Arrays) -> Arrays:
        """Outputs as real values."""
        return {name: dequantized(array, self.outputs[name]) for name, array in values.items()}


def _step_before(links: Links, tensor: int) -> float:
    """The scale of what a DEQUANTIZE at the end makes floats of."""
    operator = links.producer.get(tensor)
    if operator is None or links.names[operator] != "DEQUANTIZE":
        return 0.0
    (scale,) = scales_of(links.graph.tensors[links.inputs(operator)[0]]) or (0.0,)
    return float(scale)
