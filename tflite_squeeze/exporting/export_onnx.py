"""`export_onnx`: a model or a `.tflite` file in, a checked ONNX file out."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.data.data import Data, Part, load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.endpoints import Endpoint, fixed_specs
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.quantized import is_quantized_twin
from tflite_squeeze.emission.trace import prepared
from tflite_squeeze.errors import CheckFailed, SqueezeError, UsageError
from tflite_squeeze.exporting.checking import Evaluator, check, evaluator, refuse_invalid
from tflite_squeeze.exporting.config import ExportOnnx
from tflite_squeeze.exporting.ends import Ends
from tflite_squeeze.exporting.record import OnnxAgreement, OnnxEndpoint, OnnxExportRecord
from tflite_squeeze.exporting.tidying import with_open_batch
from tflite_squeeze.exporting.translation import (
    from_endpoint,
    from_tflite,
    in_deployed_form,
    only_endpoint,
)
from tflite_squeeze.files.files import write_atomically
from tflite_squeeze.network.loading import LoadedModel, ModelKind, load_model
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.signatures import quantization_name, signatures_of
from tflite_squeeze.tflite.size import download_bytes
from tflite_squeeze.verification.reference import random_samples, reference_outputs

if TYPE_CHECKING:
    from onnx import ModelProto

Arrays = dict[str, NDArray[Any]]

_QUANTIZED = (Quantization.INT8, Quantization.MIXED)
_FLOATS = ("none", "float16")
_BATCH_STAYS = (
    "the batch stays as it is in the .tflite file: with another one the graph computes something "
    "else"
)


@dataclass(frozen=True, kw_only=True)
class OnnxExport:
    """An ONNX file and its record.

    Attributes:
        content: the file's bytes.
        record: what was done, and what the check found.
    """

    content: bytes
    record: OnnxExportRecord

    def _repr_html_(self) -> str:
        return self.record._repr_html_()

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Writes the file.

        Args:
            path: where to write.
            force: whether an existing file may be replaced.

        Raises:
            OutputError: it cannot be written.
        """
        write_atomically(Path(path), self.content, force=force)
        return Path(path)


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A graph that has been checked."""

    model: "ModelProto"
    agreement: tuple[OnnxAgreement, ...]
    batches: tuple[int, ...]
    evaluator: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Check:
    """What a graph has to compute.

    Attributes:
        inputs: examples, (N, ...) by name.
        wanted: outputs of what it is made from, (N, ...) by name.
        config: the tolerances.
        name: of the model.
        ends: of the `.tflite` file that it is made from.
        quantized: whether that computes with integers.
    """

    inputs: Arrays
    wanted: Arrays
    config: ExportOnnx
    name: str
    ends: Ends | None = None
    quantized: bool = False

    @property
    def examples(self) -> int:
        """How many there are."""
        return len(next(iter(self.inputs.values())))

    def passed(self, model: "ModelProto") -> _Made:
        """A graph that computes the same, by itself and in a batch where that is open.

        Raises:
            CheckFailed: it does not, or is not valid.
            RuntimeFailure: it does not run.
        """
        refuse_invalid(model, self.name)
        said, evaluate = evaluator()
        size = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
        batches = (size,) if size else tuple(sorted({1, self.examples}))
        found = [self._compared(evaluate, model, batch) for batch in batches]
        worst = (max(column, key=lambda one: one.largest) for column in zip(*found, strict=True))
        return _Made(model=model, agreement=tuple(worst), batches=batches, evaluator=said)

    def _compared(
        self, evaluate: Evaluator, model: "ModelProto", batch: int
    ) -> tuple[OnnxAgreement, ...]:
        if self.ends is None:
            return check(
                evaluate(model, self.inputs, batch), self.wanted, None, self.config, self.name
            )
        answers = self.ends.dequantized(evaluate(model, self.ends.quantized(self.inputs), batch))
        steps = self.ends.steps if self.quantized else None
        return check(answers, self.wanted, steps, self.config, self.name)


@checked_arguments
def export_onnx(
    model: Any,
    config: ExportOnnx | None = None,
    data: Any = None,
    *,
    conversion: Convert | None = None,
) -> OnnxExport:
    """Exports a model to ONNX, in float or with the scales of its quantized `.tflite` file.

    A float file is made from the model itself, with normalisation folded and an open batch. A
    quantized one is made from the `.tflite` file of the same options, whose scales and integers
    it has in QuantizeLinear and DequantizeLinear.

    Args:
        model: a model of either version of Keras, a SavedModel, the bytes of a `.tflite` file, or
            a path.
        config: version of the operators, and tolerances.
        data: real samples to calibrate and to check on; random numbers when None.
        conversion: how the `.tflite` file is made whose scales the ONNX file has; None for float.

    Returns:
        The file and its record. Inputs keep the model's layout, images their channels last.

    Raises:
        InputError: the model or the data cannot be used.
        UsageError: the quantization has no ONNX form, or a package is missing.
        UnsupportedError: it has operators that ONNX does not have; all are named.
        CheckFailed: the file differs from what it was made from by more than the tolerance.

    Example:
        >>> exported = export_onnx("models/lenet_5.keras")
        >>> exported.record.agreement[0].largest < 1e-5
        True
    """
    chosen, conversion = config or ExportOnnx(), conversion or Convert()
    samples = None if data is None else load_data(data)
    source, notes = prepared(load_model(model))
    if source.kind is ModelKind.TFLITE:
        _refuse_conversion(source, conversion)
        return _of_file(source, source.model, chosen, samples, notes)
    if conversion.quantize in _QUANTIZED or conversion.plan or is_quantized_twin(source):
        # Stored as they are: ONNX has no sparse form, and no integers of fewer bits at its opsets.
        plain = conversion.model_copy(update={"sparsity": "dense", "low_bit": "off"})
        converted = convert(source, plain, samples)
        _refuse_failed(converted.record)
        return _of_file(source, converted.tflite, chosen, samples, notes, converted.record)
    if conversion.quantize is not Quantization.NONE:
        raise UsageError(
            f"--quantize {conversion.quantize.value} has no ONNX form with the same results: use "
            f"--quantize int8, or leave it out"
        )
    return _of_model(source, conversion, chosen, samples, notes)


def _refuse_conversion(source: LoadedModel, conversion: Convert) -> None:
    if conversion != Convert():
        raise UsageError(
            f"{source.path or source.name} is a .tflite file, whose quantization stays: leave the "
            f"options of the conversion out, or convert it first"
        )


def _refuse_failed(record: ConvertRecord) -> None:
    check = record.verification
    if check is not None and not check.passed:
        raise CheckFailed(
            f"the .tflite file of {record.source.name} failed its check "
            f"({'; '.join(check.failures)}): see tflite-squeeze convert for what helps"
        )


def _of_model(
    source: LoadedModel,
    conversion: Convert,
    config: ExportOnnx,
    samples: Data | None,
    notes: tuple[str, ...],
) -> OnnxExport:
    endpoint, network = only_endpoint(source), only_endpoint(in_deployed_form(source))
    specs = fixed_specs(endpoint, "dynamic", conversion.input_shapes)
    single = fixed_specs(endpoint, 1, conversion.input_shapes)
    inputs = _examples(endpoint, specs, samples, config)
    check = _Check(
        inputs=inputs,
        wanted=reference_outputs(endpoint, specs, inputs),
        config=config,
        name=source.name,
    )
    if specs == single:  # the model fixes its batch
        made = check.passed(from_endpoint(network, single, config.opset, source.name))
    else:
        # Traced for one example the graph has no operators that look for the batch.
        try:
            opened = with_open_batch(from_endpoint(network, single, config.opset, source.name))
            made = check.passed(opened)
        except SqueezeError:
            made = check.passed(from_endpoint(network, specs, config.opset, source.name))
    return _exported(source, made, check, notes=notes)


def _of_file(
    source: LoadedModel,
    tflite: bytes,
    config: ExportOnnx,
    samples: Data | None,
    notes: tuple[str, ...],
    conversion: ConvertRecord | None = None,
) -> OnnxExport:
    model = from_tflite(tflite, source.name, config.opset)
    file = LoadedModel(model=tflite, kind=ModelKind.TFLITE, name=source.name, sha256="")
    endpoint = only_endpoint(file)
    inputs = _examples(endpoint, endpoint.inputs, samples, config)
    quantization = quantization_name(tflite)
    check = _Check(
        inputs=inputs,
        wanted=run_file(tflite, inputs, signature=signatures_of(tflite)[0].name).outputs,
        config=config,
        name=source.name,
        ends=Ends.of(tflite),
        quantized=quantization not in _FLOATS,
    )
    try:
        made = check.passed(with_open_batch(model))
    except SqueezeError:
        made = replace(check.passed(model), notes=(_BATCH_STAYS,))
    return _exported(
        source, made, check, quantization=quantization, beside="the .tflite file",
        conversion=conversion, notes=notes,
    )  # fmt: skip


def _examples(endpoint: Endpoint, specs: Any, samples: Data | None, config: ExportOnnx) -> Arrays:
    """Real examples, or random numbers, (N, ...) by input name."""
    if samples is not None:
        part: Part = "validation" if samples.validation is not None else "train"
        return samples.fitted_to(specs).sample(part, config.samples).inputs
    shapes = {name: tuple(spec.shape[1:]) for name, spec in specs.items()}
    return random_samples(endpoint, shapes, config.samples).inputs


def _exported(
    source: LoadedModel,
    made: _Made,
    check: _Check,
    *,
    quantization: str = "none",
    beside: str = "the model",
    conversion: ConvertRecord | None = None,
    notes: tuple[str, ...] = (),
) -> OnnxExport:
    made.model.producer_name = "tflite_squeeze"
    content = made.model.SerializeToString()
    graph = made.model.graph
    record = OnnxExportRecord(
        config=check.config,
        source=source.name,
        beside=beside,
        quantization=quantization,
        sha256=hashlib.sha256(content).hexdigest(),
        raw_bytes=len(content),
        download_bytes=download_bytes(content),
        operators=dict(Counter(node.op_type for node in graph.node).most_common()),
        inputs=tuple(map(_endpoint, graph.input)),
        outputs=tuple(map(_endpoint, graph.output)),
        agreement=made.agreement,
        examples=check.examples,
        batches=made.batches,
        evaluator=made.evaluator,
        conversion=conversion,
        notes=(*notes, *made.notes),
    )
    return OnnxExport(content=content, record=record)


def _endpoint(value: Any) -> OnnxEndpoint:
    from onnx import helper

    kind = value.type.tensor_type
    return OnnxEndpoint(
        name=value.name,
        dtype=np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).name,
        shape=tuple(one.dim_value or -1 for one in kind.shape.dim),
    )
