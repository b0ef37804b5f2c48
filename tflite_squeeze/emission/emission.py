"""Converts a model with the converter for its runtime, in as few bits per weight as pay off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tflite_squeeze.emission.chatter import Chatter
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.converter import Emitted, emit, labelled
from tflite_squeeze.emission.from_file.emit import emit_from_file
from tflite_squeeze.emission.larq import larq_file
from tflite_squeeze.emission.low_bit.decision import Packed, with_low_bits
from tflite_squeeze.emission.low_bit.dense_grids import with_dense_grids
from tflite_squeeze.emission.low_bit.emit import FEW_WEIGHTS, has_few_values
from tflite_squeeze.emission.low_bit.float_files import (
    has_other_weights,
    in_few_bits,
    left_in_float,
    with_float_weights,
)
from tflite_squeeze.emission.low_bit.float_forms import fastest_form
from tflite_squeeze.emission.low_bit.grids import Grid
from tflite_squeeze.emission.low_bit.narrowed import OPERATORS, narrowed
from tflite_squeeze.emission.low_bit.record import FewBitTensor, LowBitRecord, NarrowedTensor
from tflite_squeeze.emission.low_bit.stored_grids import with_stored_grids
from tflite_squeeze.emission.low_bit.weight_only import with_stored_weights
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.quantized import is_quantized_twin
from tflite_squeeze.emission.shared_values.kernels import SharedKernel, shared_kernels
from tflite_squeeze.emission.shared_values.scales import with_shared_scales
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.larq_library import is_larq_model
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.plan import WeightBits
from tflite_squeeze.runtime.observing import Batches
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.tidy import tidied, with_short_names
from tflite_squeeze.tflite.weights import weights_of


@dataclass(frozen=True, kw_only=True)
class Made:
    """A file before its zeros are looked at and before it is verified.

    Attributes:
        tflite: the file.
        emitted: the converter's result.
        low_bit: how weights with two or three values were stored; None without any.
        narrowed: integer weights that fit into 4 bits, and how they were stored.
        few_bits: float weights that were rounded, and how they were stored.
        kernels: those of the model that share few values.
        tensors: the tensor of each that was found in the file.
    """

    tflite: bytes
    emitted: Emitted
    low_bit: LowBitRecord | None = None
    narrowed: Sequence[NarrowedTensor] = ()
    few_bits: Sequence[FewBitTensor] = ()
    kernels: Sequence[SharedKernel] = ()
    tensors: Mapping[str, str] = field(default_factory=dict)


def made(
    source: LoadedModel,
    config: Convert,
    calibration: dict[str, Batches] | None,
    grids: Sequence[Grid] = (),
) -> Made:
    """Converts a model for the requested runtime.

    Scales keep shared values shared. Weights of two or three values are found in a float file
    only: the converter's dynamic mode rounds scales.

    Args:
        source: the model.
        config: the options.
        calibration: batches by signature, for the integer modes.
        grids: those that kernels of the model are on, in a file with activations in float.

    Raises:
        UsageError: the file is for Larq Compute Engine, and the model has no layers of Larq.
        UnsupportedError: the converter refuses the model.
        CheckFailed: few-bit weights are not exactly the trained ones.
    """
    if config.runtime == "larq":
        return _for_larq(source, config)
    if is_quantized_twin(source):
        return _of_twin(source, config, calibration)
    if config.weight_bits is not None and config.quantize is Quantization.DYNAMIC:
        bits = 8 if config.weight_bits == "auto" else config.weight_bits
        return _in_few_bits(source, config, bits, grids)
    emit_it = emit_from_file if source.kind is ModelKind.TFLITE else emit
    emitted, kernels = emit_it(source, config, calibration), shared_kernels(source)
    shared, tensors = with_shared_scales(emitted.tflite, kernels)
    tflite = tidied(shared)
    dynamic = config.quantize is Quantization.DYNAMIC
    if config.low_bit == "off" or not (dynamic or config.quantize is Quantization.NONE):
        plain = Made(tflite=tflite, emitted=emitted, kernels=kernels, tensors=tensors)
        return _in_fastest_form(plain, config)
    exact = tflite
    if dynamic and has_few_values(tflite):
        in_float = config.model_copy(update={"quantize": Quantization.NONE})
        exact = tidied(emit_it(source, in_float).tflite)
    packed = with_low_bits(exact, config.low_bit, config.quantize)
    if packed.record is None:
        packed = Packed(tflite=tflite, record=None)
    if is_larq_model(source.model):
        emitted = replace(emitted, notes=(*emitted.notes, _STOCK_NOTE))
    found = Made(
        tflite=packed.tflite,
        emitted=emitted,
        low_bit=packed.record,
        kernels=kernels,
        tensors=tensors,
    )
    return _in_fastest_form(found, config)


def _in_fastest_form(found: Made, config: Convert) -> Made:
    """A dynamic file whose operators multiply what is faster, where time counts."""
    if config.quantize is not Quantization.DYNAMIC or config.minimize != "latency":
        return found
    tflite, told = fastest_form(found.tflite)
    emitted = replace(found.emitted, notes=(*found.emitted.notes, *told))
    return replace(found, tflite=tflite, emitted=emitted)


def _in_few_bits(
    source: LoadedModel, config: Convert, bits: WeightBits, grids: Sequence[Grid]
) -> Made:
    """A file whose convolutions and Dense layers have weights in few bits.

    What else has weights, such as LSTM, gets those of the converter's dynamic mode.
    """
    plain = config.model_copy(update={"quantize": Quantization.NONE})
    from_file = source.kind is ModelKind.TFLITE
    emit_it = emit_from_file if from_file else emit
    emitted = emit_it(source, plain)
    base = tidied(emitted.tflite)
    if from_file or has_other_weights(base):  # and refuses files that are quantized already
        emitted = emit_it(source, config)
        base = with_float_weights(tidied(emitted.tflite), base)
    found = in_few_bits(base, bits, minimize=config.minimize, known=grids)
    left = _left_note(left_in_float(found.tflite))
    return Made(
        tflite=labelled(found.tflite, source, config),
        emitted=replace(emitted, notes=(*emitted.notes, *left)),
        few_bits=found.tensors,
    )


def _left_note(left: Mapping[str, int]) -> tuple[str, ...]:
    if not left:
        return ()
    counted = ", ".join(f"{count} of {name}" for name, count in left.items())
    return (
        f"matrices stay in float32, whatever --weight-bits says: {counted}, of fewer than "
        f"{FEW_WEIGHTS:,} numbers each, which are not worth it",
    )


def _of_twin(source: LoadedModel, config: Convert, calibration: dict[str, Batches] | None) -> Made:
    """The file of a quantized network: its integers, stored in as few bits as they need."""
    emitted, kernels = emit(source, config, calibration), shared_kernels(source)
    stored, left = with_stored_grids(emitted.tflite, source.model)
    gridded = with_dense_grids(stored, source.model, left)
    shared, tensors = with_shared_scales(gridded, kernels)
    tflite = tidied(shared)
    records: Sequence[NarrowedTensor] = ()
    if config.low_bit != "off":
        forced = config.low_bit in ("int2", "int4") or config.weight_bits is not None
        operators = OPERATORS if forced else ("FULLY_CONNECTED",)
        least_bits: Literal[4, 2] = 4 if config.low_bit == "int4" else 2
        tflite, records = narrowed(tflite, operators=operators, least_bits=least_bits)
    if config.weight_bits is not None and config.minimize == "bytes":
        tflite = tidied(with_short_names(tflite))
    return Made(tflite=tflite, emitted=emitted, kernels=kernels, tensors=tensors, narrowed=records)


_STOCK_NOTE = (
    "binary layers on the stock runtime: a weight takes 2 bits or 8 where Larq's takes 1, and "
    "products are multiplied where Larq's kernels compare bits"
)


def _for_larq(source: LoadedModel, config: Convert) -> Made:
    if not is_larq_model(source.model):
        raise UsageError(
            f"--runtime larq is for models with Larq's layers, and {source.name!r} has none: "
            f"binarize it first, or leave --runtime out"
        )
    chatter = Chatter()
    tflite, notes = larq_file(source.model, chatter)
    rounded = config.quantize is Quantization.DYNAMIC
    stored, more = with_stored_weights(tidied(tflite), rounded=rounded)
    emitted = Emitted(
        tflite=tflite,
        notes=(*notes, *more, *_bits_note(stored)),
        chatter=tuple(chatter.lines),
    )
    return Made(tflite=tidied(labelled(stored, source, config)), emitted=emitted)


def _bits_note(tflite: bytes) -> tuple[str, ...]:
    """What binary weights take, counted in the bytes of the file."""
    binary = [weight for weight in weights_of(read_model(tflite)) if weight.dtype == "bit"]
    if not binary:
        return ("no layer has binary weights and binary inputs: nothing is stored in single bits",)
    count, size = (
        sum(getattr(one, name) for one in binary) for name in ("elements", "stored_bytes")
    )
    return (
        f"{count:,} binary weights in {size:,} bytes: {8 * size / count:.2f} bits each, inputs "
        f"filled up to multiples of 32",
    )
