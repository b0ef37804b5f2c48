"""Make Keras models small and fast for phones and microcontrollers, and prove it.

Public names are loaded on first use, so that importing the package, or asking a command for its
help, loads no TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tflite_squeeze.version import __version__

if TYPE_CHECKING:
    from tflite_squeeze.android.config import ExportAndroid as ExportAndroid
    from tflite_squeeze.android.export import export_android as export_android
    from tflite_squeeze.comparison.compare import compare as compare
    from tflite_squeeze.comparison.record import Compare as Compare
    from tflite_squeeze.conversion.convert import Converted as Converted
    from tflite_squeeze.conversion.convert import convert as convert
    from tflite_squeeze.data.data import Data as Data
    from tflite_squeeze.data.data import load_data as load_data
    from tflite_squeeze.data.preprocessing import Preprocessing as Preprocessing
    from tflite_squeeze.emission.config import Convert as Convert
    from tflite_squeeze.emission.quantization import Quantization as Quantization
    from tflite_squeeze.errors import CheckFailed as CheckFailed
    from tflite_squeeze.errors import SqueezeError as SqueezeError
    from tflite_squeeze.inspection.inspect import inspect as inspect
    from tflite_squeeze.microcontrollers.ethos_u import profile_ethos_u as profile_ethos_u
    from tflite_squeeze.microcontrollers.ethos_u_record import EthosUProfile as EthosUProfile
    from tflite_squeeze.microcontrollers.export.config import ExportMicro as ExportMicro
    from tflite_squeeze.microcontrollers.export.export import export_micro as export_micro
    from tflite_squeeze.microcontrollers.profile import profile_micro as profile_micro
    from tflite_squeeze.microcontrollers.record import MicroProfile as MicroProfile
    from tflite_squeeze.network.loading import load_model as load_model
    from tflite_squeeze.packing.pack import pack as pack
    from tflite_squeeze.packing.pack import unpack as unpack
    from tflite_squeeze.packing.record import pack_record as pack_record
    from tflite_squeeze.profiling.profile import profile as profile
    from tflite_squeeze.profiling.record import Profile as Profile
    from tflite_squeeze.recipes.files import load_recipe as load_recipe
    from tflite_squeeze.recipes.recipe import Limits as Limits
    from tflite_squeeze.recipes.recipe import Recipe as Recipe
    from tflite_squeeze.recipes.recipe import Step as Step
    from tflite_squeeze.recipes.report import Report as Report
    from tflite_squeeze.recipes.run import Result as Result
    from tflite_squeeze.recipes.squeeze import squeeze as squeeze
    from tflite_squeeze.techniques.binarization.binarize import binarize as binarize
    from tflite_squeeze.techniques.binarization.config import Binarize as Binarize
    from tflite_squeeze.techniques.binarization.config import LayerQuantizers as LayerQuantizers
    from tflite_squeeze.techniques.binarization.larq_training import (
        flip_ratio_callback as flip_ratio_callback,
    )
    from tflite_squeeze.techniques.distillation.distill import distill as distill
    from tflite_squeeze.techniques.l0.config import L0 as L0
    from tflite_squeeze.techniques.l0.l0 import l0_prune as l0_prune
    from tflite_squeeze.techniques.low_rank.config import Factorize as Factorize
    from tflite_squeeze.techniques.low_rank.layers import FactorizedConv2D as FactorizedConv2D
    from tflite_squeeze.techniques.low_rank.layers import FactorizedDense as FactorizedDense
    from tflite_squeeze.techniques.low_rank.layers import merge as merge
    from tflite_squeeze.techniques.low_rank.layers import unfold as unfold
    from tflite_squeeze.techniques.low_rank.paying import factorize as factorize
    from tflite_squeeze.techniques.narrowing.config import Narrow as Narrow
    from tflite_squeeze.techniques.narrowing.narrow import narrow as narrow
    from tflite_squeeze.techniques.pruning.callback import PruningCallback as PruningCallback
    from tflite_squeeze.techniques.pruning.config import Prune as Prune
    from tflite_squeeze.techniques.pruning.prunable import Prunable as Prunable
    from tflite_squeeze.techniques.pruning.prunable import strip as strip
    from tflite_squeeze.techniques.pruning.prune import prune as prune
    from tflite_squeeze.techniques.pruning.schedules import Constant as Constant
    from tflite_squeeze.techniques.pruning.schedules import Exponential as Exponential
    from tflite_squeeze.techniques.pruning.schedules import OneCycle as OneCycle
    from tflite_squeeze.techniques.pruning.schedules import Polynomial as Polynomial
    from tflite_squeeze.techniques.pruning.schedules import Stepwise as Stepwise
    from tflite_squeeze.techniques.pruning.scoring_data import ScoringData as ScoringData
    from tflite_squeeze.techniques.pruning.sensitivity.sensitivity import sensitivity as sensitivity
    from tflite_squeeze.techniques.sharing.callback import ClusteringCallback as ClusteringCallback
    from tflite_squeeze.techniques.sharing.cluster import cluster as cluster
    from tflite_squeeze.techniques.sharing.config import Cluster as Cluster
    from tflite_squeeze.tflite.size import size_ledger as size_ledger
    from tflite_squeeze.training.config import Distill as Distill
    from tflite_squeeze.training.config import FineTune as FineTune
    from tflite_squeeze.training.config import Hint as Hint
    from tflite_squeeze.training.teaching.distiller import Distiller as Distiller
    from tflite_squeeze.verification.record import Verify as Verify
    from tflite_squeeze.verification.verify import verify as verify

_HOMES = {
    "Binarize": "tflite_squeeze.techniques.binarization.config",
    "LayerQuantizers": "tflite_squeeze.techniques.binarization.config",
    "flip_ratio_callback": "tflite_squeeze.techniques.binarization.larq_training",
    "CheckFailed": "tflite_squeeze.errors",
    "Cluster": "tflite_squeeze.techniques.sharing.config",
    "ClusteringCallback": "tflite_squeeze.techniques.sharing.callback",
    "Compare": "tflite_squeeze.comparison.record",
    "Constant": "tflite_squeeze.techniques.pruning.schedules",
    "Convert": "tflite_squeeze.emission.config",
    "Converted": "tflite_squeeze.conversion.convert",
    "Data": "tflite_squeeze.data.data",
    "Distill": "tflite_squeeze.training.config",
    "Distiller": "tflite_squeeze.training.teaching.distiller",
    "EthosUProfile": "tflite_squeeze.microcontrollers.ethos_u_record",
    "Exponential": "tflite_squeeze.techniques.pruning.schedules",
    "ExportAndroid": "tflite_squeeze.android.config",
    "ExportMicro": "tflite_squeeze.microcontrollers.export.config",
    "Factorize": "tflite_squeeze.techniques.low_rank.config",
    "FactorizedConv2D": "tflite_squeeze.techniques.low_rank.layers",
    "FactorizedDense": "tflite_squeeze.techniques.low_rank.layers",
    "FineTune": "tflite_squeeze.training.config",
    "Hint": "tflite_squeeze.training.config",
    "L0": "tflite_squeeze.techniques.l0.config",
    "Limits": "tflite_squeeze.recipes.recipe",
    "MicroProfile": "tflite_squeeze.microcontrollers.record",
    "Narrow": "tflite_squeeze.techniques.narrowing.config",
    "OneCycle": "tflite_squeeze.techniques.pruning.schedules",
    "Polynomial": "tflite_squeeze.techniques.pruning.schedules",
    "Preprocessing": "tflite_squeeze.data.preprocessing",
    "Profile": "tflite_squeeze.profiling.record",
    "Prunable": "tflite_squeeze.techniques.pruning.prunable",
    "Prune": "tflite_squeeze.techniques.pruning.config",
    "PruningCallback": "tflite_squeeze.techniques.pruning.callback",
    "Quantization": "tflite_squeeze.emission.config",
    "Recipe": "tflite_squeeze.recipes.recipe",
    "Report": "tflite_squeeze.recipes.report",
    "Result": "tflite_squeeze.recipes.run",
    "ScoringData": "tflite_squeeze.techniques.pruning.scoring_data",
    "SqueezeError": "tflite_squeeze.errors",
    "Step": "tflite_squeeze.recipes.recipe",
    "Stepwise": "tflite_squeeze.techniques.pruning.schedules",
    "Verify": "tflite_squeeze.verification.record",
    "binarize": "tflite_squeeze.techniques.binarization.binarize",
    "cluster": "tflite_squeeze.techniques.sharing.cluster",
    "compare": "tflite_squeeze.comparison.compare",
    "convert": "tflite_squeeze.conversion.convert",
    "export_android": "tflite_squeeze.android.export",
    "distill": "tflite_squeeze.techniques.distillation.distill",
    "export_micro": "tflite_squeeze.microcontrollers.export.export",
    "factorize": "tflite_squeeze.techniques.low_rank.paying",
    "inspect": "tflite_squeeze.inspection.inspect",
    "l0_prune": "tflite_squeeze.techniques.l0.l0",
    "load_data": "tflite_squeeze.data.data",
    "load_model": "tflite_squeeze.network.loading",
    "load_recipe": "tflite_squeeze.recipes.files",
    "merge": "tflite_squeeze.techniques.low_rank.layers",
    "narrow": "tflite_squeeze.techniques.narrowing.narrow",
    "pack": "tflite_squeeze.packing.pack",
    "pack_record": "tflite_squeeze.packing.record",
    "profile": "tflite_squeeze.profiling.profile",
    "profile_ethos_u": "tflite_squeeze.microcontrollers.ethos_u",
    "profile_micro": "tflite_squeeze.microcontrollers.profile",
    "prune": "tflite_squeeze.techniques.pruning.prune",
    "sensitivity": "tflite_squeeze.techniques.pruning.sensitivity.sensitivity",
    "size_ledger": "tflite_squeeze.tflite.size",
    "squeeze": "tflite_squeeze.recipes.squeeze",
    "strip": "tflite_squeeze.techniques.pruning.prunable",
    "unfold": "tflite_squeeze.techniques.low_rank.layers",
    "unpack": "tflite_squeeze.packing.pack",
    "verify": "tflite_squeeze.verification.verify",
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


def __getattr__(name: str) -> Any:
    """Loads a public name from the module that defines it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _home_of(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
