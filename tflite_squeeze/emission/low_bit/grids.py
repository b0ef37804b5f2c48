"""Kernels on grids of few levels: what a network chose, and what a file without one gets."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.calibration.quantized_run import quantized_kernels
from tflite_squeeze.emission.calibration.weight_scales import as_columns, largest, least_error
from tflite_squeeze.emission.low_bit.few_bits import ternary_scales
from tflite_squeeze.network.quantization.folding import is_depthwise
from tflite_squeeze.network.quantization.plan import QuantizationPlan, WeightBits

Array = NDArray[Any]

_FAR = 1e-3  # of a step: further from its integer a value is on another grid


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The integers and scales of one kernel.

    Attributes:
        bits: of each integer.
        codes: int8 (channels, weights of each), symmetric.
        scales: (channels,), float32.
        layer: whose kernel it is; empty for that of a file alone.
    """

    bits: WeightBits
    codes: Array
    scales: Array
    layer: str = ""

    def holds(self, rows: Array) -> bool:
        """Whether values are those of the grid, float32's accuracy aside.

        Args:
            rows: (channels, weights of each).
        """
        if rows.shape != self.codes.shape:
            return False
        steps = self.scales[:, np.newaxis]
        return bool(np.all(np.abs(rows - self.codes * steps) <= _FAR * steps))


def grids_of(model: Any, plan: QuantizationPlan) -> list[Grid]:
    """The grids of a network's kernels.

    Args:
        model: whose kernels are on the grids of the plan, such as `adjusted` returns.
        plan: bits and scales of its kernels.

    Example:
        >>> [grid.layer for grid in grids_of(done.model, done.plan)]
        ['conv_1', 'dense_1']
    """
    found = []
    for name, (node, weight) in quantized_kernels(model, plan).items():
        kernel = np.asarray(node.source.get_weights()[0], np.float64)
        if weight.scale is None or weight.axis is None or weight.bits is None:
            raise ValueError(f"the kernel of {name!r} has no scale for each channel yet")
        rows = as_columns(kernel, weight.axis, depthwise=is_depthwise(node.kind)).T
        scales = np.resize(np.asarray(weight.scale, np.float32), len(rows))
        codes = np.rint(rows / scales[:, np.newaxis]).astype(np.int8)
        found.append(Grid(bits=weight.bits, codes=codes, scales=scales, layer=name))
    return found


def grid_for(rows: Array, bits: WeightBits, known: Iterable[Grid] = ()) -> Grid:
    """The grid of a weight in a file.

    Args:
        rows: float32 (channels, weights of each).
        bits: of the integers, unless a known grid holds the values.
        known: those of the network that the file was made of.

    Returns:
        A known grid; else exactly the values where each channel has -s, 0 and s alone; else the
        one of the least squared error, of 8 bits the one of the greatest weights.

    Example:
        >>> grid_for(np.float32([[0.5, -0.5, 0.0]]), 4).codes
        array([[ 1, -1,  0]], dtype=int8)
    """
    for grid in known:
        if grid.holds(rows):
            return grid
    exact = ternary_scales(rows, 0)
    if exact is not None:
        return Grid(bits=bits, codes=np.sign(rows).astype(np.int8), scales=exact)
    levels = 2 ** (bits - 1) - 1
    find = largest if bits == 8 else least_error
    scales = find(rows.T, levels).astype(np.float32)
    codes = np.clip(np.rint(rows / scales[:, np.newaxis]), -levels, levels)
    return Grid(bits=bits, codes=codes.astype(np.int8), scales=scales)
