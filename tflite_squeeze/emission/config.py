"""What a conversion is asked for."""

from typing import Literal

from pydantic import Field, model_validator

from tflite_squeeze.emission.low_bit.record import LowBitMode
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.sparse.plan import SparsityMode
from tflite_squeeze.frozen import Frozen


class Convert(Frozen):
    """How a model becomes a `.tflite` file.

    Attributes:
        quantize: what weights and activations become.
        io_dtype: dtype of the file's inputs and outputs; int8 and uint8 need `quantize="int8"`.
        batch: the fixed batch size, or "dynamic". A fixed one spares a chain of SHAPE,
            STRIDED_SLICE and PACK operators at each Flatten and Reshape.
        per_channel_dense: whether integer Dense weights get a scale per unit rather than one.
        allow_select_ops: whether operators that TFLite lacks may become TensorFlow (Flex) ones.
        input_shapes: full shapes by input name, batch included, where the model leaves them open.
        calibration_samples: real samples on which the integer modes measure ranges.
        name: the name written into the file; the model's own when None.
        labels: class names written into the file.
        sparsity: how weights that are mostly zero are stored: "auto" takes the smallest encoding
            that is not slower, "dense" and "sparse" force one.
        runtime: what the file is for: "litert", or "larq" for Larq Compute Engine, whose
            binary layers take and hold single bits.
        low_bit: how weights are stored of which each channel holds only {-s, s} or {-s, 0, s},
            with `quantize` "none" or "dynamic": "auto" takes 2 bits, or 4 where those are faster
            than float and 2 are not; "int2" and "int4" force one, "off" leaves float32.

    Example:
        >>> Convert(quantize="int8", io_dtype="int8").quantize
        <Quantization.INT8: 'int8'>
    """

    quantize: Quantization = Quantization.NONE
    io_dtype: Literal["float32", "int8", "uint8"] = "float32"
    batch: int | Literal["dynamic"] = 1
    per_channel_dense: bool = True
    allow_select_ops: bool = False
    input_shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    calibration_samples: int = Field(default=256, ge=1)
    name: str | None = None
    labels: tuple[str, ...] = ()
    sparsity: SparsityMode = "auto"
    low_bit: LowBitMode = "auto"
    runtime: Literal["litert", "larq"] = "litert"

    @model_validator(mode="after")
    def _values_agree(self) -> "Convert":
        if self.batch != "dynamic" and self.batch < 1:
            raise ValueError(f"batch is {self.batch}: give a positive number or 'dynamic'")
        if self.io_dtype != "float32" and self.quantize is not Quantization.INT8:
            raise ValueError(
                f"io_dtype {self.io_dtype} needs quantize='int8', not {self.quantize.value!r}"
            )
        if self.runtime == "larq" and (
            self.quantize not in (Quantization.NONE, Quantization.DYNAMIC) or self.batch != 1
        ):
            raise ValueError(
                f"runtime larq takes quantize 'none', or 'dynamic' to round what stays in float to "
                f"8 bits, and batch 1, not {self.quantize.value!r} and {self.batch}"
            )
        return self
