"""The projection as a constraint: what it does to a tensor."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.network.projections import MaskProjection, attach, detach
from tflite_squeeze.techniques.sharing.projection import SharedProjection

SEGMENTS = np.array([[1, 1, 2], [0, 2, 2]])


def kernel(library: Any, **options: Any) -> Any:
    layer = library.layers.Dense(3, **options)
    layer.build((None, 2))
    layer.kernel.assign([[1.0, 3.0, -2.0], [0.0, -4.0, -6.0]])
    return layer.kernel


@pytest.mark.parametrize("follows", [False, True])
def test_members_become_their_mean_and_zeros_stay(library: Any, follows: bool) -> None:
    variable = kernel(library)
    projection = SharedProjection(variable, SEGMENTS, 3, follows=follows)
    assert np.asarray(variable).tolist() == [[2, 2, -4], [0, -4, -4]]
    # Steps of (3, 1) move the first value by 2; those of (0, 3, 3) the second by 2.
    steps = np.array([[3.0, 1.0, 0.0], [9.0, 3.0, 3.0]], np.float32)
    assert np.asarray(projection(variable + steps)).tolist() == [[4, 4, -2], [0, -2, -2]]


def test_what_lies_aside_can_go_to_another_value(library: Any) -> None:
    variable = kernel(library)
    projection = SharedProjection(variable, SEGMENTS, 3, follows=True)
    steps = np.array([[0.0, 0.0, 6.0], [0.0, 0.0, 0.0]], np.float32)
    variable.assign(projection(variable + steps))
    # The second value moved by 6 / 3; of what is left of its own step (4, -2, -2), each weight
    # goes one fiftieth.
    assert np.asarray(variable).tolist() == [[2, 2, -2], [0, -2, -2]]
    expected = np.array([[1, 3, -2 + 2 + 0.08], [0, -4 + 2 - 0.04, -6 + 2 - 0.04]], np.float32)
    np.testing.assert_allclose(projection.free(), expected, rtol=1e-6)
    projection.assign(np.array([[1, 1, 1], [0, 2, 2]]), projection.free())
    first, second = np.float32(4.08 / 3), np.float32((-2.04 - 4.04) / 2)
    np.testing.assert_allclose(variable, [[first] * 3, [0, second, second]], rtol=1e-6)


def test_thousands_of_steps_do_not_drift(library: Any) -> None:
    """A plain float32 sum over so many equal members is off by more than 1e-5 in each step."""
    layer = library.layers.Dense(300)
    layer.build((None, 200))
    layer.kernel.assign(np.full((200, 300), 0.1, np.float32))
    projection = SharedProjection(layer.kernel, np.ones((200, 300), int), 2, follows=False)
    weights = tf.constant(np.asarray(layer.kernel))
    for _ in range(100):
        weights = projection(weights)
    assert np.unique(weights).tolist() == [np.float32(0.1)]
    # The control: this is what was avoided.
    naive = tf.math.unsorted_segment_sum(tf.fill([60_000], 0.1), tf.zeros(60_000, tf.int32), 1)
    assert abs(float(naive[0]) / 60_000 - 0.1) > 1e-5


def test_a_mask_that_moves_meanwhile_takes_members_out(library: Any) -> None:
    variable = kernel(library)
    mask = MaskProjection(variable)
    masks = attach([(variable, mask)])
    projection = SharedProjection(variable, SEGMENTS, 3, follows=False)
    shared = attach([(variable, projection)])
    mask.assign(np.array([[False, True, True], [False, True, True]]))
    steps = np.array([[0.0, 2.0, 1.0], [0.0, 1.0, 1.0]], np.float32)
    assert np.asarray(variable.constraint(variable + steps)).tolist() == [[0, 4, -3], [0, -3, -3]]
    detach(masks)
    assert variable.constraint is projection
    detach(shared)
    assert variable.constraint is None


def test_mixed_precision(library: Any) -> None:
    variable = kernel(library, dtype="mixed_float16")
    projection = SharedProjection(variable, SEGMENTS, 3, follows=False)
    pairs = attach([(variable, projection)])
    assert np.asarray(variable).tolist() == [[2, 2, -4], [0, -4, -4]]
    detach(pairs)


def test_the_table_is_told_as_long_as_the_weights_keep_to_it(library: Any) -> None:
    variable = kernel(library)
    projection = SharedProjection(variable, SEGMENTS, 4, follows=False)
    table = projection.table()
    assert table is not None
    assert table.tolist() == [0, 2, -4, 0]
    variable.assign([[2.0, 2.5, -4.0], [0.0, -4.0, -4.0]])
    assert projection.table() is None
    variable.assign([[2.0, 2.0, -4.0], [0.5, -4.0, -4.0]])
    assert projection.table() is None
