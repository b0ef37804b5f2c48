"""Projections as constraints: what they do to a tensor, and that they leave no trace."""

from typing import Any

import numpy as np
import pytest

from tflite_squeeze.network.projections import (
    Composed,
    MaskProjection,
    attach,
    constrained,
    detach,
    parts_of,
    zeros_held,
)
from tflite_squeeze.network.variables import constraint_of


def kernel(library: Any, **options: Any) -> Any:
    layer = library.layers.Dense(2, **options)
    layer.build((None, 2))
    layer.kernel.assign([[1.0, -2.0], [0.0, 4.0]])
    return layer.kernel


def test_a_mask_keeps_zeros(library: Any) -> None:
    variable = kernel(library)
    projection = MaskProjection(variable)
    assert projection.current().tolist() == [[True, True], [False, True]]
    assert np.asarray(projection(variable + 1.0)).tolist() == [[2, -1], [0, 5]]
    projection.assign(np.array([[False, True], [False, True]]))
    assert np.asarray(variable).tolist() == [[0, -2], [0, 4]]
    projection.assign(np.array([[False, True], [False, False]]), now=False)
    assert np.asarray(variable).tolist() == [[0, -2], [0, 4]]
    projection.hold()
    assert np.asarray(variable).tolist() == [[0, -2], [0, 0]]


def test_infinite_weights_are_zeroed_too(library: Any) -> None:
    variable = kernel(library)
    variable.assign([[np.inf, 1.0], [np.nan, 2.0]])
    projection = MaskProjection(variable)
    projection.assign(np.array([[False, True], [False, True]]))
    assert np.asarray(variable).tolist() == [[0, 1], [0, 2]]


def test_weights_kept_aside_can_return(library: Any) -> None:
    variable = kernel(library)
    projection = MaskProjection(variable, grows=True)
    projection.assign(np.array([[False, True], [False, True]]))
    # A step adds 0.5 to all of them: what is zeroed gathers it aside, where 0.9 stays per step:
    # ((1 * 0.9 + 0.5) * 0.9 + 0.5) * 0.9 + 0.5 = 2.084, and from 0 on 1.355.
    for _ in range(3):
        variable.assign(projection(variable + 0.5))
    assert np.asarray(variable).tolist() == [[0, -0.5], [0, 5.5]]
    assert projection.dense() == pytest.approx(np.array([[2.084, -0.5], [1.355, 5.5]]))
    projection.assign(np.array([[True, False], [False, True]]))
    assert np.asarray(variable) == pytest.approx(np.array([[2.084, 0], [0, 5.5]]))
    # Weights that were averaged or restored meanwhile are kept, not what lies aside.
    variable.assign([[9.0, 9.0], [9.0, 9.0]])
    projection.hold()
    assert np.asarray(variable).tolist() == [[9, 0], [0, 9]]


def test_the_users_constraint_holds_too_and_is_put_back(library: Any) -> None:
    variable = kernel(library, kernel_constraint="non_neg")
    own = constraint_of(variable)
    projection = MaskProjection(variable)
    before = attach([(variable, projection)])
    assert np.asarray(constraint_of(variable)(variable + 1.0)).tolist() == [[2, 0], [0, 5]]
    detach(before)
    assert constraint_of(variable) is own
    with constrained([(variable, projection)]):
        assert isinstance(constraint_of(variable), Composed)
    assert constraint_of(variable) is own


def test_an_error_inside_the_block_puts_constraints_back(library: Any) -> None:
    variable = kernel(library)

    def fail() -> None:
        with zeros_held([variable]):
            assert constraint_of(variable) is not None
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert constraint_of(variable) is None


def test_projections_compose(library: Any) -> None:
    variable = kernel(library)
    first, second = MaskProjection(variable), MaskProjection(variable)
    first.assign(np.array([[False, True], [True, True]]), now=False)
    second.assign(np.array([[True, False], [True, True]]), now=False)
    outer = attach([(variable, first)])
    inner = attach([(variable, second)])
    assert np.asarray(constraint_of(variable)(variable)).tolist() == [[0, 0], [0, 4]]
    detach(inner)
    assert constraint_of(variable) is first
    detach(outer)
    assert constraint_of(variable) is None


def test_mixed_precision_variables_take_constraints(library: Any) -> None:
    variable = kernel(library, dtype="mixed_float16")
    projection = MaskProjection(variable)
    before = attach([(variable, projection)])
    assert constraint_of(variable) is projection
    detach(before)
    assert constraint_of(variable) is None


def test_projections_are_taken_off_in_any_order(library: Any) -> None:
    variable = kernel(library, kernel_constraint="non_neg")
    own = constraint_of(variable)
    first, second = MaskProjection(variable), MaskProjection(variable)
    outer = attach([(variable, first)])
    inner = attach([(variable, second)])
    assert parts_of(constraint_of(variable)) == (own, first, second)
    detach(outer)
    assert parts_of(constraint_of(variable)) == (own, second)
    detach(inner)
    assert constraint_of(variable) is own
    assert parts_of(None) == ()
