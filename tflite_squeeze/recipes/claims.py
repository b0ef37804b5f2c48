"""What the steps of a run claim of each weight, and the checks of it in the file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network.quantization.kept import kernels_of
from tflite_squeeze.network.quantization.layers import QuantizedWeights
from tflite_squeeze.network.weights import Target, select
from tflite_squeeze.recipes.claims_in_file import ActivationClaim, WeightClaim
from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.technique import Technique
from tflite_squeeze.training.record import zeros_of

# Quantization → the types of weights. The dynamic mode leaves small ones (below 1,024) alone.
_DTYPES = {
    Quantization.NONE: ("float32",),
    Quantization.FLOAT16: ("float16",),
    Quantization.DYNAMIC: ("int8", "float32"),
    Quantization.INT8: ("int8",),
    Quantization.INT16X8: ("int8",),
    Quantization.MIXED: ("int8", "float32"),
}
_DYNAMIC_FROM = 1024
# Bits that were asked for → the types of weights that get them, or the next that the runtime has.
_FEWER_ALLOWED: dict[Any, tuple[str, ...]] = {4: ("int4",), 2: ("int2", "int4")}
# Weights of so few values may be stored in less than a byte.
_TERNARY = 3


def claims_after(
    earlier: Mapping[str, Claimed], done: Technique, record: Any, model: Any
) -> dict[str, Claimed]:
    """What is claimed of each weight after a step.

    Args:
        earlier: what was claimed before it.
        done: the step's technique.
        record: the technique's record.
        model: the Keras model after the step.
    """
    claims = dict(earlier)
    targets = {target.name: target for target in select(model).targets}
    claimed = done.part("claims")
    for name, claim in claimed(record, tuple(targets)).items() if claimed else ():
        update = claim.model_dump(exclude_unset=True)
        before = earlier.get(claim.was or name, Claimed())
        claims[name] = before.model_copy(update=update)
    if done.resizes:  # zeros went with the rows and columns that they were in
        for name, claim in claims.items():
            if claim.zeros is not None and name in targets:
                zeros = zeros_of(targets[name].variable)
                claims[name] = claim.model_copy(update={"zeros": zeros, "code_bytes": None})
    return {name: claim for name, claim in claims.items() if name in targets or claim.activation}


def file_claims(
    claims: Mapping[str, Claimed], model: Any, conversion: ConvertRecord, *, typed: bool = True
) -> list[WeightClaim]:
    """The claims as they are put to the file: one a weight.

    Those of activations are put by `activation_claims`.

    Args:
        claims: after the last step.
        model: the Keras model that was converted.
        conversion: how it was converted.
        typed: whether the type of each weight is among them.
    """
    found = []
    chosen = _chosen_bits(model, conversion)
    for target in select(model).targets:
        claim = claims.get(target.name, Claimed())
        dtypes: tuple[str, ...] = ()
        if typed and claim.bits is None:
            dtypes = _dtypes(target, claim, conversion, chosen)
        found.append(
            WeightClaim(
                weight=target.name,
                matrix=target.matrix(_values(target)),
                zeros=claim.zeros,
                distinct=claim.distinct,
                shape=claim.shape,
                dtypes=dtypes,
                bits=claim.bits,
                scales=claim.scales,
                steps=claim.steps,
                code_bytes=claim.code_bytes,
            )
        )
    return found


def _chosen_bits(model: Any, conversion: ConvertRecord) -> dict[str, int]:
    """The bits that a conversion chose for each weight, by its name."""
    if conversion.bits is None:
        return {}
    names = {layer: name for layer, (name, _) in kernels_of(model).items()}
    return {names[one.layer]: one.bits for one in conversion.bits.layers if one.layer in names}


def _dtypes(
    target: Target, claim: Claimed, conversion: ConvertRecord, chosen: Mapping[str, int]
) -> tuple[str, ...]:
    """The types that a weight may have in the file where no step gave it bits."""
    settings, bits = conversion.config, conversion.config.weight_bits
    dtypes = _DTYPES[Quantization.MIXED if settings.keep_float else settings.quantize]
    if settings.quantize is Quantization.DYNAMIC and target.size >= _DYNAMIC_FROM:
        dtypes = ("int8",)
    if chosen.get(target.name, 8) < 8:
        return (f"int{chosen[target.name]}",)
    if bits in _FEWER_ALLOWED:
        return (*_FEWER_ALLOWED[bits], *dtypes)
    if (claim.distinct or 4) <= _TERNARY and settings.low_bit != "off":
        return (*dtypes, "int2", "int4")
    return dtypes


def _values(target: Target) -> Any:
    """A weight as its layer computes with it."""
    layer = target.layer
    return np.asarray(
        layer.rounded_values() if isinstance(layer, QuantizedWeights) else target.variable
    )


def activation_claims(claims: Mapping[str, Claimed]) -> list[ActivationClaim]:
    """The claims of activations as they are put to the file."""
    return [
        ActivationClaim(activation=name, bits=claim.bits, scale=claim.scales[0])
        for name, claim in claims.items()
        if claim.activation and claim.bits and claim.scales
    ]


def held_zeros(claims: Mapping[str, Claimed], model: Any) -> list[Any]:
    """The weights whose zeros a later step has to keep."""
    return [
        target.variable
        for target in select(model).targets
        if (claim := claims.get(target.name)) is not None
        and claim.zeros
        and zeros_of(target.variable)
    ]
