"""Names of version 0.1 that have moved; they work until version 0.3, with a warning."""

import warnings
from importlib import import_module

# Public module → the names that `tflite_squeeze` itself had before.
MOVED = {
    "android": ("ExportAndroid", "export_android"),
    "data": ("Data", "Preprocessing"),
    "errors": ("CheckFailed",),
    "layers": ("FactorizedConv2D", "FactorizedDense", "Prunable", "merge", "strip", "unfold"),
    "microcontrollers": (
        "EthosUProfile", "ExportMicro", "MicroProfile", "export_micro", "profile_ethos_u",
        "profile_micro",
    ),
    "recipes": ("Limits", "Step", "load_recipe"),
    "records": ("pack_record", "size_ledger"),
    "results": ("Converted", "Result"),
    "schedules": ("Constant", "Exponential", "OneCycle", "Polynomial", "Stepwise"),
    "settings": ("Hint", "LayerQuantizers", "Quantization", "ScoringData"),
}  # fmt: skip


def load_moved(name: str) -> object:
    """Loads a name from where it is now, and warns the module that asked the package for it.

    Raises:
        AttributeError: the package never had such a name.
    """
    for module, names in MOVED.items():
        if name in names:
            place = f"tflite_squeeze.{module}"
            warnings.warn(
                f"tflite_squeeze.{name} is now {place}.{name}; the old name goes in version 0.3",
                DeprecationWarning,
                stacklevel=3,
            )
            value: object = getattr(import_module(place), name)
            return value
    raise AttributeError(f"module 'tflite_squeeze' has no attribute {name!r}")
