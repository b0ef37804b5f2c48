"""TensorFlow's calibrator, which refuses samples on which a tensor of the model is infinite.

Its quantizer ends the process at an infinite range, or says that the range is not there.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from tensorflow.lite.python.optimize import calibrator

from tflite_squeeze.emission.calibration.histogram import refuse_infinite
from tflite_squeeze.emission.wide.widened import are_steps_of
from tflite_squeeze.tflite.fields import scales_of, text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model

_COARSER = 256  # so that 8 bits reach as far as 16


@contextmanager
def calibrator_of(wide: Collection[float] = ()) -> Iterator[None]:
    """Lets all that TensorFlow calibrates in the block be looked at before it is quantized.

    Args:
        wide: steps of 16 bits that integers of 8 have for the quantizer, see `emission.wide`.
            While it is calibrated, the file is run with coarser ones, which reach as far.

    Raises:
        InputError: a tensor is infinite on the samples.
    """
    original = calibrator.Calibrator
    steps = np.asarray(sorted(wide), np.float32)

    class Calibrator(original):  # type: ignore[misc, valid-type]
        def __init__(self, tflite: bytes, *args: Any, **options: Any) -> None:
            super().__init__(_scaled(tflite, steps, _COARSER), *args, **options)

        def calibrate(self, *args: Any, **options: Any) -> bytes:
            found = bytes(super().calibrate(*args, **options))
            return _scaled(found, steps * _COARSER, 1 / _COARSER)

        def _feed_tensors(self, *args: Any, **options: Any) -> None:
            super()._feed_tensors(*args, **options)
            for graph in read_model(bytes(self._calibrator.Calibrate())).subgraphs:
                for tensor in graph.tensors:
                    about = tensor.quantization
                    if about is not None and about.min is not None and about.max is not None:
                        ends = (*about.min, *about.max)
                        refuse_infinite(text(tensor.name).partition(";")[0], min(ends), max(ends))

    calibrator.Calibrator = Calibrator
    try:
        yield
    finally:
        calibrator.Calibrator = original


def _scaled(tflite: bytes, steps: Any, factor: float) -> bytes:
    """A file in which tensors with some steps have others."""
    if not len(steps):
        return tflite
    model = read_model(tflite)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if are_steps_of(scales_of(tensor), steps):
                tensor.quantization.scale = scales_of(tensor) * np.float32(factor)
    return pack_model(model)
