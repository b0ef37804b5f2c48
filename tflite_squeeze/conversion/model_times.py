"""How long Keras models take as files on this machine's interpreter, measured in turns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network.made_up import made_up_by_name
from tflite_squeeze.runtime.turns import turn_by_turn


def model_times(models: Sequence[Any], quantize: Quantization) -> NDArray[np.float64]:
    """Converts models and times the files, each in its turn, so that other load hits all alike.

    Args:
        models: Keras models of either version.
        quantize: of the files. Times do not depend on values: the integer modes calibrate on
            made-up samples.

    Returns:
        (models, turns), the median microseconds of a run in each turn.

    Raises:
        ConversionError: a model cannot be converted.

    Example:
        >>> whole, narrow = model_times([model, narrower], Quantization.INT8)
        >>> float(np.median(narrow / whole))
        0.62
    """
    files = {str(at): _file(model, quantize) for at, model in enumerate(models)}
    times = turn_by_turn(files)
    return np.stack([times[name] for name in files])


def _file(model: Any, quantize: Quantization) -> bytes:
    samples = made_up_by_name(model) if quantize.calibrates else None
    config = Convert(quantize=quantize, sparsity="dense")
    return convert(model, config, samples, verification=None).tflite
