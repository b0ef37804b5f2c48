"""Lost parts by name, with what to do."""

import math

import numpy as np
import pytest

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.verification.parts import (
    AxisFidelity,
    PartFidelity,
    compare_parts,
    lost_parts,
    part_name,
    worst_part,
)

INT8 = Quantization.INT8


def _answers(*deviations: float, count: int = 16) -> np.ndarray:
    return np.outer(np.resize([1.0, -1.0], count), deviations)


def _frozen(reference: np.ndarray, *columns: int) -> np.ndarray:
    values = reference.copy()
    values[:, columns] = 0
    return values


def test_one_lost_column_is_named_with_a_remedy() -> None:
    reference = _answers(640, 640, 640, 640, 1)
    (line,) = lost_parts(compare_parts(reference, _frozen(reference, 4), 6), 6, INT8)
    assert line == (
        "column 4 varies in the model and is constant in the file: give each part with a "
        "different scale an output of its own, leave offsets to the app, or use "
        "--quantize mixed"
    )


def test_several_are_listed_the_worst_explained_and_the_rest_counted() -> None:
    reference = _answers(*[1.0] * 12)
    values = _frozen(reference, 3) + np.eye(1, 12, 5) * 2
    (line,) = lost_parts(compare_parts(reference, values, 6), 6, INT8)
    assert line.startswith("columns 3, 5 of 12 are lost (column 3 varies in the model and is")
    (line,) = lost_parts(compare_parts(reference, 0 * reference, 6), 6, INT8)
    assert line.startswith("columns 0, 1, 2, 3, 4, 5, 6, 7 and 4 more of 12 are lost (column")


def test_a_noisy_column_has_its_decibels() -> None:
    reference = _answers(1, 1)
    (line,) = lost_parts(compare_parts(reference, reference * [1, 2], 6), 6, Quantization.DYNAMIC)
    assert line == "column 1 reaches 0.0 dB about its mean, below 6 dB: use --quantize float16"


def test_the_only_part_needs_no_name_and_no_output_of_its_own() -> None:
    reference = 300 + _answers(1)
    (line,) = lost_parts(compare_parts(reference, 0 * reference + 300, 6), 6, INT8)
    assert line == (
        "it varies in the model and is constant in the file: leave its scale and offset to the "
        "app, or use --quantize mixed"
    )


def test_a_few_of_many_of_a_kind_are_told_and_do_not_fail() -> None:
    reference = _answers(*[1.0] * 40)
    axes = compare_parts(reference, _frozen(reference, 7, 9), 6)
    assert lost_parts(axes, 6, INT8) == []
    (line,) = lost_parts(axes, 6, INT8, few=True)
    assert line.startswith("columns 7, 9 of 40 are lost")
    three = compare_parts(reference, _frozen(reference, 7, 9, 11), 6)
    assert len(lost_parts(three, 6, INT8)) == 1
    assert lost_parts(three, 6, INT8, few=True) == []


def test_what_is_sound_is_not_mentioned() -> None:
    reference = _answers(1, 2, 3)
    assert lost_parts(compare_parts(reference, reference, 40), 40, INT8) == []


@pytest.mark.parametrize("quantization", Quantization)
def test_every_quantization_has_a_remedy(quantization: Quantization) -> None:
    part = PartFidelity(index=0, sqnr_db=1, mean=0, spread=1, frozen=False)
    for count in (1, 2):
        axis = AxisFidelity(axis=-1, count=count, lost=1, share=1.0, worst=(part,))
        (line,) = lost_parts((axis,), 6, quantization)
        assert line.count(": ") == 1
        assert quantization.value not in line.split(": ")[1].replace("int16x8 or", "")


def test_names() -> None:
    assert part_name(-1, 4) == "column 4"
    assert part_name(2, 4, 7) == "indexes 4, 7 of axis 2"


def test_the_worst_part_of_all_axes() -> None:
    reference = _answers(1, 1)
    assert worst_part(compare_parts(reference, reference * [1, 2], 6)) == ("column 1", 0.0)
    assert worst_part(compare_parts(reference[:, 0], 2 * reference[:, 0], 6)) == ("", 0.0)
    assert worst_part(()) == ("", math.inf)
