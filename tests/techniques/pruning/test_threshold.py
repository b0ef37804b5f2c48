"""The quick ranking never asks for more zeros than the slow one, and ends at the same count."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_squeeze.techniques.pruning.masking import RisingZeros


def test_the_smallest_go_first_and_never_return() -> None:
    rising = RisingZeros(np.array([3.0, -1.0, 2.0, -4.0]))
    mask = rising.exactly(np.array([3.0, -1.0, 2.0, -4.0]), 1)
    assert mask is not None
    assert mask.tolist() == [True, False, True, True]
    # What was zeroed has grown meanwhile, yet it stays zero.
    mask = rising.exactly(np.array([3.0, -9.0, 2.0, -4.0]), 2)
    assert mask is not None
    assert mask.tolist() == [True, False, False, True]
    assert rising.exactly(np.ones(4), 2) is None
    assert rising.exactly(np.ones(4), 1) is None


def test_zeros_that_were_there_count() -> None:
    rising = RisingZeros(np.array([0.0, 1.0, 2.0, 3.0]))
    mask = rising.exactly(np.array([0.0, 1.0, 2.0, 3.0]), 2)
    assert mask is not None
    assert mask.tolist() == [False, False, True, True]


@settings(deadline=None, max_examples=60)
@given(
    size=st.integers(4, 400) | st.integers(2049, 4000),
    steps=st.integers(1, 100),
    final=st.floats(0.05, 0.98),
    drift=st.floats(0, 0.5),
    seed=st.integers(0, 999),
)
def test_many_quick_steps_end_where_one_slow_step_would(
    size: int, steps: int, final: float, drift: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=size)
    rising = RisingZeros(weights)
    most = round(final * size)
    before = np.ones(size, bool)
    for step in range(steps):
        mask = rising.about(weights, round(most * step / steps), most)
        if mask is not None:
            assert not (mask & ~before).any()
            assert size - mask.sum() <= most
            before = mask
        weights = (weights + drift * rng.normal(size=size)) * before
    mask = rising.exactly(weights, most)
    zeros = size - (before if mask is None else mask).sum()
    assert zeros == most
