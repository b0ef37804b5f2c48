"""Converts a Keras model, or a `.tflite` file of floats, to a verified `.tflite` file."""

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.conversion.calibration import calibrated_source, calibration_batches
from tflite_squeeze.conversion.few_bits import with_few_bits
from tflite_squeeze.conversion.mixed.chosen_bits import with_chosen_bits
from tflite_squeeze.conversion.mixed.mixed import mixed
from tflite_squeeze.conversion.planned import Twin, planned
from tflite_squeeze.conversion.record import ConvertRecord, Source
from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.emission import Made, made
from tflite_squeeze.emission.endpoints import endpoints_of, fixed_specs
from tflite_squeeze.emission.low_bit.emit import FEW_WEIGHTS
from tflite_squeeze.emission.quantization import Quantization, uncalibrated
from tflite_squeeze.emission.quantized import (
    config_for_twin,
    is_quantized_twin,
    stand_in_batches,
)
from tflite_squeeze.emission.shared_values.record import shared_in_file
from tflite_squeeze.emission.sparse.decision import Decided, with_best_encoding
from tflite_squeeze.emission.trace import prepared
from tflite_squeeze.errors import CheckFailed, RuntimeFailure, UsageError
from tflite_squeeze.files.files import check_output, write_atomically
from tflite_squeeze.network.loading import LoadedModel, ModelKind, load_model
from tflite_squeeze.tflite.attached import attached_files, with_attached_files
from tflite_squeeze.tflite.flatbuffer import count_operators
from tflite_squeeze.tflite.signatures import quantization_name
from tflite_squeeze.tflite.size import size_ledger
from tflite_squeeze.tflite.tidy import with_facts
from tflite_squeeze.training.progress import Working, printed
from tflite_squeeze.verification.record import Verify, VerifyRecord, refused_record
from tflite_squeeze.verification.remedy import mixed_command
from tflite_squeeze.verification.verify import held_to, verify, why_unverifiable

_NOT_ASKED = "the check was left out, as asked"
_NONE_IN_INTEGERS = (
    f"all weights stay in float32: none has {FEW_WEIGHTS:,} numbers or more, and smaller ones are "
    f"not worth it"
)
# What a conversion to int8 was told that one to mixed is to be told, too.
_SETTINGS = {
    "calibrate", "keep_float", "io_dtype", "batch", "per_channel_dense", "name",
    "calibration_samples",
}  # fmt: skip
_NONE_IN_FLOAT = (
    "no operator computes in float: the converter merged what keep_float names into others"
)


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A converted file and its record.

    Attributes:
        tflite: the file's bytes.
        record: what was done, and what the check found.
        chatter: all that TensorFlow's converter printed.
    """

    tflite: bytes
    record: ConvertRecord
    chatter: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return self.record._repr_html_()

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Writes the file, unless it failed its check.

        Args:
            path: where to write.
            force: whether an existing file may be replaced.

        Returns:
            The path.

        Raises:
            CheckFailed: it did not pass; it is then written beside the path, as `.rejected.tflite`.
            OutputError: it cannot be written.
        """
        path = Path(path)
        if self.record.passed:
            write_atomically(path, self.tflite, force=force)
            return path
        check_output(path, force=force)
        rejected = rejected_path(path)
        write_atomically(rejected, self.tflite, force=True)
        raise _rejection(self.record, path, rejected)


def rejected_path(path: Path) -> Path:
    """Where a file that failed its check is written.

    Example:
        >>> rejected_path(Path("out/model.tflite")).name
        'model.rejected.tflite'
    """
    return path.with_name(f"{path.name.removesuffix('.tflite')}.rejected.tflite")


@checked_arguments
def convert(
    model: Any,
    config: Convert | None = None,
    data: Any = None,
    *,
    verification: Verify | None = Verify(),  # noqa: B008  # frozen
    working: Working | None = None,
) -> Converted:
    """Converts a model and checks that the file gives the model's outputs.

    Args:
        model: a model of either version of Keras, a SavedModel, concrete functions, the bytes of
            a `.tflite` file of floats, or a path.
        config: how to convert; float32 with a batch of 1 by default.
        data: real samples to calibrate and verify on: `Data`, or anything `load_data` takes.
            Without them int8 and int16x8 are refused, and the check runs on random numbers.
        verification: the limits for the file; None leaves the check out.
        working: told of the progress of a search for layers that stay in float: what is done, how
            many steps, of how many.

    Returns:
        The file and its record, whether it passed or not; `Converted.save` writes a file that
        passed only.

    Raises:
        InputError: the model or the data cannot be used.
        UnsupportedError: the model uses what TFLite lacks.

    Example:
        >>> converted = convert("models/lenet_5.keras", Convert(quantize="float16"))
        >>> converted.save("lenet_5.tflite")
    """
    config = config or Convert()
    # What can be refused without the model is refused before it is loaded.
    if config.quantize.calibrates and data is None and config.plan is None:
        raise uncalibrated(config.quantize)
    if config.plan is not None and config.weight_bits is not None:
        raise UsageError(
            f"weight_bits {config.weight_bits} and a plan, which gives bits to each weight: leave "
            f"one of them out"
        )
    samples = None if data is None else load_data(data)
    source, notes = prepared(load_model(model))
    if source.kind is ModelKind.TFLITE:
        config = _config_for_file(source, config)
    if samples is not None and not config.labels and samples.class_names:
        config = config.model_copy(update={"labels": samples.class_names})
    started = time.perf_counter()

    def build(given: Twin, samples: Data | None, limits: Verify | None) -> Converted:
        return _built(source, notes, given, samples, limits, started)

    if config.weight_bits == "auto":
        tell = working or printed(0)
        return with_chosen_bits(source, config, samples, verification, build, tell)
    if config.quantize is Quantization.MIXED:
        if samples is None or verification is None:
            raise UsageError("--quantize mixed chooses by the check: leave --no-verify out")
        return mixed(source, config, samples, verification, build, working or printed(0))
    return build(_given(source, config, samples), samples, verification)


def _built(
    source: LoadedModel,
    notes: tuple[str, ...],
    given: Twin,
    samples: Data | None,
    verification: Verify | None,
    started: float,
) -> Converted:
    """The file of what is converted in a model's place, and its check."""
    config, seen, calibration = given.config, {"twin": given.examples}, None
    if is_quantized_twin(given.source):
        config = config_for_twin(given.source, config)
    if config.quantize.calibrates and samples is not None:
        calibration = calibration_batches(given.source, config, samples, seen)
    elif is_quantized_twin(given.source):
        calibration = stand_in_batches(given.source, config)
    file = made(given.source, config, calibration, given.grids)
    # What LiteRT does not run cannot be measured in it.
    sparsity = config.sparsity if config.runtime == "litert" else "dense"
    decided = with_best_encoding(_with_more_facts(file, samples), sparsity)
    if source.kind is ModelKind.TFLITE:
        whole = with_attached_files(decided.tflite, attached_files(source.model))
        decided = replace(decided, tflite=whole)
    seconds = time.perf_counter() - started
    about = _about(source, config, samples)
    told = (*notes, *given.notes, *about.get("notes", ()), *file.emitted.notes)
    if config.keep_float and not file.emitted.float_operators:
        told = (*told, _NONE_IN_FLOAT)
    dynamic = config.quantize is Quantization.DYNAMIC and config.runtime == "litert"
    if dynamic and quantization_name(decided.tflite) == Quantization.NONE.value:
        told = (*told, _NONE_IN_INTEGERS)
    record = ConvertRecord(
        source=source_of(source),
        config=config,
        calibration_examples=max(seen.values(), default=0),
        calibration=given.record,
        data=about,
        notes=tuple(dict.fromkeys(told)),
        convert_seconds=seconds,
        **_told_by_file(file, decided),
    )
    converted = Converted(tflite=decided.tflite, record=record, chatter=file.emitted.chatter)
    unverified = _NOT_ASKED if verification is None else why_unverifiable(decided.tflite)
    if verification is None or unverified:
        unchecked = record.model_copy(update={"unverified": unverified})
        return replace(converted, record=unchecked)
    return _verified(converted, source, samples, verification)


def _config_for_file(source: LoadedModel, config: Convert) -> Convert:
    """The options for a `.tflite` file, with the batch that it has.

    Raises:
        UsageError: an option asks for what only a model can give.
    """
    what = f"{source.path or source.name} is a .tflite file"
    if config.allow_select_ops:
        raise UsageError(f"{what}, whose operators stay as they are: leave --allow-select-ops out")
    if config.input_shapes:
        raise UsageError(
            f"{what}, which keeps its shapes: leave --input-shape out, or convert the Keras model"
        )
    batches = {
        spec.shape[0]
        for endpoint in endpoints_of(source)
        for spec in endpoint.inputs.values()
        if spec.shape.rank
    }
    batch = "dynamic" if None in batches or not batches else min(batches)
    if "batch" in config.model_fields_set and config.batch != batch:
        raise UsageError(
            f"{what} with a batch of {batch}, which stays: leave --batch {config.batch} out, or "
            f"convert the Keras model"
        )
    update: dict[str, Any] = {"batch": batch}
    if config.plan is not None:
        update["quantize"] = Quantization.INT8
    return config.model_copy(update=update)


def _given(source: LoadedModel, config: Convert, samples: Data | None) -> Twin:
    """The model that is converted: quantized here, if so asked, or as it is."""
    if config.weight_bits is not None and config.weight_bits != "auto":
        return with_few_bits(source, config, config.weight_bits, samples)
    if source.kind is ModelKind.TFLITE:
        return Twin(source=source, config=config)
    if config.plan is not None or config.keep_float or config.keep_int16:
        return planned(source, config, samples)
    if is_quantized_twin(source) or config.calibrate is None or samples is None:
        return Twin(source=source, config=config)
    made_here, record = calibrated_source(source, config, samples)
    return Twin(source=made_here, config=config, record=record)


def _told_by_file(file: Made, decided: Decided) -> dict[str, Any]:
    """Fields of a record that are read from the file itself."""
    return {
        "sha256": hashlib.sha256(decided.tflite).hexdigest(),
        "size": size_ledger(decided.tflite),
        "operators": count_operators(decided.tflite),
        "float_operators": file.emitted.float_operators,
        "sparsity": decided.record,
        "low_bit": file.low_bit,
        "narrowed": tuple(file.narrowed),
        "few_bits": tuple(file.few_bits),
        "sharing": shared_in_file(decided.tflite, file.kernels, file.tensors),
    }


def _verified(
    converted: Converted, source: LoadedModel, samples: Data | None, verification: Verify
) -> Converted:
    """The same, with the comparison in its record."""
    quantization = converted.record.config.quantize
    if source.kind is ModelKind.TFLITE and quantization is Quantization.NONE:
        quantization = held_to(quantization_name(converted.tflite))
    if converted.record.low_bit is not None and converted.record.low_bit.stored:
        quantization = Quantization.DYNAMIC
    try:
        found = verify(source, converted.tflite, samples, verification, quantization=quantization)
    except RuntimeFailure as error:
        found = refused_record(verification, quantization, str(error))
    return replace(converted, record=converted.record.model_copy(update={"verification": found}))


def _with_more_facts(file: Made, samples: Data | None) -> bytes:
    """The file with the type of few-bit weights, and what raw values go through before it."""
    facts: dict[str, Any] = {}
    if file.low_bit is not None and file.low_bit.stored:
        facts["weights"] = file.low_bit.stored
    if samples is not None and samples.preprocessing.changes_values:
        facts["preprocessing"] = samples.preprocessing.model_dump(
            mode="json", exclude_defaults=True
        )
    return with_facts(file.tflite, **facts) if facts else file.tflite


def _about(source: LoadedModel, config: Convert, samples: Data | None) -> dict[str, Any]:
    """Where the samples come from and what was done to them on the way to the model."""
    if samples is None:
        return {}
    specs = fixed_specs(endpoints_of(source)[0], config.batch, config.input_shapes)
    return samples.fitted_to(specs).describe()


def source_of(source: LoadedModel) -> Source:
    """What a record says about a model."""
    size = None
    if source.path is not None and source.path.is_file():
        size = source.path.stat().st_size
    elif source.path is not None:
        size = sum(file.stat().st_size for file in source.path.rglob("*") if file.is_file())
    return Source(
        name=source.name,
        kind=source.kind.value,
        sha256=source.sha256,
        path=str(source.path) if source.path else None,
        model_bytes=size,
    )


def _rejection(record: ConvertRecord, path: Path, rejected: Path) -> CheckFailed:
    """Why there is no file at the path."""
    found = record.verification
    if found is None:
        raise ValueError("a file without a check cannot have failed it")
    where = f"; it diverges first at {found.diverges_at}" if found.diverges_at else ""
    remedy, command = _remedy(record, found, path)
    return CheckFailed(
        f"{path} was not written, the file failed its check ({'; '.join(found.failures)}){where}: "
        f"see {rejected}, {remedy}",
        command=command,
    )


def _remedy(record: ConvertRecord, check: VerifyRecord, path: Path) -> tuple[str, str]:
    """What to try when a file failed its check, and the command of it where there is one."""
    config = record.config
    if record.mixed is not None:
        return "loosen the limits, or use --quantize float16", ""
    if config.weight_bits is not None:
        more = "leave --weight-bits out" if config.weight_bits == 8 else "use --weight-bits 8"
        return f"{more}, or loosen the limits" if record.data else f"pass --data, or {more}", ""
    if config.plan is not None and not config.keep_float:
        return "and edit the plan", ""
    if config.quantize is Quantization.INT8:
        settings = config.model_dump(include=_SETTINGS, exclude_defaults=True)
        command = mixed_command(check, record.source.path, path, settings)
        return "and keep in float what needs it:", command
    if config.quantize.calibrates:
        return "calibrate on more data, or try another --quantize", ""
    other = "loosen the limits" if check.real_samples else "pass --data for real samples"
    return f"{other}, or try another --quantize", ""
