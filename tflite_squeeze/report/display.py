"""What a notebook shows of each kind of record: its tables, and pictures where it has some."""

from collections.abc import Callable, Iterable
from typing import Any

from tflite_squeeze.compress.binarize_record import BinarizeRecord
from tflite_squeeze.compress.cluster_record import ClusterRecord
from tflite_squeeze.compress.distill_record import DistillRecord
from tflite_squeeze.compress.factorize_record import FactorizeRecord
from tflite_squeeze.compress.l0_record import L0Record
from tflite_squeeze.compress.narrow_record import NarrowRecord
from tflite_squeeze.compress.records import PruneRecord, StepRecord
from tflite_squeeze.compress.sensitivity_record import SensitivityRecord
from tflite_squeeze.export.android_record import AndroidRecord
from tflite_squeeze.export.micro_record import MicroExportRecord
from tflite_squeeze.measure.compare_record import CompareRecord
from tflite_squeeze.measure.conversion import ConvertRecord
from tflite_squeeze.measure.doctor import DoctorRecord
from tflite_squeeze.measure.ethos_u_record import EthosURecord
from tflite_squeeze.measure.graph_record import InspectRecord
from tflite_squeeze.measure.low_bit import LowBitRecord
from tflite_squeeze.measure.micro_record import MicroRecord
from tflite_squeeze.measure.packing import PackRecord
from tflite_squeeze.measure.profile_record import ProfileRecord
from tflite_squeeze.measure.size import SizeLedger
from tflite_squeeze.measure.sparsity import SparsityRecord
from tflite_squeeze.measure.verify import VerifyRecord
from tflite_squeeze.report.android_tables import android_tables
from tflite_squeeze.report.binarize_tables import binarize_tables
from tflite_squeeze.report.cluster_tables import cluster_tables
from tflite_squeeze.report.compare_tables import compare_tables
from tflite_squeeze.report.convert_tables import convert_tables
from tflite_squeeze.report.distill_tables import distill_tables
from tflite_squeeze.report.doctor_tables import doctor_tables
from tflite_squeeze.report.ethos_u_tables import ethos_u_tables
from tflite_squeeze.report.factorize_tables import factorize_tables
from tflite_squeeze.report.history_plot import history_plot
from tflite_squeeze.report.html import to_html
from tflite_squeeze.report.inspect_tables import inspect_tables
from tflite_squeeze.report.l0_tables import l0_tables
from tflite_squeeze.report.low_bit_tables import low_bit_tables
from tflite_squeeze.report.micro_tables import micro_export_tables, micro_tables
from tflite_squeeze.report.narrow_tables import narrow_tables
from tflite_squeeze.report.pack_tables import pack_tables
from tflite_squeeze.report.plots import operator_plot
from tflite_squeeze.report.profile_tables import profile_tables
from tflite_squeeze.report.prune_tables import prune_tables
from tflite_squeeze.report.sensitivity_tables import sensitivity_plot, sensitivity_tables
from tflite_squeeze.report.size_tables import size_tables
from tflite_squeeze.report.sparsity_tables import sparsity_tables
from tflite_squeeze.report.squeeze_plots import steps_plot, tensors_plot
from tflite_squeeze.report.squeeze_report import Report
from tflite_squeeze.report.squeeze_tables import squeeze_tables
from tflite_squeeze.report.table import Table
from tflite_squeeze.report.verify_tables import verify_tables

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
            f"{type(record).__name__} has no tables: add them to tflite_squeeze.report.display"
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
