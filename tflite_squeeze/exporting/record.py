"""What came of an export to ONNX."""

from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.exporting.config import ExportOnnx
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tables.displayed import Displayed


class OnnxEndpoint(Frozen):
    """An input or an output of the file.

    Attributes:
        name: as in the model.
        dtype: of NumPy.
        shape: batch first; -1 where it is open.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


class OnnxAgreement(Frozen):
    """How far an output is from what it was made from.

    Attributes:
        output: its name.
        largest: the largest difference, relative to the largest value.
        step: the step of a quantized file's output, or 1/255 of its range; None for a float file.
        same: share of values that differ by less than half a step.
        largest_steps: the largest difference in steps.
        mean_steps: the mean difference in steps.
    """

    output: str
    largest: float
    step: float | None = None
    same: float | None = None
    largest_steps: float | None = None
    mean_steps: float | None = None


class OnnxExportRecord(Displayed):
    """How well an ONNX file agrees with the model or the `.tflite` file that it was made from.

    Attributes:
        config: the options.
        source: the model's name.
        beside: what it was compared with: "the model" or "the .tflite file".
        quantization: "none", or that of the `.tflite` file.
        sha256: of the file.
        raw_bytes: its size.
        download_bytes: its size after gzip -9.
        operators: how many it has of each type.
        inputs: in order.
        outputs: in order.
        agreement: by output.
        examples: how many it was checked on.
        batches: the batch sizes that were compared.
        evaluator: what computed the file.
        conversion: of the `.tflite` file, where it was made for this.
        notes: what was done on the way.
    """

    tables_by = ".tables:onnx_export_tables"

    config: ExportOnnx
    source: str
    beside: str
    quantization: str
    sha256: str
    raw_bytes: int
    download_bytes: int
    operators: dict[str, int]
    inputs: tuple[OnnxEndpoint, ...]
    outputs: tuple[OnnxEndpoint, ...]
    agreement: tuple[OnnxAgreement, ...]
    examples: int
    batches: tuple[int, ...]
    evaluator: str
    conversion: ConvertRecord | None = None
    notes: tuple[str, ...] = ()
