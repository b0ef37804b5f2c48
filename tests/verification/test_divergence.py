"""Where inside a file the numbers go wrong."""

import math

import numpy as np
import pytest

from tflite_squeeze.runtime.run import Tensor
from tflite_squeeze.verification.record import TensorFidelity
from tflite_squeeze.verification.reference import compare_tensors, first_collapse


def _tensor(name: str, values: list[float], dtype: str = "float32") -> Tensor:
    array = np.asarray(values, dtype)
    return Tensor(index=0, name=name, operator=0, op_name="ADD", values=array)


def _found(*decibels: float) -> tuple[TensorFidelity, ...]:
    return tuple(
        TensorFidelity(tensor=f"t{number}", operator="ADD", sqnr_db=value, max_abs_difference=0)
        for number, value in enumerate(decibels)
    )


def test_only_what_both_files_compute_as_reals_is_compared() -> None:
    reference = (_tensor("a", [10]), _tensor("b", [1, 2]), _tensor("c", [1]))
    found = compare_tensors(
        reference,
        (
            _tensor("a", [9]),
            _tensor("b", [1]),  # another shape
            _tensor("c", [1], "int32"),
            _tensor("d", [1]),  # not in the reference
        ),
    )
    assert [(item.tensor, item.max_abs_difference) for item in found] == [("a", 1.0)]
    assert found[0].sqnr_db == pytest.approx(20)


@pytest.mark.parametrize(
    ("decibels", "at"),
    [
        ((50, 40, 5, 3), "t2"),  # the first below
        ((50, -math.inf), "t1"),
        ((50, math.nan), "t1"),
        ((190, 180, 20, 18), "t2"),  # none below: the largest fall
        ((60, 55, 50), "t0"),  # 140 dB lost at once, counted from 200
        ((math.inf, 150, 30), "t2"),
        ((5,), "t0"),
    ],
)
def test_first_collapse(decibels: tuple[float, ...], at: str) -> None:
    assert first_collapse(_found(*decibels), 15) == at


def test_a_lost_part_is_found_where_no_whole_tensor_collapses() -> None:
    whole = _found(50, 45, 40)
    found = tuple(
        item.model_copy(update={"part_db": part_db})
        for item, part_db in zip(whole, (30, 2, 1), strict=True)
    )
    assert first_collapse(found, 15, 6) == "t1"
    assert first_collapse(found[:2] + _found(50, 45, 5)[2:], 15, 6) == "t2"  # noise first


def test_the_worst_part_of_a_tensor_is_named() -> None:
    reference = Tensor(
        index=0, name="a", operator=0, op_name="ADD", values=np.outer([1.0, -1.0], [640, 1])
    )
    lost = Tensor(
        index=0, name="a", operator=0, op_name="ADD", values=np.outer([1.0, -1.0], [640, 0])
    )
    (found,) = compare_tensors((reference,), (lost,))
    assert (found.part, found.part_db) == ("column 1", 0.0)
    assert found.sqnr_db > 50


def test_nothing_to_compare_is_no_place() -> None:
    assert first_collapse((), 15) is None
