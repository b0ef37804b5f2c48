"""Whether a factorized layer pays: both ways of it timed as files on the LiteRT interpreter."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network import flavors
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.techniques.low_rank.record import LayerTime
from tflite_squeeze.techniques.low_rank.splitting import Judge

_CALIBRATION_SAMPLES = 16


def latency_judge(quantize: Quantization) -> Judge:
    """What times models beside another, as files of a quantization.

    Args:
        quantize: of the files. Times do not depend on values: the integer modes calibrate on
            made-up samples.
    """

    def judge(whole: Any, others: Sequence[Any]) -> list[LayerTime]:
        files = {str(at): _file(model, quantize) for at, model in enumerate([whole, *others])}
        times = turn_by_turn(files)
        return [
            LayerTime(
                whole_us=float(times["0"].min()),
                split_us=float(times[str(at)].min()),
                ratio=float(np.median(times[str(at)] / times["0"])),
            )
            for at in range(1, len(files))
        ]

    return judge


def _file(model: Any, quantize: Quantization) -> bytes:
    samples = _made_up(model) if quantize.calibrates else None
    config = Convert(quantize=quantize, sparsity="dense")
    return convert(model, config, samples, verification=None).tflite


def _made_up(model: Any) -> dict[str, Any]:
    """Normal numbers for every input of a model; zeros where it takes integers."""
    generator = np.random.default_rng(0)
    made = {}
    for name, spec in flavors.input_specs(model).items():
        shape = (_CALIBRATION_SAMPLES, *[size or 1 for size in spec.shape[1:]])
        values = generator.normal(size=shape) if spec.dtype.is_floating else np.zeros(shape)
        made[name] = values.astype(spec.dtype.as_numpy_dtype)
    return made
