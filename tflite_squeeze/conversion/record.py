"""The record of a conversion."""

from typing import Any

from tflite_squeeze.conversion.mixed.bits_record import BitsRecord
from tflite_squeeze.conversion.mixed.record import MixedRecord
from tflite_squeeze.emission.calibration.record import CalibrationRecord
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.low_bit.record import FewBitTensor, LowBitRecord, NarrowedTensor
from tflite_squeeze.emission.shared_values.record import SharedInFile
from tflite_squeeze.emission.sparse.record import SparsityRecord
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.tflite.size import SizeLedger
from tflite_squeeze.verification.record import VerifyRecord


class Source(Frozen):
    """The model that was converted.

    Attributes:
        name: its name.
        kind: "keras", "tf_keras", "saved_model", "functions" or "tflite".
        sha256: hash of the file, or of configuration and weights of an object.
        path: the file that it was read from, if any.
        model_bytes: size of the file or folder, if it was read from one.
    """

    name: str
    kind: str
    sha256: str
    path: str | None = None
    model_bytes: int | None = None


class ConvertRecord(Displayed):
    """What a conversion did.

    Attributes:
        source: the model.
        config: the options.
        sha256: hash of the file.
        size: the file's size ledger.
        operators: how often each operator occurs.
        float_operators: in an integer file, the operators that still compute in floating point.
        calibration_examples: number of real samples that ranges were calibrated on.
        mixed: which layers were left in float, and why; None where that was not looked for.
        calibration: the steps that were tried; None where TensorFlow's converter calibrated.
        data: where they come from and how they were preprocessed.
        verification: the comparison with the model; None when there was none.
        unverified: why there was none; None when there is one.
        sparsity: how zeros among the weights were stored.
        low_bit: how weights with two or three values were stored; None without any.
        narrowed: integer weights that fit into 4 bits, and how they were stored.
        few_bits: float weights that were rounded to 8, 4 or 2 bits, beside float activations.
        bits: how many the weights of each layer got; None where that was not searched.
        sharing: how kernels whose weights share values were stored.
        notes: further notes.
        convert_seconds: time of the conversion, without loading.
    """

    tables_by = ".tables:convert_tables"

    source: Source
    config: Convert
    sha256: str
    size: SizeLedger
    operators: dict[str, int]
    float_operators: tuple[str, ...] = ()
    calibration_examples: int = 0
    mixed: MixedRecord | None = None
    calibration: CalibrationRecord | None = None
    data: dict[str, Any] = {}
    verification: VerifyRecord | None = None
    unverified: str | None = None
    sparsity: SparsityRecord | None = None
    low_bit: LowBitRecord | None = None
    narrowed: tuple[NarrowedTensor, ...] = ()
    few_bits: tuple[FewBitTensor, ...] = ()
    bits: BitsRecord | None = None
    sharing: tuple[SharedInFile, ...] = ()
    notes: tuple[str, ...] = ()
    convert_seconds: float

    @property
    def passed(self) -> bool:
        """Whether the file passed its check; true where there was none, as `unverified` says."""
        return self.verification is None or self.verification.passed
