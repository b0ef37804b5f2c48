"""What was claimed of a model's weights, checked in the bytes of the file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tflite.fields import dtype_name, integers, operator_name, scales_of, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.lut import entropy_bytes
from tflite_squeeze.tflite.weights import Weight, weights_of

Array = NDArray[Any]
Kind = Literal[
    "zeros", "distinct values", "shape", "dtype", "bits", "scale", "integers", "code bytes"
]  # fmt: skip

# Quantization turns the rows of a matrix a little; another matrix of the same shape is far off.
_LEAST_COSINE = 0.8
# The file's scales are float32.
_SCALES_APART = 1e-4
# Of a step: further from a whole number a value is not on the grid.
_OFF_GRID = 1e-3
_ROUNDED = 1e-6  # bytes


@dataclass(frozen=True, kw_only=True)
class WeightClaim:
    """What is claimed of one weight.

    Attributes:
        weight: its name, such as "dense_300/kernel".
        matrix: its values in the model, (outputs, inputs).
        zeros: at least so many are zero; None for no such claim.
        distinct: at most so many values differ, row by row; None for no such claim.
        shape: why its shape is claimed, such as "rank 8 of 300x784"; "" for no such claim.
        dtypes: the types that it may be stored in; empty for no such claim.
        bits: its integers need so many at most, and are stored as integers; None for no such claim.
        scales: the steps of its rows, or one of all; None for no such claim.
        steps: by what its rows, or all of it, are divided to get the integers that the file has to
            have; None for no such claim.
        code_bytes: what its values need at most in an ideal coder that knows how often each occurs;
            None for no such claim.
    """

    weight: str
    matrix: Array
    zeros: int | None = None
    distinct: int | None = None
    shape: str = ""
    dtypes: tuple[str, ...] = ()
    bits: int | None = None
    scales: tuple[float, ...] | None = None
    steps: tuple[float, ...] | None = None
    code_bytes: float | None = None


@dataclass(frozen=True, kw_only=True)
class ActivationClaim:
    """What is claimed of one activation: the file has a tensor with its integers.

    Attributes:
        activation: its name in the model.
        bits: of its integers.
        scale: the step between two of them.
    """

    activation: str
    bits: int
    scale: float


class ClaimCheck(Frozen):
    """One claim beside what the file holds.

    Attributes:
        weight: the name of the weight or the activation in the model.
        kind: what is claimed.
        claimed: the claim, in words.
        found: what the file holds, in words.
        passed: whether it holds; None where the file stores the weight in another form, so that
            it cannot be told.
        tensor: the name of the file's tensor.
    """

    weight: str
    kind: Kind
    claimed: str
    found: str
    passed: bool | None
    tensor: str = ""


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """A weight of the file as a matrix, its zero point moved to 0."""

    weight: Weight
    matrix: Array
    tensor: str
    scales: Array


def check_claims(tflite: bytes, claims: Sequence[WeightClaim]) -> tuple[ClaimCheck, ...]:
    """Looks for each weight in the file by its values, and checks there what was claimed.

    A weight that the file stores in one piece is found even where batch normalisation was folded
    into it, since that scales whole rows.

    Args:
        tflite: the file's content.
        claims: what is claimed.

    Returns:
        The checks in the order of the claims.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> all(check.passed for check in check_claims(tflite, claims))
        True
    """
    stored = _stored_matrices(tflite)
    checks: list[ClaimCheck] = []
    for claim in claims:
        same = [one for one in stored if one.matrix.shape == claim.matrix.shape]
        best = max(same, key=lambda one: _likeness(one.matrix, claim.matrix), default=None)
        if best is None or _likeness(best.matrix, claim.matrix) < _LEAST_COSINE:
            checks += _not_found(claim)
        else:
            checks += _checked(claim, best)
    return tuple(checks)


def _checked(claim: WeightClaim, stored: _Stored) -> list[ClaimCheck]:
    matrix, weight = stored.matrix, stored.weight
    found: list[tuple[Kind, str, str, bool]] = [*_grid(claim, stored), *_code(claim, stored)]
    if claim.zeros is not None:
        zeros = int(np.count_nonzero(matrix == 0))
        found.append(("zeros", f"{claim.zeros:,} or more", f"{zeros:,}", zeros >= claim.zeros))
    if claim.distinct is not None:
        most = max(len(np.unique(row)) for row in matrix) if matrix.size else 0
        said = f"{len(weight.counts)}, at most {most} in a row"
        limit = f"{claim.distinct} or fewer in a row"
        found.append(("distinct values", limit, said, most <= claim.distinct))
    if claim.shape:
        found.append(("shape", claim.shape, "x".join(str(size) for size in matrix.shape), True))
    if claim.dtypes:
        right = weight.dtype in claim.dtypes
        found.append(("dtype", " or ".join(claim.dtypes), weight.dtype, right))
    return [
        ClaimCheck(
            weight=claim.weight,
            kind=kind,
            claimed=claimed,
            found=there,
            passed=passed,
            tensor=stored.tensor,
        )
        for kind, claimed, there, passed in found
    ]


def _grid(claim: WeightClaim, stored: _Stored) -> Iterator[tuple[Kind, str, str, bool]]:
    """Whether the integers of a weight, and their steps, are those that were claimed."""
    matrix, dtype = stored.matrix, stored.weight.dtype
    if claim.bits is not None:
        largest = int(np.max(np.abs(matrix), initial=0))
        held = matrix.dtype.kind == "i" and largest < 2 ** (claim.bits - 1)
        yield "bits", f"{claim.bits}", f"{dtype}, up to {largest}", held
    if claim.scales is not None:
        there = np.resize(stored.scales, len(matrix)) if len(stored.scales) else np.zeros(0)
        wanted = np.resize(np.array(claim.scales), len(there))
        used = np.any(matrix != 0, axis=1)[: len(there)]
        apart = np.max(np.abs(there / wanted - 1)[used], initial=0.0)
        held = bool(len(there)) and apart <= _SCALES_APART
        said = f"{apart:.1e} apart" if len(there) else f"none: it is {dtype}"
        yield "scale", _range(claim.scales), said, held


def _code(claim: WeightClaim, stored: _Stored) -> Iterator[tuple[Kind, str, str, bool]]:
    """Whether the integers are those that were trained, and need no more bytes than they did."""
    matrix = stored.matrix
    if claim.steps is not None:
        steps = np.resize(np.array(claim.steps), len(matrix))[:, np.newaxis]
        trained = np.rint(claim.matrix / steps)
        near = bool(np.all(np.abs(claim.matrix / steps - trained) <= _OFF_GRID))
        other = int(np.count_nonzero(np.any(_unfolded(matrix, trained) != trained, axis=1)))
        said = f"others in {other} of {len(matrix)} rows" if other else "all of them"
        said = said if near else "none: the weight is no longer on its grid"
        yield "integers", f"as trained, in steps of {_range(claim.steps)}", said, near and not other
    if claim.code_bytes is not None:
        needed = entropy_bytes(matrix)
        held = needed <= claim.code_bytes + _ROUNDED
        yield "code bytes", f"{claim.code_bytes:,.0f} or fewer", f"{needed:,.0f}", held


def _unfolded(matrix: Array, trained: Array) -> Array:
    """Stored rows without the sign, or in float the factor, of normalisation folded in."""
    products, squares = np.sum(matrix * trained, axis=1), np.sum(trained**2, axis=1)
    factors = np.divide(products, squares, out=np.ones(len(matrix)), where=products != 0)
    if matrix.dtype.kind == "i":
        return np.asarray(matrix * np.sign(factors)[:, np.newaxis])
    plain = matrix / factors[:, np.newaxis]
    return np.asarray(np.where(np.abs(plain - np.rint(plain)) <= _OFF_GRID, np.rint(plain), plain))


def _range(scales: Sequence[float]) -> str:
    low, high = min(scales), max(scales)
    return f"{low:.4g}" if len(scales) == 1 else f"{len(scales)} of {low:.4g} to {high:.4g}"


def check_activations(tflite: bytes, claims: Sequence[ActivationClaim]) -> tuple[ClaimCheck, ...]:
    """Looks in the file for a tensor with the integers of each activation.

    Args:
        tflite: the file's content.
        claims: what is claimed.

    Returns:
        The checks in the order of the claims.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    steps: list[tuple[str, float, str]] = [
        (dtype_name(tensor), float(scales_of(tensor)[0]), text(tensor.name))
        for graph in model.subgraphs
        for tensor in graph.tensors
        if len(scales_of(tensor)) == 1
    ]
    checks = []
    for claim in claims:
        nearest = min(
            (one for one in steps if one[0] == f"int{claim.bits}"),
            key=lambda one, wanted=claim.scale: abs(one[1] / wanted - 1),  # type: ignore[misc]
            default=("none", 0.0, ""),
        )
        apart = abs(nearest[1] / claim.scale - 1)
        checks.append(
            ClaimCheck(
                weight=claim.activation,
                kind="scale",
                claimed=f"int{claim.bits} in steps of {claim.scale:.4g}",
                found=f"{nearest[0]} in steps of {nearest[1]:.4g}",
                passed=apart <= _SCALES_APART,
                tensor=nearest[2],
            )
        )
    return tuple(checks)


def _not_found(claim: WeightClaim) -> list[ClaimCheck]:
    """A weight in several pieces, or in another form; where its shape is the claim, it failed."""
    kinds: list[tuple[Kind, str, bool | None]] = []
    if claim.zeros is not None:
        kinds.append(("zeros", f"{claim.zeros:,} or more", None))
    if claim.distinct is not None:
        kinds.append(("distinct values", f"{claim.distinct} or fewer in a row", None))
    if claim.shape:
        kinds.append(("shape", claim.shape, False))
    if claim.dtypes:
        kinds.append(("dtype", " or ".join(claim.dtypes), None))
    if claim.bits is not None:
        kinds.append(("bits", f"{claim.bits}", None))
    if claim.scales is not None:
        kinds.append(("scale", _range(claim.scales), None))
    if claim.steps is not None:
        kinds.append(("integers", f"as trained, in steps of {_range(claim.steps)}", None))
    if claim.code_bytes is not None:
        kinds.append(("code bytes", f"{claim.code_bytes:,.0f} or fewer", None))
    found = "the file has no such matrix: it stores the weight in another form"
    return [
        ClaimCheck(weight=claim.weight, kind=kind, claimed=claimed, found=found, passed=passed)
        for kind, claimed, passed in kinds
    ]


def _stored_matrices(tflite: bytes) -> list[_Stored]:
    model = read_model(tflite)
    depthwise = _depthwise_weights(model)
    found = []
    for weight in weights_of(model):
        if weight.values is None or weight.values.ndim < 2:
            continue
        subgraph, index = weight.place
        shifted = _shifted(weight)
        # A depthwise kernel has its outputs last, all others have them first.
        matrix = (
            shifted.reshape(-1, shifted.shape[-1]).T
            if weight.place in depthwise
            else shifted.reshape(len(shifted), -1)
        )
        tensor = model.subgraphs[subgraph].tensors[index]
        found.append(
            _Stored(
                weight=weight,
                matrix=matrix,
                tensor=text(tensor.name),
                scales=np.asarray(scales_of(tensor), np.float64),
            )
        )
    return found


def _depthwise_weights(model: Any) -> set[tuple[int, int]]:
    """The kernels of depthwise convolutions, also those that are unpacked on the way there."""
    found = set()
    for subgraph, graph in enumerate(model.subgraphs):
        unpacked = {
            integers(operator.outputs)[0]: integers(operator.inputs)[0]
            for operator in graph.operators
            if operator_name(model, operator) in ("DEQUANTIZE", "DENSIFY")
        }
        for operator in graph.operators:
            if operator_name(model, operator) == "DEPTHWISE_CONV_2D":
                kernel = integers(operator.inputs)[1]
                while kernel in unpacked:
                    kernel = unpacked[kernel]
                found.add((subgraph, kernel))
    return found


def _shifted(weight: Weight) -> Array:
    """The stored values with 0 where they stand for 0."""
    values = np.asarray(weight.values)
    if values.dtype.kind not in "iu" or not len(weight.zero_points):
        return values
    points = weight.zero_points
    if len(points) > 1:
        along = [1] * values.ndim
        along[weight.axis] = -1
        points = points.reshape(along)
    return np.asarray(values.astype(np.int64) - points)


def _likeness(one: Array, other: Array) -> float:
    """The mean |cosine| of the rows that are not zero in either; 1 where all are zero."""
    first, second = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    kept = (lengths[0] > 0) & (lengths[1] > 0)
    if not kept.any():
        return float(not first.any() and not second.any())
    products = np.abs(np.sum(first[kept] * second[kept], axis=1))
    return float(np.mean(products / (lengths[0][kept] * lengths[1][kept])))
