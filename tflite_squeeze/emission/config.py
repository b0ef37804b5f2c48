"""Options of a conversion."""

from typing import Literal

from pydantic import Field, model_validator

from tflite_squeeze.emission.calibration.ranges import Method
from tflite_squeeze.emission.low_bit.record import LowBitMode
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.sparse.plan import SparsityMode
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.network.quantization.plan import QuantizationPlan, WeightBits


class Convert(Frozen):
    """How a model becomes a `.tflite` file.

    Example:
        >>> Convert(quantize="int8", io_dtype="int8").quantize
        <Quantization.INT8: 'int8'>
    """

    quantize: Quantization = Field(
        default=Quantization.NONE,
        description="Type that weights and activations are quantized to; int8 and int16x8 are "
        "calibrated on data, and mixed is int8 but for the fewest layers of a Keras model, or "
        "operators of a file, without which the check or a limit would fail.",
    )
    calibrate: Method | Literal["auto"] | None = Field(
        default=None,
        description='How int8 is calibrated: by the range of a method ("minmax", "percentile", '
        '"mse", "entropy") or by the best of them ("auto"), with equalized channels, compensated '
        "rounding and corrected biases where they help; of a file, by the range alone; by default "
        "TensorFlow's converter does it, by min/max.",
    )
    plan: QuantizationPlan | None = Field(
        default=None,
        description="What each weight and activation of a Keras model, or each tensor of a float "
        "file, becomes; makes an int8 file, and calibrates on data the activations that have no "
        "range.",
    )
    keep_float: tuple[str, ...] = Field(
        default=(),
        description="Patterns of layers, operations, inputs and outputs of a Keras model, or of "
        "operators of a .tflite file, that an int8 file computes in float, by name or type.",
    )
    keep_int16: tuple[str, ...] = Field(
        default=(),
        description="The same patterns, for layers or operators whose outputs get activations of "
        "16 bits in an int8 file, beside weights of 8.",
    )
    io_dtype: Literal["float32", "int8", "uint8"] = Field(
        default="float32",
        description="Type of the file's inputs and outputs; int8 and uint8 need int8 quantization.",
    )
    weight_bits: WeightBits | Literal["auto"] | None = Field(
        default=None,
        description="Bits of the weights of convolutions and Dense layers in dynamic and int8 "
        'files, after training: 8, 4, 2, or "auto" for the fewest bytes, layer by layer, with '
        "which accuracy falls by no more than max_drop (0.01). With data, the rounding of a "
        "weight makes up for that of those before it, and biases are corrected.",
    )
    minimize: Literal["bytes", "latency"] = Field(
        default="bytes",
        description='Of dynamic files, and of weight_bits fewer than 8: "bytes" takes these '
        'everywhere; "latency" leaves 8 where fewer are slow, in convolutions larger than 1x1 and '
        "depthwise ones, and lets operators multiply 8-bit weights of dynamic files as integers "
        "or as floats, whatever is measured to be faster.",
    )
    batch: int | Literal["dynamic"] = Field(
        default=1,
        description='Batch size of the file, or "dynamic"; a fixed one avoids SHAPE, '
        "STRIDED_SLICE and PACK operators at each Flatten and Reshape.",
    )
    per_channel_dense: bool = Field(
        default=True,
        description="Whether integer Dense weights are quantized per channel, or per tensor "
        "(smaller).",
    )
    allow_select_ops: bool = Field(
        default=False,
        description="Keep operators that TFLite lacks as TensorFlow ones, which need "
        "the Flex delegate.",
    )
    input_shapes: dict[str, tuple[int, ...]] = Field(
        default_factory=dict,
        description="Full shape by input name, batch included, for inputs with open dimensions.",
    )
    calibration_samples: int = Field(
        default=256,
        ge=1,
        description="Number of samples on which the integer modes calibrate activation ranges.",
    )
    name: str | None = Field(
        default=None, description="Name written into the file; the model's own by default."
    )
    labels: tuple[str, ...] = Field(default=(), description="Class names written into the file.")
    sparsity: SparsityMode = Field(
        default="auto",
        description='How weights that are mostly zero are stored: "auto" takes the smallest '
        'encoding that is not slower, "smallest" the smallest even where it is slower; "dense" '
        'and "sparse" force one.',
    )
    low_bit: LowBitMode = Field(
        default="auto",
        description="How weights that are only -s, 0 and s are stored in a file of quantization "
        'none or dynamic: "auto" takes 2 bits, or 4 where only those are faster than '
        'float, "int2" and "int4" force a type, "off" keeps float32. Weights of 4 or 2 bits in a '
        'quantized network or plan: "auto" stores those of Dense layers so, "int4" those of '
        'convolutions too, which are slow on x86 then, "off" none.',
    )
    runtime: Literal["litert", "larq"] = Field(
        default="litert",
        description='Runtime of the file: "litert", or "larq" (Larq Compute Engine) for binary '
        "layers with 1-bit weights.",
    )

    @property
    def chooses_by_check(self) -> bool:
        """Whether it depends on the check of a file how the next one is made."""
        return self.quantize is Quantization.MIXED or self.weight_bits == "auto"

    @model_validator(mode="after")
    def _values_agree(self) -> "Convert":
        if self.batch != "dynamic" and self.batch < 1:
            raise ValueError(f"batch is {self.batch}: give a positive number or 'dynamic'")
        if self.plan is not None and (
            self.quantize not in (Quantization.NONE, Quantization.INT8) or self.runtime == "larq"
        ):
            raise ValueError(
                f"a plan makes an int8 file for litert, not {self.quantize.value} for "
                f"{self.runtime}: leave quantize and runtime out, or the plan"
            )
        integer = self.quantize in (Quantization.INT8, Quantization.MIXED) or self.plan is not None
        if self.io_dtype != "float32" and not integer:
            raise ValueError(
                f"io_dtype {self.io_dtype} needs quantize='int8', not {self.quantize.value!r}"
            )
        if self.calibrate is not None and not integer:
            raise ValueError(
                f"calibrate {self.calibrate!r} needs quantize='int8', not {self.quantize.value!r}"
            )
        if self.keep_float and not integer:
            raise ValueError(
                f"keep_float {', '.join(self.keep_float)} needs quantize='int8', not "
                f"{self.quantize.value!r}"
            )
        if self.keep_int16 and (not integer or self.quantize is Quantization.MIXED):
            raise ValueError(
                f"keep_int16 {', '.join(self.keep_int16)} needs quantize='int8', not "
                f"{self.quantize.value!r}"
            )
        takes_bits = self.quantize in (Quantization.DYNAMIC, Quantization.INT8)
        if self.weight_bits is not None and (
            not (takes_bits or self.plan is not None) or self.runtime == "larq"
        ):
            raise ValueError(
                f"weight_bits {self.weight_bits} needs quantize='dynamic' or 'int8' and runtime "
                f"'litert', not {self.quantize.value!r} and {self.runtime!r}"
            )
        if self.runtime == "larq" and (
            self.quantize not in (Quantization.NONE, Quantization.DYNAMIC) or self.batch != 1
        ):
            raise ValueError(
                f"runtime larq takes quantize 'none', or 'dynamic' to round the remaining float "
                f"weights to 8 bits, and batch 1, not {self.quantize.value!r} and {self.batch}"
            )
        return self
