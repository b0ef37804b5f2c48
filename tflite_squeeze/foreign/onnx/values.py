"""Where the axes of an ONNX tensor are in a Keras tensor.

The graph is read at batch 1. Its batch axis is then one of the axes of size 1, wherever it is and
whatever it is merged with, and a Keras tensor has its own in front. So a value is a Keras tensor
and the ONNX axis that each of its further axes holds: Transpose, Squeeze and Unsqueeze only rename
axes, and channels stay last until the mathematics needs them elsewhere.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

Axes = tuple[int, ...]
Shape = tuple[int, ...]
CHANNELS_LAST: dict[int, Axes] = {2: (1,), 3: (2, 1), 4: (2, 3, 1), 5: (2, 3, 4, 1)}


@dataclass(frozen=True, kw_only=True)
class Value:
    """An ONNX tensor that depends on the input.

    Attributes:
        tensor: the Keras tensor, batch first.
        axes: the ONNX axis that each further axis of it holds; others have size 1.
        shape: of the ONNX tensor at batch 1.
        nonnegative: whether no element can be below 0.
        flattened: what was flattened into this in another order than ONNX's; None if in order.
    """

    tensor: Any
    axes: Axes
    shape: Shape
    nonnegative: bool = False
    flattened: "Value | None" = None

    def __post_init__(self) -> None:
        kept = math.prod(self.shape[axis] for axis in self.axes)
        if kept != math.prod(self.shape) or len(set(self.axes)) != len(self.axes):
            raise ValueError(f"axes {self.axes} do not hold all of a tensor of shape {self.shape}")

    @property
    def large(self) -> Axes:
        """The axes held that have more than one element."""
        return tuple(axis for axis in self.axes if self.shape[axis] > 1)


def position(value: Value, axis: int) -> int | None:
    """Which Keras axis holds an ONNX axis; None for one of size 1 that is left out."""
    return value.axes.index(axis) + 1 if axis in value.axes else None


def settled(value: Value) -> Value:
    """The same with its elements in ONNX's order."""
    if value.flattened is None:
        return value
    return _reshaped(value.flattened, value.shape)


def stored(value: Value, axes: Sequence[int]) -> Any:
    """The Keras tensor with exactly these ONNX axes, in this order, after the batch."""
    value, wanted = settled(value), tuple(axes)
    if value.axes == wanted:
        return value.tensor
    missing = [axis for axis in value.large if axis not in wanted]
    if missing:
        raise ValueError(f"axes {wanted} leave out {missing} of a tensor of shape {value.shape}")
    tensor, kept = value.tensor, [axis for axis in value.axes if axis in wanted]
    target = [axis for axis in wanted if axis in kept]
    if list(value.large) != [axis for axis in wanted if value.shape[axis] > 1]:
        if len(kept) < len(value.axes):
            tensor = reshape(tensor, [value.shape[axis] for axis in kept])
        tensor = keras.layers.Permute([kept.index(axis) + 1 for axis in target])(tensor)
    return reshape(tensor, [value.shape[axis] for axis in wanted])


def held(value: Value, axes: Sequence[int]) -> Value:
    """The same value with exactly these axes."""
    return Value(
        tensor=stored(value, axes),
        axes=tuple(axes),
        shape=value.shape,
        nonnegative=value.nonnegative,
    )


def reshape(tensor: Any, sizes: Iterable[int]) -> Any:
    """A Keras tensor in another shape; two steps of which one undoes the other come to none."""
    target = (None, *sizes)
    if tuple(tensor.shape) == target:
        return tensor
    made_by = getattr(getattr(tensor, "_keras_history", None), "operation", None)
    if isinstance(made_by, keras.layers.Reshape):
        before = made_by.input
        return before if tuple(before.shape) == target else keras.layers.Reshape(target[1:])(before)
    return keras.layers.Reshape(target[1:])(tensor)


def transposed(value: Value, permutation: Sequence[int]) -> Value:
    """ONNX's Transpose: the axes get other names."""
    value = settled(value)
    order = list(permutation)
    return Value(
        tensor=value.tensor,
        axes=tuple(order.index(axis) for axis in value.axes),
        shape=tuple(value.shape[axis] for axis in order),
        nonnegative=value.nonnegative,
    )


def lifted(value: Value, rank: int) -> Value:
    """The same with axes of size 1 in front, as broadcasting adds them."""
    value, more = settled(value), rank - len(value.shape)
    return Value(
        tensor=value.tensor,
        axes=tuple(axis + more for axis in value.axes),
        shape=(1,) * more + value.shape,
        nonnegative=value.nonnegative,
    )


def reshaped(value: Value, shape: Sequence[int]) -> Value:
    """ONNX's Reshape, Flatten, Squeeze and Unsqueeze.

    Where all axes become one, and are held in another order than ONNX's, the elements stay in that
    order: a Dense that comes next takes it over into its rows.
    """
    shape = tuple(shape)
    if value.flattened is not None:
        value = value.flattened
    groups = _groups(value.shape, shape)
    if len(groups) == 1 and len(groups[0][1]) == 1 and not _adjacent(value.large, groups):
        return Value(
            tensor=keras.layers.Flatten()(value.tensor),
            axes=tuple(groups[0][1]),
            shape=shape,
            nonnegative=value.nonnegative,
            flattened=value,
        )
    return _reshaped(value, shape)


def flat_order(value: Value) -> NDArray[np.intp]:
    """The place in ONNX's order of each element of a value that was flattened in another."""
    before = value.flattened
    if before is None:
        return np.arange(math.prod(value.shape))
    places = np.arange(math.prod(before.shape)).reshape(before.shape)
    rest = [axis for axis in range(len(before.shape)) if axis not in before.axes]
    return places.transpose([*before.axes, *rest]).ravel()


Groups = list[tuple[list[int], list[int]]]


def _groups(before: Shape, after: Shape) -> Groups:
    """Which axes become which, those of size 1 left out; each group holds as many elements."""
    old = [(axis, size) for axis, size in enumerate(before) if size > 1]
    new = [(axis, size) for axis, size in enumerate(after) if size > 1]
    if math.prod(before) != math.prod(after):
        raise ValueError(f"a tensor of shape {before} cannot become one of shape {after}")
    found: Groups = []
    while old or new:
        (one, size), (other, other_size) = old.pop(0), new.pop(0)
        taken, made = [one], [other]
        while size != other_size:
            source, names = (old, taken) if size < other_size else (new, made)
            axis, factor = source.pop(0)
            names.append(axis)
            if source is old:
                size *= factor
            else:
                other_size *= factor
        found.append((taken, made))
    return found


def _adjacent(held_axes: Axes, groups: Groups) -> bool:
    """Whether the axes of each group are side by side and in ONNX's order."""
    for taken, _ in groups:
        start = held_axes.index(taken[0])
        if list(held_axes[start : start + len(taken)]) != taken:
            return False
    return True


def _reshaped(value: Value, shape: Sequence[int]) -> Value:
    shape, groups = tuple(shape), _groups(value.shape, shape)
    order = list(value.large)
    if len(order) == len(value.axes) and all(len(a) == len(b) == 1 for a, b in groups):
        names = {taken[0]: made[0] for taken, made in groups}
        axes = tuple(names[axis] for axis in value.axes)
        return Value(tensor=value.tensor, axes=axes, shape=shape, nonnegative=value.nonnegative)
    if not _adjacent(value.large, groups):
        for taken, _ in groups:
            order = _gathered(order, taken)
    tensor = stored(value, order) if tuple(order) != value.large else value.tensor
    made_of = {taken[0]: made for taken, made in groups}
    axes = tuple(new for axis in order for new in made_of.get(axis, []))
    if not axes and shape:
        axes = (len(shape) - 1,)
    return Value(
        tensor=reshape(tensor, [shape[axis] for axis in axes]),
        axes=axes,
        shape=shape,
        nonnegative=value.nonnegative,
    )


def _gathered(order: list[int], together: list[int]) -> list[int]:
    """The same axes with some side by side, where the last of them was."""
    last = max(order.index(axis) for axis in together)
    before = [axis for axis in order[:last] if axis not in together]
    return before + together + [axis for axis in order[last:] if axis not in together]
