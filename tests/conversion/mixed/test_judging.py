"""Answers judged as a file's are, and their distance from the model's."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.mixed.judging import Judge, noise
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.verification.limits import Verify, tolerance_of

RIGHT = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], np.float32)
WRONG = RIGHT[:, ::-1]


def judge(model: Any, answers: list[Any], labels: Any = None, **limits: float) -> Judge:
    tolerance = tolerance_of(Verify(**limits), Quantization.INT8)
    return Judge(folded(model), answers, labels, tolerance)


def test_noise_is_that_of_the_parts_and_not_of_the_largest() -> None:
    boxes, scores = np.linspace(0, 300, 64), np.tile([0.0, 1.0], 32)
    known = np.stack([boxes, scores], axis=1)
    found = known + np.stack([np.zeros(64), np.tile([1.0, 0.0], 32)], axis=1)
    # The error of the scores has twice their variance of 0.25; that of the boxes is none.
    assert noise(known, found) == pytest.approx(1.0)
    assert noise(known, known) == 0


def test_classes_are_told_by_divergence_and_by_the_limits() -> None:
    found = judge(tiny_models.dense(LIBRARIES["keras"]), [RIGHT])
    assert found.counts_classes
    assert found.loss([RIGHT]) == 0
    # KL of (0.8, 0.1, 0.1) from (0.1, 0.1, 0.8) for the first, 0 for the second of two.
    assert found.loss([WRONG]) == pytest.approx(0.7 * np.log(8) / 2, rel=1e-4)
    assert found.failures([RIGHT]) == ()
    assert any("agrees on 50.0%" in line for line in found.failures([WRONG]))


def test_labels_and_limits_are_those_of_the_check() -> None:
    labels = np.array([0, 1])
    strict = judge(tiny_models.dense(LIBRARIES["keras"]), [RIGHT], labels, max_drop=0.1)
    assert any("accuracy falls from 100.00% to 50" in one for one in strict.failures([WRONG]))


@pytest.mark.parametrize(("max_drop", "sure"), [(0.03, False), (0.04, True)])
def test_what_is_lost_may_be_one_standard_error_more(max_drop: float, sure: bool) -> None:
    known = np.tile(np.float32([0.5, 0.4, 0.1]), (100, 1))
    found = known.copy()
    found[:2] = [0.4, 0.5, 0.1]
    labels = np.zeros(100, int)
    one = judge(tiny_models.dense(LIBRARIES["keras"]), [known], labels, max_drop=max_drop)
    assert one.failures([found]) == ()
    # 2 of 100 are lost; half an example in each cell makes sqrt(2.5 + 0.5 - 2² / 102) / 102 = 0.017
    assert one.surely_passes([found]) is sure
    assert one.surely_passes([known])


@pytest.mark.parametrize(("least", "sure"), [(0.97, False), (0.96, True)])
def test_so_may_agreement(least: float, sure: bool) -> None:
    known = np.tile(np.float32([0.5, 0.4, 0.1]), (100, 1))
    found = known.copy()
    found[:2] = [0.4, 0.5, 0.1]
    one = judge(tiny_models.dense(LIBRARIES["keras"]), [known], min_agreement=least)
    assert one.failures([found]) == ()
    assert one.surely_passes([found]) is sure  # 0.98 - sqrt(0.98 x 0.02 / 100) = 0.966


def test_outputs_by_name_in_both_versions(library: Any) -> None:
    model = tiny_models.keyed(library)
    x = np.linspace(-1, 1, 32).reshape(8, 4).astype(np.float32)
    found = judge(model, [x], min_sqnr_db=20)
    assert not found.counts_classes
    assert found.failures([x]) == ()
    assert found.failures([x + 1])[0].startswith("output difference: SQNR")
    assert found.loss([np.full_like(x, np.nan)]) == float("inf")
