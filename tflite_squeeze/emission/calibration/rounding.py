"""Weights rounded one after the other, each making up for the errors of those before.

A layer multiplies rows x with a matrix W. Rounded to the nearest, each weight errs alone; here the
weights of an input are rounded for all outputs at once, and what that changes in x W is put into
the weights of the inputs that are not rounded yet, as far as they go along with it:

    W[j:] -= H⁻¹[j:, i] / H⁻¹[i, i] · (W[i] - Q[i]),  H = E[x xᵀ] + λ

Reference: Frantar et al. 2023, arXiv:2210.17323 (GPTQ), algorithm 1, with the inputs in the order
of their power.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.calibration.weight_scales import rounded

Array = NDArray[Any]

DAMPING = 0.01  # of the mean power of the inputs
_BLOCK = 128  # rows between which corrections are carried at once


def compensated(
    weights: Array, moments: Array, scale: Array, levels: int, damping: float = DAMPING
) -> Array:
    """Weights on the grid that come close to the answers of the given ones.

    Args:
        weights: (inputs, outputs), or (channels, taps, multiplier) of a depthwise kernel, for
            which each channel is a matrix of its own.
        moments: E[x xᵀ] of the inputs, (inputs, inputs) or (channels, taps, taps).
        scale: of each output, (outputs,) or (channels, multiplier).
        levels: the largest integer.
        damping: λ in shares of the mean of the moments' diagonal.

    Returns:
        Multiples of the scales, float64, of the weights' shape. Zeros stay zeros.

    Example:
        >>> moments = np.array([[1.0, 1.0], [1.0, 1.0]])  # both inputs are always equal
        >>> compensated(np.array([[0.4], [0.4]]), moments, np.array([1.0]), 7).sum()
        1.0
    """
    single = weights.ndim == 2
    left = np.array(weights[np.newaxis] if single else weights, np.float64)
    moments = np.asarray(moments, np.float64).reshape(len(left), *2 * left.shape[1:2])
    scale = np.broadcast_to(scale, (len(left), left.shape[-1]))
    power = np.diagonal(moments, axis1=1, axis2=2)
    order = np.argsort(-power, axis=1, kind="stable")
    left = np.take_along_axis(left, order[:, :, np.newaxis], axis=1)
    moments = np.take_along_axis(moments, order[:, :, np.newaxis], axis=1)
    moments = np.take_along_axis(moments, order[:, np.newaxis, :], axis=2)
    done = _one_by_one(left, _inverse_root(moments, damping), scale, levels)
    found = np.empty_like(done)
    np.put_along_axis(found, order[:, :, np.newaxis], done, axis=1)
    return found[0] if single else found


def _inverse_root(moments: Array, damping: float) -> Array:
    """The upper U with Uᵀ U = H⁻¹; its row i says how errors of weight i go on to later ones."""
    mean = np.trace(moments, axis1=1, axis2=2) / moments.shape[-1]
    added = np.where(mean > 0, damping * mean, 1.0)
    damped = moments + added[:, np.newaxis, np.newaxis] * np.eye(moments.shape[-1])
    return np.linalg.cholesky(np.linalg.inv(damped)).swapaxes(1, 2)


def _one_by_one(left: Array, root: Array, scale: Array, levels: int) -> Array:
    """Rounds rows in turn; `left` is changed."""
    zeros, done = left == 0, np.empty_like(left)
    for start in range(0, left.shape[1], _BLOCK):
        stop = min(start + _BLOCK, left.shape[1])
        errors = np.empty((len(left), stop - start, left.shape[2]))
        for row in range(start, stop):
            done[:, row] = np.where(zeros[:, row], 0, rounded(left[:, row], scale, levels))
            error = (left[:, row] - done[:, row]) / root[:, row, row, np.newaxis]
            onwards = root[:, row, row + 1 : stop, np.newaxis]
            left[:, row + 1 : stop] -= onwards * error[:, np.newaxis]
            errors[:, row - start] = error
        left[:, stop:] -= root[:, start:stop, stop:].swapaxes(1, 2) @ errors
    return done
