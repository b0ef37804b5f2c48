"""The limits of a verification: the user's, and the defaults for each quantization."""

import math

from pydantic import Field

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.frozen import Frozen


class Verify(Frozen):
    """The limits that a file must meet to pass verification.

    Example:
        >>> Verify(max_drop=0.01).samples
        256
    """

    max_drop: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Largest loss of accuracy that passes, as a fraction; by default a loss of "
        "more than 0.01 fails when its 95 % interval excludes zero.",
    )
    min_sqnr_db: float | None = Field(
        default=None,
        description="Minimum signal-to-quantization-noise ratio of an output, in dB; "
        "by default it depends on the quantization.",
    )
    min_agreement: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Minimum fraction of samples with the same predicted class; by default it "
        "depends on the quantization. If it is given, rows of scores count as predictions whether "
        "they are probabilities or not.",
    )
    samples: int | None = Field(default=256, ge=1, description="Number of samples to run.")
    threads: int = Field(default=1, ge=1, description="Threads of the interpreter.")


# docs/measured/verify.md has the figures of sound files that these two stand apart from.
_MAX_MOVED = 0.15
_MAX_ERROR_RISE = 0.2


class Tolerance(Frozen):
    """The limits that were applied.

    Attributes:
        max_drop: of accuracy; strict: whether the user gave it.
        min_sqnr_db: of each output.
        min_agreement: of predicted classes.
        min_part_db: of each part of an output, its mean left out.
        max_moved: share of a distribution's probability that may move to other classes.
        max_error_rise: of the mean absolute error of a column against labels, as a share of the
            labels' standard deviation.
        by_prediction: whether predictions judge alone where there are any: one sign that flips
            in a binary network changes all outputs a little, and most predictions not.
    """

    max_drop: float
    strict: bool
    min_sqnr_db: float
    min_agreement: float
    min_part_db: float = 6.0
    max_moved: float = _MAX_MOVED
    max_error_rise: float = _MAX_ERROR_RISE
    by_prediction: bool = False


# Float32 differs by the order of sums only. The others are about 10 dB below what sound
# conversions of the reference models reach; a wrong tensor or scale costs far more than that.
_LEAST_SQNR_DB = {
    Quantization.NONE: 60.0,
    Quantization.FLOAT16: 40.0,
    Quantization.DYNAMIC: 15.0,
    Quantization.INT8: 8.0,
    Quantization.INT16X8: 15.0,
    Quantization.MIXED: 8.0,
}


# Below 6 dB, the error of a part is more than half of what it varies by.
_LEAST_PART_DB = dict.fromkeys(Quantization, 6.0) | {Quantization.NONE: 40.0}


_LEAST_AGREEMENT = {
    Quantization.NONE: 0.99,
    Quantization.FLOAT16: 0.98,
    Quantization.DYNAMIC: 0.90,
    Quantization.INT8: 0.85,
    Quantization.INT16X8: 0.90,
    Quantization.MIXED: 0.85,
}


_MAX_DROP = 0.01


_BINARY_AGREEMENT = 0.98


def tolerance_of(verify: Verify, quantization: Quantization, *, binary: bool = False) -> Tolerance:
    """The limits for a quantization, each replaced by the user's own where given.

    Args:
        verify: the user's own.
        quantization: what the file is quantized to.
        binary: whether the network has binary inputs inside, so that predictions judge.
    """

    def given(value: float | None, default: float) -> float:
        return default if value is None else value

    return Tolerance(
        max_drop=given(verify.max_drop, _MAX_DROP),
        strict=verify.max_drop is not None,
        min_part_db=min(_LEAST_PART_DB[quantization], given(verify.min_sqnr_db, math.inf)),
        max_moved=_MAX_MOVED if verify.min_sqnr_db is None else 1.0,
        min_sqnr_db=given(verify.min_sqnr_db, _LEAST_SQNR_DB[quantization]),
        min_agreement=given(
            verify.min_agreement, _BINARY_AGREEMENT if binary else _LEAST_AGREEMENT[quantization]
        ),
        by_prediction=binary and verify.min_sqnr_db is None,
    )
