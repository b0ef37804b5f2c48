"""What a notebook shows of each kind of record: its tables, and pictures where it has some."""

from collections.abc import Callable, Iterable
from typing import Any

from tflite_squeeze.android.record import AndroidRecord
from tflite_squeeze.android.tables import android_tables
from tflite_squeeze.comparison.record import CompareRecord
from tflite_squeeze.comparison.tables import compare_tables
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.conversion.tables import convert_tables
from tflite_squeeze.doctor.doctor import DoctorRecord
from tflite_squeeze.doctor.tables import doctor_tables
from tflite_squeeze.emission.low_bit.record import LowBitRecord
from tflite_squeeze.emission.low_bit.tables import low_bit_tables
from tflite_squeeze.emission.sparse.record import SparsityRecord
from tflite_squeeze.emission.sparse.tables import sparsity_tables
from tflite_squeeze.inspection.record import InspectRecord
from tflite_squeeze.inspection.tables import inspect_tables
from tflite_squeeze.microcontrollers.ethos_u_record import EthosURecord
from tflite_squeeze.microcontrollers.ethos_u_tables import ethos_u_tables
from tflite_squeeze.microcontrollers.export.record import MicroExportRecord
from tflite_squeeze.microcontrollers.export.tables import micro_export_tables
from tflite_squeeze.microcontrollers.record import MicroRecord
from tflite_squeeze.microcontrollers.tables import micro_tables
from tflite_squeeze.packing.record import PackRecord
from tflite_squeeze.packing.tables import pack_tables
from tflite_squeeze.profiling.plots import operator_plot
from tflite_squeeze.profiling.record import ProfileRecord
from tflite_squeeze.profiling.tables import profile_tables
from tflite_squeeze.recipes.plots import steps_plot, tensors_plot
from tflite_squeeze.recipes.report import Report
from tflite_squeeze.recipes.tables import squeeze_tables
from tflite_squeeze.tables.html import to_html
from tflite_squeeze.tables.table import Table
from tflite_squeeze.techniques.binarization.record import BinarizeRecord
from tflite_squeeze.techniques.binarization.tables import binarize_tables
from tflite_squeeze.techniques.distillation.tables import distill_tables
from tflite_squeeze.techniques.l0.record import L0Record
from tflite_squeeze.techniques.l0.tables import l0_tables
from tflite_squeeze.techniques.low_rank.record import FactorizeRecord
from tflite_squeeze.techniques.low_rank.tables import factorize_tables
from tflite_squeeze.techniques.narrowing.record import NarrowRecord
from tflite_squeeze.techniques.narrowing.tables import narrow_tables
from tflite_squeeze.techniques.pruning.record import PruneRecord
from tflite_squeeze.techniques.pruning.sensitivity.record import SensitivityRecord
from tflite_squeeze.techniques.pruning.sensitivity.tables import (
    sensitivity_plot,
    sensitivity_tables,
)
from tflite_squeeze.techniques.pruning.tables import prune_tables
from tflite_squeeze.techniques.sharing.record import ClusterRecord
from tflite_squeeze.techniques.sharing.tables import cluster_tables
from tflite_squeeze.tflite.size import SizeLedger
from tflite_squeeze.tflite.size_tables import size_tables
from tflite_squeeze.training.record import StepRecord
from tflite_squeeze.training.tables import history_plot
from tflite_squeeze.training.teaching.record import DistillRecord
from tflite_squeeze.verification.record import VerifyRecord
from tflite_squeeze.verification.tables import verify_tables

TABLES: dict[type, Callable[[Any], Iterable[Table]]] = {
    AndroidRecord: android_tables,
    BinarizeRecord: binarize_tables,
    ClusterRecord: cluster_tables,
    CompareRecord: compare_tables,
    ConvertRecord: convert_tables,
    DistillRecord: distill_tables,
    DoctorRecord: doctor_tables,
    EthosURecord: ethos_u_tables,
    FactorizeRecord: factorize_tables,
    InspectRecord: inspect_tables,
    L0Record: l0_tables,
    LowBitRecord: low_bit_tables,
    MicroExportRecord: micro_export_tables,
    MicroRecord: micro_tables,
    NarrowRecord: narrow_tables,
    PackRecord: lambda record: pack_tables("a file", record),
    ProfileRecord: profile_tables,
    PruneRecord: prune_tables,
    Report: squeeze_tables,
    SensitivityRecord: sensitivity_tables,
    SizeLedger: size_tables,
    SparsityRecord: sparsity_tables,
    VerifyRecord: verify_tables,
}


def html_of(record: object) -> str:
    """A record as a notebook shows it.

    Args:
        record: one of the kinds in `TABLES`.

    Raises:
        TypeError: it is of another kind.
    """
    try:
        tables = TABLES[type(record)]
    except KeyError:
        raise TypeError(
            f"{type(record).__name__} has no tables: add them to tflite_squeeze.cli.notebook"
        ) from None
    return to_html(tables(record), _pictures(record))


def _pictures(record: object) -> list[tuple[str, bytes]]:
    """What each picture shows in words, and the PNG."""
    if isinstance(record, ProfileRecord):
        return [("time of each operator", operator_plot(record))]
    if isinstance(record, SensitivityRecord):
        return [("quality against zeros, by weight", sensitivity_plot(record))]
    if isinstance(record, Report):
        return [
            ("quality and bytes by step", steps_plot(record)),
            ("bytes of each weight", tensors_plot(record)),
        ]
    if isinstance(record, StepRecord):
        curves = history_plot(record.history)
        return [] if curves is None else [("training by epoch", curves)]
    return []
