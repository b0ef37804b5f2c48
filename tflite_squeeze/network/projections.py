"""What a constrained weight must look like: projections, set as a variable's constraint.

The framework applies a constraint inside the compiled step, after the optimiser, so a projection
needs no wrapper and nothing to strip, and holds in nested and subclassed models, under
`jit_compile`, `steps_per_execution` and `tf.distribute`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.network import variables as keras_variables

Array = NDArray[Any]

# How much of what is kept aside for a zeroed weight is left after a step. Without it, optimisers
# that scale their steps (Adam) let any zeroed weight walk past those that stay.
_FADING = 0.9

Attached = list[tuple[Any, Callable[[Any], Any]]]  # (variable, projection)


class MaskProjection:
    """Keeps weights on a mask: w where the mask is True, 0 elsewhere.

    With `grows`, what the optimiser would do to a zeroed weight is kept aside and fades, so that
    the score of a weight that is pushed the same way in step after step can rise again, and the
    next mask may let it return.

    Args:
        variable: the Keras variable.
        grows: whether zeroed weights may return.

    Reference: Guo et al. 2016, arXiv:1608.04493, equation 3, for the weights kept aside.
    """

    def __init__(self, variable: Any, *, grows: bool = False) -> None:
        values = np.asarray(variable)
        self._variable = variable
        self.mask = new_state(nonzero(values), variable)
        self._aside = new_state(values, variable) if grows else None

    def __call__(self, weights: Any) -> Any:
        """Applies the projection to a tensor of the variable's shape, inside the step."""
        tensor = tf.convert_to_tensor(weights)
        if self._aside is not None:
            # A zeroed weight was 0 before the step, so what it is now is the step.
            self._aside.assign(tf.where(self.mask, tensor, _FADING * self._aside + tensor))
        return tf.where(self.mask, tensor, tf.zeros([], tensor.dtype))

    def dense(self) -> Array:
        """The weights to be ranked: with `grows`, as they would be without a mask."""
        return np.asarray(self._variable if self._aside is None else self._aside)

    def current(self) -> Array:
        """The mask as it is."""
        return np.asarray(self.mask)

    def assign(self, mask: Array, *, now: bool = True) -> None:
        """Moves the projection to another mask.

        Args:
            mask: of the variable's shape, True where a weight stays.
            now: whether the weights move at once, or with the next training step.
        """
        self.mask.assign(mask)
        if now:
            self._variable.assign(np.where(mask, self.dense(), 0))

    def hold(self) -> None:
        """Zeroes once more what the mask says, whatever was assigned to the weights meanwhile."""
        self._variable.assign(np.where(self.current(), np.asarray(self._variable), 0))


class Composed:
    """Applies constraints one after the other: the user's own first."""

    def __init__(self, *constraints: Callable[[Any], Any]) -> None:
        self.parts = constraints

    def __call__(self, weights: Any) -> Any:
        """Applies them to a tensor."""
        for constraint in self.parts:
            weights = constraint(weights)
        return weights


def new_state(values: Array, variable: Any) -> tf.Variable:
    """A TensorFlow variable that lives where the weight lives, distributed alike."""
    strategy = keras_variables.strategy_of(variable)
    with strategy.scope():
        return tf.Variable(values, trainable=False)


@contextmanager
def constrained(projections: Attached) -> Iterator[None]:
    """Sets projections on variables for the block; constraints that were there hold too.

    Args:
        projections: (variable, projection).
    """
    attached = attach(projections)
    try:
        yield
    finally:
        detach(attached)


def zeros_held(variables: Iterable[Any]) -> AbstractContextManager[None]:
    """Keeps the zeros that some variables have now, for the block."""
    return constrained([(variable, MaskProjection(variable)) for variable in variables])


def attach(projections: Attached) -> Attached:
    """Sets projections as constraints, after those that are there.

    Args:
        projections: (variable, projection).

    Returns:
        What `detach` needs to take them off again.
    """
    for variable, projection in projections:
        own = keras_variables.constraint_of(variable)
        keras_variables.constrain(variable, Composed(own, projection) if own else projection)
    return projections


def detach(attached: Attached) -> None:
    """Takes projections off again, in whatever order others were set and taken off meanwhile."""
    for variable, projection in attached:
        constraint = keras_variables.constraint_of(variable)
        keras_variables.constrain(variable, _without(constraint, projection))


def parts_of(constraint: Any) -> tuple[Any, ...]:
    """The constraints that a composed one applies, in order; none for None."""
    if isinstance(constraint, Composed):
        return tuple(part for inner in constraint.parts for part in parts_of(inner))
    return () if constraint is None else (constraint,)


def _without(constraint: Any, projection: Any) -> Any:
    left = [part for part in parts_of(constraint) if part is not projection]
    if len(left) < 2:
        return left[0] if left else None
    return Composed(*left)


def nonzero(weights: Array) -> Array:
    """The mask that weights come with: their zeros are those of earlier pruning and stay.

    A tensor of nothing but zeros was initialised so, and all of it is free to train.
    """
    mask = np.asarray(weights) != 0
    return mask if mask.any() else np.ones_like(mask)
