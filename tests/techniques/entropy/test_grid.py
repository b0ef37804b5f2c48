"""Integer grids as arrays."""

import numpy as np
import pytest

from tflite_squeeze.techniques.entropy.grid import bfloat16, emptied, first_step
from tflite_squeeze.tflite.lut import entropy_bytes


def test_the_first_step_is_a_quarter_of_the_deviation_and_holds_the_largest():
    weights = np.float32([[3, -3, 3, -3], [0, 0, 0, 400]])
    np.testing.assert_allclose(first_step(weights, (1,)), [[0.75], [50.0]])
    many = np.zeros(1_000_000, np.float32)
    many[0] = 127.0
    np.testing.assert_allclose(first_step(many, (0,)), [1.0])
    assert (first_step(np.zeros((3, 2), np.float32), (0, 1)) == np.float32(0.01)).all()


def test_steps_have_eight_significant_bits():
    steps = bfloat16(np.float32([0.1, 1.0, 0.333]))
    assert not (steps.view(np.uint32) & 0xFFFF).any()
    np.testing.assert_allclose(steps, [0.1, 1.0, 0.333], rtol=2**-8)
    # Integers times such a step are exact, so that the grid can be read off the weights.
    weights = np.arange(-127, 128).astype(np.float32) * steps[0]
    np.testing.assert_array_equal(weights.astype(float), np.arange(-127, 128) * float(steps[0]))


def test_ones_are_emptied_until_the_code_fits():
    rng = np.random.default_rng(0)
    scaled = [rng.laplace(scale=0.7, size=shape).astype(np.float32) for shape in ((40, 50), (300,))]
    integers = [np.rint(one).astype(np.int8) for one in scaled]
    whole = sum(map(entropy_bytes, integers))
    found, count = emptied(integers, scaled, 0.8 * whole)
    assert sum(map(entropy_bytes, found)) <= 0.8 * whole
    one_less = sum(np.count_nonzero(a != b) for a, b in zip(found, integers, strict=True))
    assert count == one_less > 0
    changed = [np.abs(s)[a != b] for a, b, s in zip(found, integers, scaled, strict=True)]
    kept = [np.abs(s)[(a == b) & (np.abs(b) == 1)]
            for a, b, s in zip(found, integers, scaled, strict=True)]  # fmt: skip
    assert max(map(np.max, changed)) <= min(map(np.min, kept))


@pytest.mark.parametrize(("target", "emptied_all"), [(1e9, False), (0.0, True)])
def test_what_fits_stays_and_what_cannot_fit_loses_all_ones(target, emptied_all):
    integers, scaled = [np.int8([1, -1, 2, 0])], [np.float32([0.9, -0.7, 2, 0])]
    (found,), count = emptied(integers, scaled, target)
    np.testing.assert_array_equal(found, [0, 0, 2, 0] if emptied_all else [1, -1, 2, 0])
    assert count == 2 * emptied_all
