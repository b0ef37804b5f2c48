"""How long Keras models take as files on this machine's interpreter, measured in turns."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network.made_up import made_up_by_name
from tflite_squeeze.runtime.turns import turn_by_turn

_TOGETHER = 12  # files in one child process


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


class TimedBeside:
    """Times models beside another one, which is converted once.

    Args:
        model: a Keras model of either version.
        quantize: of the files, as in `model_times`.

    Example:
        >>> TimedBeside(model, Quantization.INT8).shares([narrower])
        [0.62]
    """

    def __init__(self, model: Any, quantize: Quantization) -> None:
        self._model, self._quantize = model, quantize

    @cached_property
    def _whole(self) -> bytes:
        return _file(self._model, self._quantize)

    def shares(self, models: Iterable[Any]) -> list[float]:
        """How long models take, as shares of the time of the other one.

        Args:
            models: Keras models; some are timed together, and never too many for a time limit.
                Each becomes a file before the next is taken.

        Raises:
            ConversionError: a model cannot be converted.
        """
        found, files_of_all = [], (_file(model, self._quantize) for model in models)
        while some := list(islice(files_of_all, _TOGETHER)):
            files = {str(at): file for at, file in enumerate(some)}
            times = turn_by_turn({"whole": self._whole, **files})
            found += [float(np.median(times[name] / times["whole"])) for name in files]
        return found


def _file(model: Any, quantize: Quantization) -> bytes:
    samples = made_up_by_name(model) if quantize.calibrates else None
    config = Convert(quantize=quantize, sparsity="dense")
    return convert(model, config, samples, verification=None).tflite
