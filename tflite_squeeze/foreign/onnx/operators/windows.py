"""What convolutions and pools share: windows that slide, and what is around the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tflite_squeeze.foreign.onnx.registry import Call

_PADDING = {
    1: keras.layers.ZeroPadding1D,
    2: keras.layers.ZeroPadding2D,
    3: keras.layers.ZeroPadding3D,
}
_POOLING = {
    1: keras.layers.MaxPooling1D,
    2: keras.layers.MaxPooling2D,
    3: keras.layers.MaxPooling3D,
}


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window that slides over one to three axes; every tuple has an entry for each.

    Attributes:
        sizes: of the image.
        kernel: of the window.
        strides: how far it moves.
        dilations: the distance of the elements that it takes.
        low: elements in front of the image.
        high: elements behind it.
    """

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]

    @property
    def extents(self) -> tuple[int, ...]:
        """From the first to the last element of a window."""
        pairs = zip(self.kernel, self.dilations, strict=True)
        return tuple((width - 1) * step + 1 for width, step in pairs)

    @property
    def outputs(self) -> tuple[int, ...]:
        """How many places the window has."""
        return tuple(
            (size + low + high - extent) // step + 1
            for size, low, high, extent, step in zip(
                self.sizes, self.low, self.high, self.extents, self.strides, strict=True
            )
        )

    @property
    def is_same(self) -> bool:
        """Whether Keras's "same" puts the same around the image."""
        return (self.low, self.high) == _same(self, first_more=False)


def _same(window: Window, *, first_more: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What makes as many outputs as strides fit into the image."""
    totals = [
        max((-(-size // step) - 1) * step + extent - size, 0)
        for size, step, extent in zip(window.sizes, window.strides, window.extents, strict=True)
    ]
    less = tuple(total // 2 for total in totals)
    more = tuple(total - total // 2 for total in totals)
    return (more, less) if first_more else (less, more)


def window_of(call: Call, sizes: Sequence[int], kernel: Sequence[int]) -> Window:
    """The window of a convolution or a pool, with as much behind the image as its output needs."""
    dims = len(kernel)
    pads = [int(each) for each in call.attribute("pads", [0] * 2 * dims)]
    window = Window(
        sizes=tuple(sizes),
        kernel=tuple(int(each) for each in kernel),
        strides=tuple(call.attribute("strides", [1] * dims)),
        dilations=tuple(call.attribute("dilations", [1] * dims)),
        low=tuple(pads[:dims]),
        high=tuple(pads[dims:]),
    )
    automatic = call.attribute("auto_pad", "NOTSET")
    if automatic in ("NOTSET", "VALID"):
        return window
    low, high = _same(window, first_more=automatic == "SAME_LOWER")
    return _with_pads(window, low, high)


def _with_pads(window: Window, low: Sequence[int], high: Sequence[int]) -> Window:
    from dataclasses import replace

    return replace(window, low=tuple(low), high=tuple(high))


def reaching(window: Window, outputs: Sequence[int]) -> Window:
    """The same window with enough behind the image for that many outputs, as `ceil_mode` makes."""
    needed = [
        (count - 1) * step + extent - size - low
        for count, step, extent, size, low in zip(
            outputs, window.strides, window.extents, window.sizes, window.low, strict=True
        )
    ]
    high = [max(one, other) for one, other in zip(needed, window.high, strict=True)]
    return _with_pads(window, window.low, high)


def padded(tensor: Any, window: Window, *, mode: str = "zeros") -> tuple[Any, str]:
    """The tensor with what is around it, and how Keras is to pad then.

    Args:
        tensor: channels last.
        window: says what is needed.
        mode: "zeros", or "symmetric" for a copy of what is inside.
    """
    if window.is_same:
        return tensor, "same" if any(window.low + window.high) else "valid"
    if not any(window.low + window.high):
        return tensor, "valid"
    pairs = list(zip(window.low, window.high, strict=True))
    if mode == "symmetric":
        return keras.ops.pad(tensor, [(0, 0), *pairs, (0, 0)], mode="symmetric"), "valid"
    dims = len(pairs)
    return _PADDING[dims](pairs if dims > 1 else pairs[0])(tensor), "valid"


def subsampled(tensor: Any, strides: Sequence[int]) -> Any:
    """Every so many elements of each axis."""
    dims = len(strides)
    return _POOLING[dims](pool_size=(1,) * dims, strides=tuple(strides))(tensor)
