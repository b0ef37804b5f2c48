"""Images made larger or smaller."""

import keras
import numpy as np

from tflite_squeeze.foreign.layers import Interpolation
from tflite_squeeze.foreign.onnx.operators.convolutions import channels_last
from tflite_squeeze.foreign.onnx.registry import Array, Call, Unsupported, handles
from tflite_squeeze.foreign.onnx.values import CHANNELS_LAST, Value, reshaped

_HALVES = ("half_pixel", "pytorch_half_pixel")


@handles("Resize", "Upsample")
def resize(call: Call) -> Value:
    """UpSampling by whole factors, else the runtime's own interpolation."""
    value = call.value()
    if value.shape == call.shape:
        return value
    if value.shape[:2] != call.shape[:2]:
        raise Unsupported("of the channels")
    if len(value.shape) == 3:
        return _of_a_sequence(call, value)
    if len(value.shape) != 4:
        raise Unsupported(f"of a tensor of {len(value.shape)} axes")
    tensor = channels_last(value)
    old, new = value.shape[2:], call.shape[2:]
    mode = call.attribute("mode", "nearest")
    where = "asymmetric" if call.node.kind == "Upsample" else "half_pixel"
    where = call.attribute("coordinate_transformation_mode", where)
    whole = all(after % before == 0 for before, after in zip(old, new, strict=True))
    factors = tuple(after // before for before, after in zip(old, new, strict=True))
    axes = CHANNELS_LAST[4]
    if call.attribute("antialias", 0):
        raise Unsupported("with antialiasing")
    if mode == "nearest":
        for axis, (before, after) in enumerate(zip(old, new, strict=True)):
            if not np.array_equal(
                nearest(call, where, before, after), np.arange(after) // max(factors[axis], 1)
            ):
                whole = False
        if whole:
            layer = keras.layers.UpSampling2D(factors, name=call.free_name())
            return Value(
                tensor=layer(tensor), axes=axes, shape=call.shape, nonnegative=value.nonnegative
            )
        for axis, (before, after) in enumerate(zip(old, new, strict=True)):
            places = nearest(call, where, before, after).tolist()
            tensor = keras.ops.take(tensor, places, axis=axis + 1)
    elif mode == "linear":
        tensor = _linear(call, tensor, where, factors if whole else None)
    else:
        raise Unsupported(f"with mode {mode!r}")
    return Value(tensor=tensor, axes=axes, shape=call.shape, nonnegative=value.nonnegative)


def _linear(call: Call, tensor: object, where: str, factors: tuple[int, ...] | None) -> object:
    if where in _HALVES and factors is not None:
        layer = keras.layers.UpSampling2D(factors, interpolation="bilinear", name=call.free_name())
        return layer(tensor)
    if where not in (*_HALVES, "align_corners", "asymmetric"):
        raise Unsupported(f"with coordinates of the kind {where!r}")
    interpolation = Interpolation(
        call.shape[2:],
        align_corners=where == "align_corners",
        half_pixel_centers=where in _HALVES,
        name=call.free_name(),
    )
    return interpolation(tensor)


def _of_a_sequence(call: Call, value: Value) -> Value:
    """Along one axis: nearest neighbours, by a whole factor."""
    before, after = value.shape[2], call.shape[2]
    if call.attribute("mode", "nearest") != "nearest" or after % before:
        raise Unsupported("of a sequence other than by a whole factor to the nearest")
    where = call.attribute("coordinate_transformation_mode", "half_pixel")
    if not np.array_equal(
        nearest(call, where, before, after), np.arange(after) // (after // before)
    ):
        raise Unsupported(f"of a sequence with coordinates of the kind {where!r}")
    layer = keras.layers.UpSampling1D(after // before, name=call.free_name())
    made = Value(tensor=layer(channels_last(value)), axes=CHANNELS_LAST[3], shape=call.shape)
    return reshaped(made, call.shape)


def nearest(call: Call, where: str, before: int, after: int) -> Array:
    """Which element each of an axis comes from, as ONNX rounds.

    Args:
        call: says how to round, and the scales if they are stated.
        where: how coordinates are transformed.
        before: size of the axis.
        after: its size afterwards.
    """
    places = np.arange(after, dtype=np.float64)
    scale = after / before
    match where:
        case "half_pixel":
            found = (places + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            found = (places + 0.5) / scale - 0.5 if after > 1 else places * 0
        case "asymmetric":
            found = places / scale
        case "align_corners":
            found = places * (before - 1) / max(after - 1, 1)
        case _:
            raise Unsupported(f"with coordinates of the kind {where!r}")
    default = "floor" if call.node.kind == "Upsample" else "round_prefer_floor"
    match call.attribute("nearest_mode", default):
        case "floor":
            rounded = np.floor(found + 1e-9)
        case "ceil":
            rounded = np.ceil(found - 1e-9)
        case "round_prefer_ceil":
            rounded = np.floor(found + 0.5 + 1e-9)
        case _:
            rounded = np.ceil(found - 0.5 - 1e-9)
    return np.asarray(np.clip(rounded, 0, before - 1), dtype=np.int64)
