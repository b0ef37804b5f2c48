"""How a model is exported to ONNX."""

from pydantic import Field

from tflite_squeeze.frozen import Frozen


class ExportOnnx(Frozen):
    """Settings of `export_onnx`.

    Example:
        >>> ExportOnnx(opset=15).tolerance
        0.0001
    """

    opset: int = Field(
        default=17, ge=13, le=18, description="Version of ONNX's operators that the file uses."
    )
    samples: int = Field(
        default=16, ge=1, description="Number of examples on which the file is checked."
    )
    tolerance: float = Field(
        default=1e-4,
        gt=0,
        description="Largest difference of a float file to the model, relative to the largest "
        "value of an output; a file that differs more is refused.",
    )
    max_steps: float = Field(
        default=0.5,
        gt=0,
        description="Largest mean difference of a quantized file to the .tflite file, in steps of "
        "an output's scale, or of 1/255 of its range where it has none; a file that differs more "
        "is refused.",
    )
