"""Ranges of a file's tensors on samples, and the integers that follow from them.

TensorFlow's converter calibrates and quantizes a float `.tflite` file that it has written itself.
Both steps take any such file, so a file that others wrote becomes what its model would have
become. Neither has a public name.
"""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from tflite_squeeze.emission.calibrator import infinite_ranges_refused
from tflite_squeeze.emission.chatter import Chatter, caught_chatter
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import UnsupportedError, reason_of
from tflite_squeeze.runtime.observing import Batches
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.fields import integers, items, text
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.signatures import signatures_of

# Custom operators that TensorFlow's own interpreter has.
_CUSTOM = frozenset({"NumericVerify", "Mfcc", "AudioSpectrogram", "TFLite_Detection_PostProcess"})


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A float file whose tensors have ranges, to be quantized as often as is wanted.

    Attributes:
        tflite: the float file; with int8 in mind, with ranges.
        config: int8 or int16x8, and the type of inputs and outputs.
        work: TensorFlow's calibrator.
        samples: what it is fed with.
        chatter: where that goes what TensorFlow prints.
    """

    tflite: bytes
    config: Convert
    work: Any
    samples: Callable[[], Iterator[Any]]
    chatter: Chatter

    def quantized(self, in_float: Collection[str] = (), kinds: Collection[str] = ()) -> bytes:
        """The file with integers, but for operators that have no integer kernel.

        Args:
            in_float: names of what operators put out that compute in float all the same; int8 only.
            kinds: types of operators all of which do so.

        Raises:
            UnsupportedError: TensorFlow refuses it.
        """
        with _refusals(self.config, self.chatter):
            from tensorflow.lite.python.convert import mlir_quantize

            if self.config.quantize is Quantization.INT16X8:
                return bytes(
                    self.work.calibrate_and_quantize(
                        self.samples, tf.float32, tf.float32, True, tf.int16, tf.int64
                    )
                )
            dtype = tf.as_dtype(self.config.io_dtype)
            return bytes(
                mlir_quantize(
                    self.tflite,
                    input_data_type=dtype,
                    output_data_type=dtype,
                    disable_per_channel_for_dense_layers=not self.config.per_channel_dense,
                    denylisted_nodes=list(in_float) or None,
                    denylisted_ops=list(kinds) or None,
                )
            )


def calibrated(
    tflite: bytes, config: Convert, calibration: Mapping[str, Batches], chatter: Chatter
) -> Calibrated:
    """Finds the ranges of all tensors of a float file.

    Args:
        tflite: the file.
        config: int8 or int16x8, and the type of inputs and outputs.
        calibration: by signature ("" for a file without any), a function that returns batches of
            real samples by input name, of the shapes that the file takes.
        chatter: where that goes what TensorFlow prints.

    Raises:
        UnsupportedError: the file has a loop or an operator that TensorFlow cannot run.
        InputError: a tensor is infinite on the samples.
        RuntimeFailure: it cannot be run at all.
    """
    names = {name for graph in operator_names(tflite) for name in graph}
    custom = sorted(names - vars(schema.BuiltinOperator).keys() - _CUSTOM)
    if "WHILE" in names or custom:
        what = f"run the operator {custom[0]}" if custom else "calibrate a WHILE loop"
        raise UnsupportedError(
            f"--quantize {config.quantize.value} cannot {what}, and this file has one: use "
            f"--quantize dynamic or float16"
        )
    _try(tflite, calibration)
    with _refusals(config, chatter):
        from tensorflow.lite.python.optimize import calibrator

        work = calibrator.Calibrator(calibrator.add_intermediate_tensors(tflite))
        samples = _samples(tflite, calibration)
        if config.quantize is not Quantization.INT16X8:
            tflite = work.calibrate(samples)
    return Calibrated(tflite=tflite, config=config, work=work, samples=samples, chatter=chatter)


def _try(tflite: bytes, calibration: Mapping[str, Batches]) -> None:
    """Runs the file once in a process of its own: in the calibrator, a damaged one ends this one.

    Raises:
        RuntimeFailure: it does not run.
    """
    for name, batches in calibration.items():
        for given in itertools.islice(batches(), 1):
            run_file(tflite, given, signature=name or None)


@contextmanager
def _refusals(config: Convert, chatter: Chatter) -> Iterator[None]:
    """Turns what TensorFlow raises into one line."""
    with caught_chatter(chatter), infinite_ranges_refused():
        from tensorflow.lite.python.convert_phase import ConverterError

        try:
            yield
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
