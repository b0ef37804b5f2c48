"""What was claimed of a model's weights, checked in the bytes of the file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tflite.fields import integers, operator_name, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.weights import Weight, weights_of

Array = NDArray[Any]
Kind = Literal["zeros", "distinct values", "shape", "dtype"]

# Quantization turns the rows of a matrix a little; another matrix of the same shape is far off.
_LEAST_COSINE = 0.8


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
    """

    weight: str
    matrix: Array
    zeros: int | None = None
    distinct: int | None = None
    shape: str = ""
    dtypes: tuple[str, ...] = ()


class ClaimCheck(Frozen):
    """One claim beside what the file holds.

    Attributes:
        weight: the weight's name in the model.
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
    found: list[tuple[Kind, str, str, bool]] = []
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
        name = text(model.subgraphs[subgraph].tensors[index].name)
        found.append(_Stored(weight=weight, matrix=matrix, tensor=name))
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
