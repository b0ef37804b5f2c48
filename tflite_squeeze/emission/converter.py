"""A model → the bytes of a `.tflite` file, through TensorFlow's converter."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python.convert_phase import ConverterError

from tflite_squeeze.emission.calibrator import infinite_ranges_refused
from tflite_squeeze.emission.chatter import Chatter, caught_chatter
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.failures import unsupported
from tflite_squeeze.emission.garbage import Garbage
from tflite_squeeze.emission.quantization import Quantization, uncalibrated
from tflite_squeeze.emission.quantized import has_float_parts, is_quantized_twin
from tflite_squeeze.emission.recurrent import with_sound_lstm_scales
from tflite_squeeze.emission.repairs import repaired, without_marks
from tflite_squeeze.emission.state import fresh_states
from tflite_squeeze.emission.trace import Traced, layers_of, prepared, traced
from tflite_squeeze.emission.wide.widened import refuse_wide_ends, with_wide_activations
from tflite_squeeze.errors import UnsupportedError, shortened
from tflite_squeeze.files.temporary import no_room, temporary_folder
from tflite_squeeze.network.loading import LoadedModel
from tflite_squeeze.network.quantization.layers import MARK
from tflite_squeeze.network.quantization.twin import quantized_activations, wide_steps
from tflite_squeeze.runtime.observing import Batches
from tflite_squeeze.tflite.flatbuffer import operator_names, with_description
from tflite_squeeze.tflite.signatures import float_operators
from tflite_squeeze.tflite.tidy import with_facts
from tflite_squeeze.version import __version__

_GARBAGE = Garbage()


@dataclass(frozen=True, kw_only=True)
class Emitted:
    """A converted file, before verification.

    Attributes:
        tflite: the file.
        notes: lines for the report: deviations from the request, and what they cost.
        chatter: all that the converter printed.
        float_operators: in an integer file, the operators that still compute in floating point.
    """

    tflite: bytes
    notes: tuple[str, ...]
    chatter: tuple[str, ...]
    float_operators: tuple[str, ...] = ()


def emit(
    source: LoadedModel, config: Convert, calibration: Mapping[str, Batches] | None = None
) -> Emitted:
    """Converts a model.

    Args:
        source: the model.
        config: the options.
        calibration: by signature, a function that returns batches of real samples by input name,
            preprocessed, of exactly the shapes that the file will take; int8 and int16x8 only.

    Returns:
        The file, with name, version, labels and the hash of its source in its metadata.

    Raises:
        UnsupportedError: the model uses operators that TFLite lacks.
        InputError: weights are not finite, shapes stay open, or there are no samples to calibrate
            on.
        UsageError: options contradict the model.

    Example:
        >>> tflite = emit(load_model("models/lenet_5.keras"), Convert()).tflite
    """
    mixed = has_float_parts(source, config)
    if config.quantize.calibrates and not calibration and not mixed:
        raise uncalibrated(config.quantize)
    chatter = Chatter()
    with caught_chatter(chatter):
        source, notes = prepared(source)
    with temporary_folder() as folder, fresh_states(source):
        given = None if mixed else calibration or {}
        how = config
        if mixed and not quantized_activations(source.model):
            # Where nothing has a range, the converter would quantize as in the dynamic mode.
            how = config.model_copy(update={"quantize": Quantization.NONE})
        job = _Job(how, given, folder, chatter, frozenset(layers_of(source)))
        model = job.traced(source)
        tflite = job.converted(model)
        if config.quantize is Quantization.INT8:
            tflite = with_sound_lstm_scales(tflite)
        tflite = repaired(without_marks(tflite, MARK))
        if is_quantized_twin(source) and (wide := wide_steps(source.model)):
            tflite = with_wide_activations(tflite, wide, job.in_float(model))
            refuse_wide_ends(tflite, config.io_dtype)
    islands = float_operators(tflite) if config.quantize.calibrates else ()
    return Emitted(
        tflite=labelled(tflite, source, config),
        notes=(
            *notes,
            *model.notes,
            *chatter.worth_telling(),
            *island_notes(islands, config),
        ),
        chatter=tuple(chatter.lines),
        float_operators=islands,
    )


class _Job:
    """One conversion: its options, its folder and what was printed meanwhile.

    Without `calibration`, integers are made only of what has a range in the graph.
    """

    def __init__(
        self,
        config: Convert,
        calibration: Mapping[str, Batches] | None,
        folder: Path,
        chatter: Chatter,
        layers: frozenset[str],
    ) -> None:
        self._config = config
        self._calibration = calibration
        self._folder = folder
        self._chatter = chatter
        self._layers = layers

    def traced(self, source: LoadedModel) -> Traced:
        """Traces the model in the form that suits the quantization.

        Calibrating a WHILE loop crashes the process, and only the converter knows which loops it
        fuses into one operator: where there are loops at all, a float conversion shows it.
        """
        integer = self._config.quantize.calibrates
        # The runtime has no fused LSTM with 16-bit activations: it refuses to prepare one.
        fuse = self._config.quantize is not Quantization.INT16X8
        model = self._trace(source, unroll=integer, fuse=fuse)
        if integer and self._keeps_loop(model):
            model = self._trace(source, unroll=True, fuse=False)
            if self._keeps_loop(model):
                raise UnsupportedError(
                    f"--quantize {self._config.quantize.value} cannot calibrate a WHILE loop, and "
                    f"this model has one that cannot be unrolled: use --quantize dynamic or float16"
                )
        return model

    def _trace(self, source: LoadedModel, *, unroll: bool, fuse: bool) -> Traced:
        with caught_chatter(self._chatter):
            return traced(source, self._config, unroll=unroll, fuse=fuse)

    def _keeps_loop(self, model: Traced) -> bool:
        if not model.loops():
            return False
        tflite = self.in_float(model)
        return any("WHILE" in names for names in operator_names(tflite))

    def in_float(self, model: Traced) -> bytes:
        """The same without integers."""
        plain = self._config.model_copy(
            update={"quantize": Quantization.NONE, "io_dtype": "float32"}
        )
        return self._run(self._saved(model), model, plain)

    def converted(self, model: Traced) -> bytes:
        """Saves the traced functions and runs the converter on them."""
        folder = self._saved(model)
        try:
            return self._run(folder, model, self._config)
        except ConverterError as error:
            raise unsupported(
                error,
                self._chatter.lines,
                self._layers,
                open_batch=self._config.batch == "dynamic",
                cost_of_select_ops=lambda: self._cost(folder, model),
            ) from error

    def _saved(self, model: Traced) -> Path:
        """Writes a SavedModel.

        Through it the variables become constants, weights fold, names of tensors stay, and the
        signatures are kept.
        """
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        module = tf.Module()
        module._variables = model.variables  # keeps them alive, and in the SavedModel
        with caught_chatter(self._chatter):
            try:
                tf.saved_model.save(module, str(folder), signatures=model.functions)
            except (OSError, tf.errors.OpError) as error:
                raise no_room(error) from error
        return folder

    def _run(self, folder: Path, model: Traced, config: Convert) -> bytes:
        try:
            return self._attempt(folder, model, config)
        except (ValueError, RuntimeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UnsupportedError(
                f"the TFLite converter cannot convert this model to {config.quantize.value} "
                f"({shortened(lines[0], 300)}): {self._instead(folder, model, config)}"
            ) from error

    def _attempt(self, folder: Path, model: Traced, config: Convert) -> bytes:
        seldom = _GARBAGE.of(model.bytes)
        with caught_chatter(self._chatter), infinite_ranges_refused(), seldom:
            converter = tf.lite.TFLiteConverter.from_saved_model(
                str(folder), signature_keys=sorted(model.functions)
            )
            _configure(converter, config)
            if config.quantize.calibrates and self._calibration is None:
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            elif config.quantize.calibrates and self._calibration is not None:
                converter.representative_dataset = _representative(self._calibration, model)
            return bytes(converter.convert())

    def _instead(self, folder: Path, model: Traced, config: Convert) -> str:
        """The first quantization that the model can be converted to, as a remedy."""
        for other in (Quantization.DYNAMIC, Quantization.FLOAT16, Quantization.NONE):
            if other is config.quantize:
                continue
            plain = config.model_copy(update={"quantize": other, "io_dtype": "float32"})
            try:
                self._attempt(folder, model, plain)
            except (ConverterError, ValueError, RuntimeError):
                continue
            return f"use --quantize {other.value}, to which it converts"
        return "no other quantization works either: run with -v to see the converter's full output"

    def _cost(self, folder: Path, model: Traced) -> str | None:
        """Converts with select operators and returns what that costs, if it works."""
        allowed = self._config.model_copy(update={"allow_select_ops": True})
        try:
            tflite = self._attempt(folder, model, allowed)
        except (ConverterError, ValueError, RuntimeError):
            return None
        return (
            f"tried: a file of {len(tflite):,} bytes that runs only where the Flex delegate, a "
            f"library of TensorFlow kernels many times larger than the runtime, is linked in"
        )


def _configure(converter: Any, config: Convert) -> None:
    """Sets TensorFlow's converter up for what is asked."""
    builtins, select = tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS
    operators = [builtins]
    if config.quantize is not Quantization.NONE:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if config.quantize is Quantization.FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    elif config.quantize is Quantization.INT8:
        operators = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, builtins]
    elif config.quantize is Quantization.INT16X8:
        operators = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            builtins,
        ]
    converter.target_spec.supported_ops = operators + [select] * config.allow_select_ops
    if config.io_dtype != "float32":
        converter.inference_input_type = tf.as_dtype(config.io_dtype)
        converter.inference_output_type = tf.as_dtype(config.io_dtype)
    converter._experimental_disable_per_channel_quantization_for_dense_layers = (
        not config.per_channel_dense
    )


def _representative(calibration: Mapping[str, Batches], model: Traced) -> Callable[[], Any]:
    """The samples in the form that the converter expects."""
    if len(model.functions) == 1:
        (key,) = model.functions
        return calibration[key]

    def samples() -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
        for key in sorted(model.functions):
            for batch in calibration[key]():
                yield key, batch

    return samples


def labelled(tflite: bytes, source: LoadedModel, config: Convert) -> bytes:
    """Writes into a file what it is and where it comes from.

    Args:
        tflite: the file.
        source: the model.
        config: how it was converted.
    """
    name = config.name or source.name
    return with_facts(
        with_description(tflite, f"{name}, converted by tflite_squeeze {__version__}"),
        name=name,
        version=__version__,
        labels=list(config.labels),
        source_sha256=source.sha256,
        quantize=config.quantize.value,
    )


def island_notes(islands: tuple[str, ...], config: Convert) -> tuple[str, ...]:
    """What a report says about the operators of an integer file that compute in floats.

    Args:
        islands: what `float_operators` found.
        config: how it was converted.
    """
    if not islands:
        return ()
    shown = ", ".join(islands[:5]) + (" …" if len(islands) > 5 else "")
    return (
        f"not fully integer: {len(islands)} operators of the {config.quantize.value} file compute "
        f"in floating point: {shown}",
    )
