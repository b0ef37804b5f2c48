"""Make Keras models small and fast for phones and microcontrollers, and prove it.

Public names are loaded on first use, so that importing the package, or asking a command for its
help, loads no TensorFlow.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tflite_squeeze.displayed import display_with
from tflite_squeeze.version import __version__

if TYPE_CHECKING:
    from tflite_squeeze.compress.binarize import binarize as binarize
    from tflite_squeeze.compress.binarize_config import Binarize as Binarize
    from tflite_squeeze.compress.binarize_config import LayerQuantizers as LayerQuantizers
    from tflite_squeeze.compress.cluster_config import Cluster as Cluster
    from tflite_squeeze.compress.clustering_callback import ClusteringCallback as ClusteringCallback
    from tflite_squeeze.compress.distill import distill as distill
    from tflite_squeeze.compress.distill_config import Distill as Distill
    from tflite_squeeze.compress.distill_config import Hint as Hint
    from tflite_squeeze.compress.distiller import Distiller as Distiller
    from tflite_squeeze.compress.factorize_config import Factorize as Factorize
    from tflite_squeeze.compress.factorized import FactorizedConv2D as FactorizedConv2D
    from tflite_squeeze.compress.factorized import FactorizedDense as FactorizedDense
    from tflite_squeeze.compress.factorized import merge as merge
    from tflite_squeeze.compress.factorized import unfold as unfold
    from tflite_squeeze.compress.finetune_config import FineTune as FineTune
    from tflite_squeeze.compress.flip_ratio import flip_ratio_callback as flip_ratio_callback
    from tflite_squeeze.compress.l0 import l0_prune as l0_prune
    from tflite_squeeze.compress.l0_config import L0 as L0
    from tflite_squeeze.compress.narrow import narrow as narrow
    from tflite_squeeze.compress.narrow_config import Narrow as Narrow
    from tflite_squeeze.compress.prunable import Prunable as Prunable
    from tflite_squeeze.compress.prunable import strip as strip
    from tflite_squeeze.compress.prune import prune as prune
    from tflite_squeeze.compress.prune_config import Prune as Prune
    from tflite_squeeze.compress.pruning_callback import PruningCallback as PruningCallback
    from tflite_squeeze.compress.schedules import Constant as Constant
    from tflite_squeeze.compress.schedules import Exponential as Exponential
    from tflite_squeeze.compress.schedules import OneCycle as OneCycle
    from tflite_squeeze.compress.schedules import Polynomial as Polynomial
    from tflite_squeeze.compress.schedules import Stepwise as Stepwise
    from tflite_squeeze.compress.scoring_data import ScoringData as ScoringData
    from tflite_squeeze.compress.share import cluster as cluster
    from tflite_squeeze.convert.config import Convert as Convert
    from tflite_squeeze.convert.config import Quantization as Quantization
    from tflite_squeeze.convert.packed import pack as pack
    from tflite_squeeze.convert.packed import unpack as unpack
    from tflite_squeeze.errors import CheckFailed as CheckFailed
    from tflite_squeeze.errors import SqueezeError as SqueezeError
    from tflite_squeeze.export.android import export_android as export_android
    from tflite_squeeze.export.android_config import ExportAndroid as ExportAndroid
    from tflite_squeeze.export.micro import export_micro as export_micro
    from tflite_squeeze.export.micro_config import ExportMicro as ExportMicro
    from tflite_squeeze.io.data import Data as Data
    from tflite_squeeze.io.data import load_data as load_data
    from tflite_squeeze.io.models import load_model as load_model
    from tflite_squeeze.io.preprocessing import Preprocessing as Preprocessing
    from tflite_squeeze.measure.compare_record import Compare as Compare
    from tflite_squeeze.measure.ethos_u import profile_ethos_u as profile_ethos_u
    from tflite_squeeze.measure.ethos_u_record import EthosUProfile as EthosUProfile
    from tflite_squeeze.measure.micro import profile_micro as profile_micro
    from tflite_squeeze.measure.micro_record import MicroProfile as MicroProfile
    from tflite_squeeze.measure.packing import pack_record as pack_record
    from tflite_squeeze.measure.profile import profile as profile
    from tflite_squeeze.measure.profile_record import Profile as Profile
    from tflite_squeeze.measure.size import size_ledger as size_ledger
    from tflite_squeeze.measure.verify import Verify as Verify
    from tflite_squeeze.pipeline.compare import compare as compare
    from tflite_squeeze.pipeline.convert import Converted as Converted
    from tflite_squeeze.pipeline.convert import convert as convert
    from tflite_squeeze.pipeline.factorize import factorize as factorize
    from tflite_squeeze.pipeline.inspect import inspect as inspect
    from tflite_squeeze.pipeline.recipe import Limits as Limits
    from tflite_squeeze.pipeline.recipe import Recipe as Recipe
    from tflite_squeeze.pipeline.recipe import Step as Step
    from tflite_squeeze.pipeline.recipe_file import load_recipe as load_recipe
    from tflite_squeeze.pipeline.run import Result as Result
    from tflite_squeeze.pipeline.sensitivity import sensitivity as sensitivity
    from tflite_squeeze.pipeline.squeeze import squeeze as squeeze
    from tflite_squeeze.pipeline.verify import verify as verify
    from tflite_squeeze.report.squeeze_report import Report as Report

_HOMES = {
    "Binarize": "tflite_squeeze.compress.binarize_config",
    "LayerQuantizers": "tflite_squeeze.compress.binarize_config",
    "flip_ratio_callback": "tflite_squeeze.compress.flip_ratio",
    "CheckFailed": "tflite_squeeze.errors",
    "Cluster": "tflite_squeeze.compress.cluster_config",
    "ClusteringCallback": "tflite_squeeze.compress.clustering_callback",
    "Compare": "tflite_squeeze.measure.compare_record",
    "Constant": "tflite_squeeze.compress.schedules",
    "Convert": "tflite_squeeze.convert.config",
    "Converted": "tflite_squeeze.pipeline.convert",
    "Data": "tflite_squeeze.io.data",
    "Distill": "tflite_squeeze.compress.distill_config",
    "Distiller": "tflite_squeeze.compress.distiller",
    "EthosUProfile": "tflite_squeeze.measure.ethos_u_record",
    "Exponential": "tflite_squeeze.compress.schedules",
    "ExportAndroid": "tflite_squeeze.export.android_config",
    "ExportMicro": "tflite_squeeze.export.micro_config",
    "Factorize": "tflite_squeeze.compress.factorize_config",
    "FactorizedConv2D": "tflite_squeeze.compress.factorized",
    "FactorizedDense": "tflite_squeeze.compress.factorized",
    "FineTune": "tflite_squeeze.compress.finetune_config",
    "Hint": "tflite_squeeze.compress.distill_config",
    "L0": "tflite_squeeze.compress.l0_config",
    "Limits": "tflite_squeeze.pipeline.recipe",
    "MicroProfile": "tflite_squeeze.measure.micro_record",
    "Narrow": "tflite_squeeze.compress.narrow_config",
    "OneCycle": "tflite_squeeze.compress.schedules",
    "Polynomial": "tflite_squeeze.compress.schedules",
    "Preprocessing": "tflite_squeeze.io.preprocessing",
    "Profile": "tflite_squeeze.measure.profile_record",
    "Prunable": "tflite_squeeze.compress.prunable",
    "Prune": "tflite_squeeze.compress.prune_config",
    "PruningCallback": "tflite_squeeze.compress.pruning_callback",
    "Quantization": "tflite_squeeze.convert.config",
    "Recipe": "tflite_squeeze.pipeline.recipe",
    "Report": "tflite_squeeze.report.squeeze_report",
    "Result": "tflite_squeeze.pipeline.run",
    "ScoringData": "tflite_squeeze.compress.scoring_data",
    "SqueezeError": "tflite_squeeze.errors",
    "Step": "tflite_squeeze.pipeline.recipe",
    "Stepwise": "tflite_squeeze.compress.schedules",
    "Verify": "tflite_squeeze.measure.verify",
    "binarize": "tflite_squeeze.compress.binarize",
    "cluster": "tflite_squeeze.compress.share",
    "compare": "tflite_squeeze.pipeline.compare",
    "convert": "tflite_squeeze.pipeline.convert",
    "export_android": "tflite_squeeze.export.android",
    "distill": "tflite_squeeze.compress.distill",
    "export_micro": "tflite_squeeze.export.micro",
    "factorize": "tflite_squeeze.pipeline.factorize",
    "inspect": "tflite_squeeze.pipeline.inspect",
    "l0_prune": "tflite_squeeze.compress.l0",
    "load_data": "tflite_squeeze.io.data",
    "load_model": "tflite_squeeze.io.models",
    "load_recipe": "tflite_squeeze.pipeline.recipe_file",
    "merge": "tflite_squeeze.compress.factorized",
    "narrow": "tflite_squeeze.compress.narrow",
    "pack": "tflite_squeeze.convert.packed",
    "pack_record": "tflite_squeeze.measure.packing",
    "profile": "tflite_squeeze.measure.profile",
    "profile_ethos_u": "tflite_squeeze.measure.ethos_u",
    "profile_micro": "tflite_squeeze.measure.micro",
    "prune": "tflite_squeeze.compress.prune",
    "sensitivity": "tflite_squeeze.pipeline.sensitivity",
    "size_ledger": "tflite_squeeze.measure.size",
    "squeeze": "tflite_squeeze.pipeline.squeeze",
    "strip": "tflite_squeeze.compress.prunable",
    "unfold": "tflite_squeeze.compress.factorized",
    "unpack": "tflite_squeeze.convert.packed",
    "verify": "tflite_squeeze.pipeline.verify",
}

__all__ = [
    "L0",
    "Binarize",
    "CheckFailed",
    "Cluster",
    "ClusteringCallback",
    "Compare",
    "Constant",
    "Convert",
    "Converted",
    "Data",
    "Distill",
    "Distiller",
    "EthosUProfile",
    "Exponential",
    "ExportAndroid",
    "ExportMicro",
    "Factorize",
    "FactorizedConv2D",
    "FactorizedDense",
    "FineTune",
    "Hint",
    "LayerQuantizers",
    "Limits",
    "MicroProfile",
    "Narrow",
    "OneCycle",
    "Polynomial",
    "Preprocessing",
    "Profile",
    "Prunable",
    "Prune",
    "PruningCallback",
    "Quantization",
    "Recipe",
    "Report",
    "Result",
    "ScoringData",
    "SqueezeError",
    "Step",
    "Stepwise",
    "Verify",
    "__version__",
    "binarize",
    "cluster",
    "compare",
    "convert",
    "distill",
    "export_android",
    "export_micro",
    "factorize",
    "flip_ratio_callback",
    "inspect",
    "l0_prune",
    "load_data",
    "load_model",
    "load_recipe",
    "merge",
    "narrow",
    "pack",
    "pack_record",
    "profile",
    "profile_ethos_u",
    "profile_micro",
    "prune",
    "sensitivity",
    "size_ledger",
    "squeeze",
    "strip",
    "unfold",
    "unpack",
    "verify",
]


def _home_of(name: str) -> Any:
    return getattr(import_module(_HOMES[name]), name)


def _html_of(record: object) -> str:
    """Loads the room that shows records when the first one is shown."""
    html: str = import_module("tflite_squeeze.report.display").html_of(record)
    return html


display_with(_html_of)


class _Package(ModuleType):
    """This module, with a verb that has the same name as the room it works in.

    Importing `tflite_squeeze.convert.config` binds the room to the package's attribute `convert`,
    where users look for the verb; a property of the module's class goes before that.
    """

    @property
    def convert(self) -> Any:
        return _home_of("convert")

    @convert.setter
    def convert(self, room: ModuleType) -> None:
        """The room stays in `sys.modules`, where imports find it."""


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Loads a public name from the module that defines it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _home_of(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
