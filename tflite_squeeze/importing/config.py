"""How a model of another framework is imported."""

from pydantic import Field

from tflite_squeeze.frozen import Frozen


class Import(Frozen):
    """Settings of `import_model`.

    Example:
        >>> Import(tolerance=1e-5).tolerance
        1e-05
    """

    input_shapes: dict[str, tuple[int, ...]] = Field(
        default={},
        description="Full shapes of inputs that the file leaves open, by name, batch and channels "
        "where the file has them.",
    )
    weights: str | None = Field(
        default=None,
        description="Of model.py:build, the file with the state dict of the PyTorch network.",
    )
    inputs: tuple[str, ...] = Field(
        default=(),
        description="Of model.py:build, the shape of each input of the network, such as "
        "1x3x224x224 or tokens=1x12:int64, in order; may be repeated.",
    )
    allow_unsafe: bool = Field(
        default=False, description="Whether a .pt2 file may run code of its own."
    )
    tolerance: float | None = Field(
        default=None,
        gt=0,
        description="Largest difference between the two models, relative to the largest value of "
        "an output; a model that differs more is refused. By default 1e-4 of ONNX models and 1e-3 "
        "of .tflite files.",
    )
