"""Ranges of a file's tensors on samples, and the integers that follow from them.

TensorFlow's converter calibrates and quantizes a float `.tflite` file that it has written itself.
Both steps take any such file, so a file that others wrote becomes what its model would have
become.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.emission.chatter import Chatter, caught_chatter
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import UnsupportedError, reason_of
from tflite_squeeze.tflite.fields import integers, items, text
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.signatures import signatures_of

Batches = Callable[[], Iterator[dict[str, NDArray[Any]]]]


def with_integers(
    tflite: bytes,
    config: Convert,
    calibration: Mapping[str, Batches],
    chatter: Chatter,
    in_float: Collection[str] = (),
) -> bytes:
    """Quantizes weights and activations of a float file.

    Args:
        tflite: the file.
        config: int8 or int16x8, and the type of inputs and outputs.
        calibration: by signature ("" for a file without any), a function that returns batches of
            real samples by input name, of the shapes that the file takes.
        chatter: where that goes what TensorFlow prints.
        in_float: names of what operators put out that compute in float all the same.

    Returns:
        The file, whose operators without an integer kernel stay in float.

    Raises:
        UnsupportedError: the file has a loop, or TensorFlow refuses it.
    """
    if any("WHILE" in names for names in operator_names(tflite)):
        raise UnsupportedError(
            f"--quantize {config.quantize.value} cannot calibrate a WHILE loop, and this file has "
            f"one: use --quantize dynamic or float16"
        )
    with caught_chatter(chatter):
        # TensorFlow has no public name for what its converter does with its own float file.
        from tensorflow.lite.python.convert import mlir_quantize
        from tensorflow.lite.python.convert_phase import ConverterError
        from tensorflow.lite.python.optimize import calibrator

        try:
            work = calibrator.Calibrator(calibrator.add_intermediate_tensors(tflite))
            samples = _samples(tflite, calibration)
            if config.quantize is Quantization.INT16X8:
                return bytes(
                    work.calibrate_and_quantize(
                        samples, tf.float32, tf.float32, True, tf.int16, tf.int64
                    )
                )
            dtype = tf.as_dtype(config.io_dtype)
            return bytes(
                mlir_quantize(
                    work.calibrate(samples),
                    input_data_type=dtype,
                    output_data_type=dtype,
                    disable_per_channel_for_dense_layers=not config.per_channel_dense,
                    denylisted_nodes=list(in_float) or None,
                )
            )
        except (ConverterError, ValueError, RuntimeError, TypeError) as error:
            raise UnsupportedError(
                f"TensorFlow cannot quantize this file to {config.quantize.value} "
                f"({reason_of(error)}): use --quantize dynamic or float16"
            ) from error


def _samples(tflite: bytes, calibration: Mapping[str, Batches]) -> Callable[[], Iterator[Any]]:
    """The samples in the form that the calibrator expects: a list for the only signature."""
    if len(calibration) > 1:
        return lambda: ((key, given) for key in sorted(calibration) for given in calibration[key]())
    ((key, batches),) = calibration.items()
    names = _in_order(tflite, key)
    return lambda: ([given[name] for name in names] for given in batches())


def _in_order(tflite: bytes, key: str) -> list[str]:
    """The inputs of a signature, in the order in which its subgraph lists them."""
    model = read_model(tflite)
    for signature in items(model.signatureDefs):
        if text(signature.signatureKey) == key:
            listed = integers(model.subgraphs[signature.subgraphIndex].inputs)
            ends = {int(one.tensorIndex): text(one.name) for one in items(signature.inputs)}
            return [ends[at] for at in listed if at in ends]
    return list(signatures_of(tflite)[0].inputs)
