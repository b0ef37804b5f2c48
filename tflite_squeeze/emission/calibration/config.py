"""What calibration may do to a network."""

from typing import Literal

from pydantic import Field

from tflite_squeeze.emission.calibration.ranges import Method
from tflite_squeeze.frozen import Frozen

Choice = Literal["auto", "on", "off"]


class Calibrate(Frozen):
    """How a network is quantized without training.

    Example:
        >>> Calibrate(method="percentile", rounding="off").samples
        256
    """

    method: Method | Literal["auto"] = Field(
        default="auto",
        description='How ranges of activations are chosen: "minmax", "percentile" (99.99 %), '
        '"mse" (the least squared error, activation by activation), "entropy" (the least '
        'information lost), or "auto" for that with which the answers are nearest to those of the '
        "model.",
    )
    equalize: Choice = Field(
        default="auto",
        description="Whether channels between two layers are made alike (cross-layer "
        'equalization); "auto" keeps it where the answers get nearer to those of the model.',
    )
    clip_weights: Choice = Field(
        default="auto",
        description="Whether scales of weights are those of the least squared error, which may "
        'clip the greatest ones; "auto" as above.',
    )
    rounding: Choice = Field(
        default="auto",
        description="Whether weights make up for the rounding of those before them (GPTQ), or are "
        'rounded to the nearest; "auto" as above.',
    )
    correct_bias: Choice = Field(
        default="auto",
        description="Whether biases take back what quantization shifts on average; "
        '"auto" as above.',
    )
    samples: int = Field(
        default=256,
        ge=1,
        description="Number of samples that ranges, roundings and biases are found on; others, "
        "where there are, decide what is kept.",
    )
