"""What the steps of a run claim of each weight, carried from step to step, and put to the file."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network.weights import select
from tflite_squeeze.recipes.claims_in_file import WeightClaim
from tflite_squeeze.recipes.report import Claimed
from tflite_squeeze.training.record import zeros_of

# Quantization → the types of weights. The dynamic mode leaves small ones (below 1,024) alone.
_DTYPES = {
    Quantization.NONE: ("float32",),
    Quantization.FLOAT16: ("float16",),
    Quantization.DYNAMIC: ("int8", "float32"),
    Quantization.INT8: ("int8",),
    Quantization.INT16X8: ("int8",),
}
_DYNAMIC_FROM = 1024
# Weights of so few values may be stored in less than a byte.
_TERNARY = 3


def claims_after(
    earlier: Mapping[str, Claimed], technique: str, record: Mapping[str, Any], model: Any
) -> dict[str, Claimed]:
    """What is claimed of each weight after a step.

    Args:
        earlier: what was claimed before it.
        technique: the step's.
        record: the technique's record, as JSON holds it.
        model: the Keras model after the step.
    """
    claims = dict(earlier)
    targets = {target.name: target for target in select(model).targets}
    for name, claimed in _CLAIMED.get(technique, _nothing)(record, tuple(targets)).items():
        claims[name] = claims.get(name, Claimed()).model_copy(update=claimed)
    if technique == "narrow":  # zeros went with the filters that they were in
        for name, claim in claims.items():
            if claim.zeros is not None and name in targets:
                zeros = zeros_of(targets[name].variable)
                claims[name] = claim.model_copy(update={"zeros": zeros})
    return {name: claim for name, claim in claims.items() if name in targets}


def _nothing(_record: Mapping[str, Any], _names: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {}


def _zeros(record: Mapping[str, Any], _names: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {weight["name"]: {"zeros": weight["zeros_after"]} for weight in record["weights"]}


def _values(record: Mapping[str, Any], _names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Clustering counts values other than zero."""
    return {
        weight["name"]: {"distinct": weight["distinct_after"] + (weight["zeros_after"] > 0)}
        for weight in record["weights"]
    }


def _widths(record: Mapping[str, Any], _names: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        f"{layer}/kernel": {"shape": f"{group['after']} of {group['before']} outputs"}
        for group in record["groups"]
        for layer in group["layers"]
    }


def _ranks(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Both factors of a layer: the second has the layer's own name."""
    found = {}
    for split in record["layers"]:
        ranks, full = ("x".join(map(str, split[key])) for key in ("ranks", "full_ranks"))
        for name in names:
            layer = name.rpartition("/")[0]
            if layer == split["layer"] or layer.startswith(f"{split['layer']}_factor_"):
                found[name] = {"shape": f"rank {ranks} of {full}"}
    return found


def _bits(record: Mapping[str, Any], _names: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {weight["name"]: {"distinct": weight["most_values"]} for weight in record["weights"]}


# Technique → what its record claims of each weight, by name.
_CLAIMED: dict[str, Callable[[Mapping[str, Any], Sequence[str]], dict[str, dict[str, Any]]]] = {
    "prune": _zeros,
    "l0": _zeros,
    "cluster": _values,
    "factorize": _ranks,
    "narrow": _widths,
    "binarize": _bits,
}


def file_claims(claims: Mapping[str, Claimed], model: Any, settings: Convert) -> list[WeightClaim]:
    """The claims as they are put to the file: one a weight, its type always among them.

    Args:
        claims: after the last step.
        model: the Keras model that was converted.
        settings: how it was converted.
    """
    found = []
    for target in select(model).targets:
        claim = claims.get(target.name, Claimed())
        dtypes = _DTYPES[settings.quantize]
        if settings.quantize is Quantization.DYNAMIC and target.size >= _DYNAMIC_FROM:
            dtypes = ("int8",)
        if claim.distinct is not None and claim.distinct <= _TERNARY and settings.low_bit != "off":
            dtypes = (*dtypes, "int2", "int4")
        found.append(
            WeightClaim(
                weight=target.name,
                matrix=target.matrix(np.asarray(target.variable)),
                zeros=claim.zeros,
                distinct=claim.distinct,
                shape=claim.shape,
                dtypes=dtypes,
            )
        )
    return found


def held_zeros(claims: Mapping[str, Claimed], model: Any) -> list[Any]:
    """The weights whose zeros a later step has to keep."""
    return [
        target.variable
        for target in select(model).targets
        if (claim := claims.get(target.name)) is not None
        and claim.zeros
        and zeros_of(target.variable)
    ]
