"""The evidence: records that the verbs return, which show, save and load themselves."""

from tflite_squeeze.android.record import AndroidRecord as AndroidRecord
from tflite_squeeze.comparison.record import CompareRecord as CompareRecord
from tflite_squeeze.conversion.record import ConvertRecord as ConvertRecord
from tflite_squeeze.doctor.doctor import DoctorRecord as DoctorRecord
from tflite_squeeze.emission.low_bit.record import LowBitRecord as LowBitRecord
from tflite_squeeze.emission.sparse.record import SparsityRecord as SparsityRecord
from tflite_squeeze.exporting.record import OnnxExportRecord as OnnxExportRecord
from tflite_squeeze.importing.record import ImportRecord as ImportRecord
from tflite_squeeze.inspection.record import InspectRecord as InspectRecord
from tflite_squeeze.microcontrollers.ethos_u_record import EthosURecord as EthosURecord
from tflite_squeeze.microcontrollers.export.record import MicroExportRecord as MicroExportRecord
from tflite_squeeze.microcontrollers.record import MicroRecord as MicroRecord
from tflite_squeeze.packing.record import PackRecord as PackRecord
from tflite_squeeze.packing.record import pack_record as pack_record
from tflite_squeeze.profiling.record import ProfileRecord as ProfileRecord
from tflite_squeeze.recipes.report import Report as Report
from tflite_squeeze.search.record import TuneRecord as TuneRecord
from tflite_squeeze.tables.displayed import Displayed as Displayed
from tflite_squeeze.techniques.binarization.record import BinarizeRecord as BinarizeRecord
from tflite_squeeze.techniques.distillation.record import DistillRecord as DistillRecord
from tflite_squeeze.techniques.entropy.record import EntropyRecord as EntropyRecord
from tflite_squeeze.techniques.l0.record import L0Record as L0Record
from tflite_squeeze.techniques.low_rank.record import FactorizeRecord as FactorizeRecord
from tflite_squeeze.techniques.narrowing.record import NarrowRecord as NarrowRecord
from tflite_squeeze.techniques.pruning.record import PruneRecord as PruneRecord
from tflite_squeeze.techniques.pruning.sensitivity.record import (
    SensitivityRecord as SensitivityRecord,
)
from tflite_squeeze.techniques.quantization.record import QuantizeRecord as QuantizeRecord
from tflite_squeeze.techniques.sharing.record import ClusterRecord as ClusterRecord
from tflite_squeeze.tflite.quantization_plan import plan_of as plan_of
from tflite_squeeze.tflite.size import SizeLedger as SizeLedger
from tflite_squeeze.tflite.size import size_ledger as size_ledger
from tflite_squeeze.training.record import StepRecord as StepRecord
from tflite_squeeze.verification.record import VerifyRecord as VerifyRecord
