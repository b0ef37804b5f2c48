"""A model, or the file that another came from, and the file on the same samples."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.endpoints import Endpoint, endpoints_of
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.state import fresh_states, stateful_layers
from tflite_squeeze.emission.trace import prepared
from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.files.tflite_file import read_tflite
from tflite_squeeze.network.larq_library import is_larq_model
from tflite_squeeze.network.loading import LoadedModel, ModelKind, load_model
from tflite_squeeze.runtime.larq_files import is_larq_file
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import read_model, select_operators
from tflite_squeeze.tflite.signatures import (
    LEGACY_UINT8,
    FileSignature,
    matched_names,
    quantization_name,
    signatures_of,
)
from tflite_squeeze.tflite.structure import structural_faults
from tflite_squeeze.verification.labels import labels_by_output
from tflite_squeeze.verification.record import (
    OutputFidelity,
    TensorFidelity,
    Tolerance,
    Verify,
    VerifyRecord,
    chance_notes,
    compare_output,
    failures_of,
    lost_notes,
    tolerance_of,
)
from tflite_squeeze.verification.reference import (
    Samples,
    divergence,
    first_collapse,
    random_samples,
    reference_outputs,
)

# Without real samples nothing is learnt by running many.
_RANDOM_SAMPLES = 16
_LEGACY = "the file has legacy uint8 quantization; the limits are those of int8"
_RANDOM = "verified on random numbers, since no data was given: pass --data for real samples"
_IN_ORDER = "model and file keep their state: both ran the samples in order, one after another"


@dataclass
class _Comparison:
    """One signature: how its names match, what it ran on, what came out."""

    endpoint: Endpoint
    there: FileSignature
    inputs: dict[str, str]
    specs: dict[str, tf.TensorSpec]
    samples: Samples
    outputs: list[OutputFidelity] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input in the file, batch included."""
        return {name: self.there.inputs[other] for name, other in self.inputs.items()}


@checked_arguments
def verify(
    model: Any,
    tflite: bytes | str | Path,
    data: Any = None,
    config: Verify | None = None,
    *,
    quantization: Quantization | None = None,
) -> VerifyRecord:
    """Checks that a file gives the same outputs as the model that it came from.

    Args:
        model: the model, a `.tflite` file before it was changed, or a path to either.
        tflite: the file, or a path to it.
        data: real samples: `Data`, or anything that `load_data` takes; random ones when None.
        config: the limits for the file.
        quantization: the file's quantization; read from its tensors when None.

    Returns:
        The record. `passed` is true if the file meets the tolerance; when it does not,
        `diverges_at` names the first tensor whose SQNR collapses.

    Raises:
        InputError: model, file and data do not match.
        UnsupportedError: the file has TensorFlow operators, which the runtime here lacks.
        RuntimeFailure: the runtime cannot run the file.

    Example:
        >>> verify("models/lenet_5.keras", "lenet_5.tflite", "models/samples/fashion-mnist.npz")
    """
    started = time.perf_counter()
    config = config or Verify()
    source, notes = prepared(load_model(model))
    content = tflite if isinstance(tflite, bytes) else read_tflite(tflite)
    for one in (content, source.model):
        if isinstance(one, bytes) and (reason := why_unverifiable(one)):
            raise UnsupportedError(f"the file cannot be verified here: {reason}")
    samples = None if data is None else load_data(data)
    found = quantization_name(content)
    kind = quantization or held_to(found)
    larq = is_larq_file(content)
    binary = larq or is_larq_model(source.model)
    tolerance = tolerance_of(config, kind, binary=binary)
    by_prediction = binary or bool(config.min_agreement)
    comparisons = [
        _begun(endpoint, there, samples, config)
        for endpoint, there in _pairs(endpoints_of(source), signatures_of(content))
    ]
    keeps_state = bool(stateful_layers(source))
    for comparison in comparisons:
        with fresh_states(source):
            reference = _reference(source, comparison, threads=config.threads)
        answers = _file_outputs(comparison, content, threads=config.threads, stream=keeps_state)
        _compare(comparison, reference, answers, tolerance, by_prediction=by_prediction)
    outputs = tuple(item for comparison in comparisons for item in comparison.outputs)
    differences = failures_of(outputs, tolerance, kind)
    failures = (*differences, *structural_faults(read_model(content)))
    tensors: tuple[TensorFidelity, ...] = ()
    more: tuple[str, ...] = ()
    if differences and not larq:
        bad = next(item for item in comparisons if failures_of(tuple(item.outputs), tolerance))
        tensors, more = _divergence(source, content, bad)
    real = all(comparison.samples.real for comparison in comparisons)
    told = (
        *notes,
        *((_LEGACY,) if found == LEGACY_UINT8 else ()),
        *(note for item in comparisons for note in item.samples.about.get("notes", ())),
        *(note for item in comparisons for note in item.notes),
        *more,
        *(() if real else (_RANDOM,)),
        *((_IN_ORDER,) if keeps_state else ()),
        *lost_notes(outputs, tolerance, kind),
        *chance_notes(outputs, tolerance.max_drop),
    )
    return VerifyRecord(
        passed=not failures,
        failures=failures,
        tolerance=tolerance,
        quantization=kind,
        examples=max(_count(comparison.samples) for comparison in comparisons),
        real_samples=real,
        data=comparisons[0].samples.about,
        outputs=outputs,
        tensors=tensors,
        diverges_at=first_collapse(tensors, tolerance.min_sqnr_db, tolerance.min_part_db),
        notes=tuple(dict.fromkeys(told)),
        seconds=time.perf_counter() - started,
    )


def held_to(found: str) -> Quantization:
    """The quantization whose limits a file is held to.

    Args:
        found: the file's own, as `quantization_name` says it.
    """
    return Quantization("int8" if found == LEGACY_UINT8 else found)


def why_unverifiable(tflite: bytes) -> str | None:
    """Why no runtime here can run a file, or None when one can.

    Raises:
        InputError: the file is damaged.
    """
    select = select_operators(tflite)
    if not select:
        return None
    return (
        f"it needs the Flex delegate for {', '.join(select)}, and the LiteRT runtime has none: "
        f"check it on the device, or with TensorFlow's own interpreter"
    )


def _count(samples: Samples) -> int:
    return len(next(iter(samples.inputs.values())))


def _pairs(
    endpoints: list[Endpoint], present: list[FileSignature]
) -> list[tuple[Endpoint, FileSignature]]:
    """Maps the model's signatures to the file's."""
    if len(endpoints) == len(present) == 1:
        return [(endpoints[0], present[0])]
    by_name = {signature.name: signature for signature in present}
    missing = [endpoint.name for endpoint in endpoints if endpoint.name not in by_name]
    if missing:
        raise InputError(
            f"the file has no signature {', '.join(missing)}; it has "
            f"{', '.join(str(name) for name in by_name)}: verify the file with its own model"
        )
    return [(endpoint, by_name[endpoint.name]) for endpoint in endpoints]


def _begun(
    endpoint: Endpoint, there: FileSignature, data: Data | None, config: Verify
) -> _Comparison:
    """What the model and the file are both to be run on."""
    inputs = matched_names(
        {name: _known(spec.shape) for name, spec in endpoint.inputs.items()},
        {name: shape[1:] for name, shape in there.inputs.items()},
        "input",
    )
    examples = {
        name: _example(spec, there.inputs[inputs[name]]) for name, spec in endpoint.inputs.items()
    }
    specs = {
        name: tf.TensorSpec([None, *examples[name]], spec.dtype, name=name)
        for name, spec in endpoint.inputs.items()
    }
    samples = _samples(endpoint, specs, examples, data, config)
    return _Comparison(endpoint=endpoint, there=there, inputs=inputs, specs=specs, samples=samples)


def _reference(source: LoadedModel, begun: _Comparison, *, threads: int) -> dict[str, NDArray[Any]]:
    """What the model answers, or the file that stands for it."""
    if source.kind is ModelKind.TFLITE:
        name = begun.endpoint.name or None
        given = begun.samples.inputs
        return run_file(source.model, given, signature=name, threads=threads).outputs
    return reference_outputs(begun.endpoint, begun.specs, begun.samples.inputs)


def _file_outputs(
    begun: _Comparison, tflite: bytes, *, threads: int, stream: bool
) -> dict[str, NDArray[Any]]:
    """What the file answers; with `stream`, from one run to the next as the model goes on."""
    given = {begun.inputs[name]: array for name, array in begun.samples.inputs.items()}
    return run_file(
        tflite, given, signature=begun.there.name, threads=threads, stream=stream
    ).outputs


def _compare(
    begun: _Comparison,
    reference: dict[str, NDArray[Any]],
    found: dict[str, NDArray[Any]],
    tolerance: Tolerance,
    *,
    by_prediction: bool,
) -> None:
    """Lays the outputs of model and file beside each other."""
    names = matched_names(
        {name: array.shape[1:] for name, array in reference.items()},
        {name: array.shape[1:] for name, array in found.items()},
        "output",
    )
    labels, begun.notes = labels_by_output(begun.samples.labels, reference)
    begun.outputs = [
        compare_output(
            begun.endpoint.name,
            name,
            reference[name],
            found[other],
            labels.get(name),
            by_prediction=by_prediction,
            least_part_db=tolerance.min_part_db,
        )
        for name, other in names.items()
    ]


def _known(shape: tf.TensorShape) -> tuple[int, ...]:
    """The shape of one example, -1 where open."""
    return tuple(-1 if size is None else int(size) for size in shape[1:])


def _example(spec: tf.TensorSpec, there: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one example: the model's, and the file's where the model leaves it open."""
    return tuple(
        int(size) if size is not None else max(other, 1)
        for size, other in zip(spec.shape[1:], there[1:], strict=True)
    )


def _samples(
    endpoint: Endpoint,
    specs: dict[str, tf.TensorSpec],
    examples: dict[str, tuple[int, ...]],
    data: Data | None,
    config: Verify,
) -> Samples:
    if data is None:
        return random_samples(endpoint, examples, _RANDOM_SAMPLES)
    fitted = data.fitted_to(specs)
    sample = fitted.sample("validation", config.samples)
    return Samples(inputs=sample.inputs, labels=sample.labels, about=fitted.describe())


def _divergence(source: LoadedModel, tflite: bytes, bad: _Comparison) -> tuple[Any, Any]:
    """The comparison inside the file, for the signature that failed."""
    shapes = {
        name: (max(shape[0], 1), *shape[1:])
        for name, shape in bad.shapes.items()
        if shape and -1 not in shape[1:]
    }
    return divergence(
        source,
        tflite,
        bad.samples.inputs,
        bad.inputs,
        (bad.endpoint.name, bad.there.name),
        Convert(input_shapes=shapes),
    )
