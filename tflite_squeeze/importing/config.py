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
    tolerance: float | None = Field(
        default=None,
        gt=0,
        description="Largest difference between the two models, relative to the largest value of "
        "an output; a model that differs more is refused. By default 1e-4 of ONNX models and 1e-3 "
        "of .tflite files.",
    )
