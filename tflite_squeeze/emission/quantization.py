"""Post-training quantization: what weights and activations become."""

from enum import StrEnum
from typing import Literal

from tflite_squeeze.errors import InputError

# Types of files that are timed while layers are decided on: one of them for the whole file.
Timed = Literal["none", "float16", "dynamic", "int8", "int16x8"]


class Quantization(StrEnum):
    """Post-training quantization: what weights and activations become.

    Reference: Jacob et al. 2018, arXiv:1712.05877, for the integer modes.
    """

    NONE = "none"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"
    INT16X8 = "int16x8"
    MIXED = "mixed"

    @property
    def calibrates(self) -> bool:
        """Whether activation ranges have to be measured on real samples."""
        return self in (Quantization.INT8, Quantization.INT16X8, Quantization.MIXED)


def uncalibrated(quantize: Quantization) -> InputError:
    """The error of a conversion that has no samples to calibrate on."""
    return InputError(
        f"--quantize {quantize.value} calibrates on real samples and got none: pass --data, such "
        f"as --data samples.npz"
    )
