"""Grids of few levels: those of a network, those that a file's weights are on, and new ones."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.emission.calibration.adjusting import adjusted
from tflite_squeeze.emission.low_bit.grids import Grid, grid_for, grids_of
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import QuantizationPlan, WeightQuantization

ROWS = np.float32([[0.7, -0.2, 0.1], [1.4, 0.2, -0.6]])


def test_four_bits_by_hand() -> None:
    grid = grid_for(ROWS, 4)
    np.testing.assert_array_equal(grid.codes, [[7, -2, 1], [7, 1, -3]])
    np.testing.assert_allclose(grid.scales, [0.1, 0.2], rtol=1e-6)


def test_the_least_error_clips_what_stands_apart() -> None:
    rows = np.float32([[1.0, *[0.07, -0.07] * 500]])
    grid = grid_for(rows, 2)
    assert grid.scales[0] < 0.2
    assert abs(grid.codes).max() == 1


def test_values_that_are_on_a_known_grid_take_it() -> None:
    known = Grid(bits=2, codes=np.int8([[1, 0, -1]]), scales=np.float32([0.3]), layer="dense")
    near = np.float32([[0.3, 0.00001, -0.3]])
    assert grid_for(near, 4, [known]) is known
    assert grid_for(near + np.float32(0.001), 4, [known]) is not known
    assert not known.holds(near.T)


def test_three_values_are_kept_exactly() -> None:
    rows = np.float32([[0.3, 0.0, -0.3], [0.0, 0.1, 0.1]])
    grid = grid_for(rows, 8)
    np.testing.assert_array_equal(grid.codes * grid.scales[:, None], rows)


def test_the_grids_of_a_network(library: Any) -> None:
    network = folded(tiny_models.convolutional(library))
    plan = QuantizationPlan(weights={"conv/kernel": WeightQuantization(bits=4, axis=-1)})
    image = tiny_models.examples(8, 8, 8, 1)
    done = adjusted(network, plan, {"image": image}, rounding=False, bias=False)
    (grid,) = grids_of(done.model, done.plan)
    assert (grid.layer, grid.bits, grid.codes.shape) == ("conv", 4, (4, 9))
    kernel = done.model.get_layer("conv").get_weights()[0]
    assert grid.holds(kernel.transpose(3, 0, 1, 2).reshape(4, 9))
    with pytest.raises(ValueError, match="no scale for each channel"):
        grids_of(network, plan)
