"""TensorFlow's calibrator, which refuses samples on which a tensor of the model is infinite.

Its quantizer ends the process at an infinite range, or says that the range is not there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tensorflow.lite.python.optimize import calibrator

from tflite_squeeze.emission.calibration.histogram import refuse_infinite
from tflite_squeeze.tflite.fields import text
from tflite_squeeze.tflite.flatbuffer import read_model


class _Refusing(calibrator.Calibrator):  # type: ignore[misc]
    def _feed_tensors(self, *args: Any, **options: Any) -> None:
        super()._feed_tensors(*args, **options)
        for graph in read_model(bytes(self._calibrator.Calibrate())).subgraphs:
            for tensor in graph.tensors:
                about = tensor.quantization
                if about is not None and about.min is not None and about.max is not None:
                    ends = (*about.min, *about.max)
                    refuse_infinite(text(tensor.name).partition(";")[0], min(ends), max(ends))


@contextmanager
def infinite_ranges_refused() -> Iterator[None]:
    """Lets all that TensorFlow calibrates in the block be looked at before it is quantized.

    Raises:
        InputError: a tensor is infinite on the samples.
    """
    original = calibrator.Calibrator
    calibrator.Calibrator = _Refusing
    try:
        yield
    finally:
        calibrator.Calibrator = original
