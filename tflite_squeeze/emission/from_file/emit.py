"""A `.tflite` file as the source of a conversion: what it takes, and what it becomes."""

from collections.abc import Mapping

from tflite_squeeze.emission.chatter import Chatter
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.converter import Emitted, island_notes, labelled
from tflite_squeeze.emission.from_file.builtin import with_builtin_operators
from tflite_squeeze.emission.from_file.integers import calibrated
from tflite_squeeze.emission.from_file.kept import (
    kinds_in_integers,
    rounded_in_file,
    with_names,
    with_stored_kernels,
)
from tflite_squeeze.emission.from_file.planned import Wanted, wanted_of, with_wanted_ranges
from tflite_squeeze.emission.from_file.weights import (
    widened,
    with_float16_weights,
    with_int8_weights,
)
from tflite_squeeze.emission.quantization import Quantization, uncalibrated
from tflite_squeeze.emission.recurrent import with_sound_lstm_scales
from tflite_squeeze.emission.repairs import repaired
from tflite_squeeze.emission.wide.widened import refuse_wide_ends, with_wide_activations
from tflite_squeeze.errors import UnsupportedError, UsageError
from tflite_squeeze.network.loading import LoadedModel
from tflite_squeeze.runtime.observing import Batches
from tflite_squeeze.tflite.flatbuffer import metadata_of, with_metadata
from tflite_squeeze.tflite.signatures import float_operators, quantization_name

# What a converter says of its own conversion, and the oldest runtime for its own operators.
_CONVERTERS_OWN = frozenset({"CONVERSION_METADATA", "min_runtime_version"})


_TIDY_ONLY = (
    "pass the float file or the Keras model that it came from, or --quantize none to tidy it only"
)
_BY_TYPE = (
    "all operators {} compute in float: TensorFlow's quantizer does not know them by their names"
)
_WIDENED = (
    "{} constants of the file are float16 or sparse: they were stored as dense float32 first, "
    "which changes no value"
)


def emit_from_file(
    source: LoadedModel, config: Convert, calibration: Mapping[str, Batches] | None = None
) -> Emitted:
    """Quantizes a `.tflite` file.

    Args:
        source: the file.
        config: the options.
        calibration: by signature, a function that returns batches of real samples by input name,
            preprocessed, of exactly the shapes that the file takes; int8 and int16x8 only.

    Returns:
        The file with the source's signatures, names and metadata.

    Raises:
        UsageError: the file is quantized already, or a pattern matches nothing.
        InputError: there are no samples to calibrate on.
        UnsupportedError: the file has what cannot be quantized.
    """
    chatter, mode = Chatter(), config.quantize
    if mode is Quantization.NONE:
        return Emitted(tflite=labelled(source.model, source, config), notes=(), chatter=())
    plain, notes = floats_of(source, mode)
    islands: tuple[str, ...] = ()
    if mode is Quantization.FLOAT16:
        tflite, more = with_float16_weights(plain)
        notes = (*notes, *more)
    elif mode is Quantization.DYNAMIC:
        tflite = with_int8_weights(plain, per_channel_dense=config.per_channel_dense)
    else:
        if not calibration:
            raise uncalibrated(mode)
        wanted = Wanted()
        if config.keep_float or config.keep_int16 or config.plan is not None:
            plain = with_names(plain)
            wanted = wanted_of(plain, config)
        work = calibrated(plain, config, calibration, chatter)
        if mode is Quantization.INT8:
            work, steps, told = with_wanted_ranges(work, wanted, config, calibration)
            notes = (*notes, *told)
        kept = wanted.kept
        tflite = work.quantized(kept.operators)
        if stubborn := kinds_in_integers(plain, tflite, kept):
            tflite = work.quantized(kept.operators, stubborn)
            notes = (*notes, _BY_TYPE.format(", ".join(sorted(stubborn))))
        if rounded := rounded_in_file(tflite, kept):
            raise UnsupportedError(
                f"TensorFlow's quantizer rounds {', '.join(rounded[:3])} all the same: name what "
                f"is before or behind it with --keep-float, too"
            )
        islands = float_operators(tflite)
        tflite = with_stored_kernels(tflite, kept)
        if mode is Quantization.INT8:
            tflite = with_sound_lstm_scales(tflite)
        tflite = repaired(tflite)
        if wanted.wide:
            tflite = with_wide_activations(tflite, steps, plain, wanted.wide)
            refuse_wide_ends(tflite, config.io_dtype)
        tflite = _with_metadata_of(source.model, tflite)
        notes = (*notes, *chatter.worth_telling(), *island_notes(islands, config))
    return Emitted(
        tflite=labelled(tflite, source, config),
        notes=notes,
        chatter=tuple(chatter.lines),
        float_operators=islands,
    )


def floats_of(
    source: LoadedModel, mode: Quantization, *, remedy: str = _TIDY_ONLY
) -> tuple[bytes, tuple[str, ...]]:
    """The file in float32, and what had to change for that.

    Args:
        source: the file.
        mode: what it is to become.
        remedy: what to do with a quantized one, for the message.

    Raises:
        UsageError: it is quantized.
    """
    found = quantization_name(source.model)
    plain, count = widened(source.model)
    if quantization_name(plain) != "none" or found == mode.value:
        raise UsageError(
            f"model {source.path or source.name} is quantized already ({found}): {remedy}"
        )
    plain, replaced = with_builtin_operators(plain)
    notes = [_WIDENED.format(count)] if count else []
    return plain, (*notes, *replaced)


def _with_metadata_of(before: bytes, after: bytes) -> bytes:
    """The new file with what the old one says about itself."""
    kept = {
        name: content
        for name, content in metadata_of(before).items()
        if name not in _CONVERTERS_OWN
    }
    return with_metadata(after, kept) if kept else after
