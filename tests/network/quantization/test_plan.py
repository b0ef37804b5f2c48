"""What a plan can say and what it refuses."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    WeightQuantization,
    float32_number,
)


@pytest.mark.parametrize(("bits", "levels"), [(8, 127), (4, 7), (2, 1), (None, 0)])
def test_levels_are_symmetric(bits: Any, levels: int) -> None:
    assert WeightQuantization(bits=bits).levels == levels


def test_scales_by_hand() -> None:
    assert ActivationQuantization(low=-1.0, high=1.55).scale == pytest.approx(0.01)
    assert ActivationQuantization(bits=16, low=-1.0, high=3.2767).scale == pytest.approx(1e-4)
    assert ActivationQuantization().scale is None
    assert ActivationQuantization(bits=None, low=0, high=1).scale is None


def test_numbers_are_the_shortest_of_float32() -> None:
    assert float32_number(float(np.float32(0.1))) == 0.1
    assert float32_number(1e39) == float("inf")
    assert float32_number(1e-60) == 0
    assert WeightQuantization(scale=(np.float32(0.3),)).scale == (0.3,)
    assert WeightQuantization(scale=0.25).scale == (0.25,)


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (WeightQuantization, {"bits": None, "scale": 1}, "a weight in float has no scale"),
        (WeightQuantization, {"scale": (1, 2)}, "2 scales without an axis"),
        (WeightQuantization, {"scale": (0.0,)}, "not a positive number"),
        (WeightQuantization, {"scale": (1e39,)}, "not a positive number"),
        (WeightQuantization, {"bits": 5}, "Input should be 8, 4 or 2"),
        (ActivationQuantization, {"low": 0}, "needs both low and high"),
        (ActivationQuantization, {"low": 0, "high": float("nan")}, "give finite numbers"),
        (ActivationQuantization, {"low": 1, "high": 2}, "does not hold 0"),
        (ActivationQuantization, {"low": 0, "high": 0}, "does not hold 0"),
    ],
)
def test_what_contradicts_itself(kind: Any, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        kind(**values)
