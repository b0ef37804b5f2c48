"""What `tune` would try first, without training: integers, and no dead channels.

Bytes are computed from the shapes of kernels; what they cost in accuracy is for `tune` or the check
of a conversion to say, which have samples.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tflite_squeeze.errors import UnsupportedError, UsageError
from tflite_squeeze.inspection.record import Advice, AdviceKind, LayerRecord
from tflite_squeeze.network.quantization.folding import IN_FLOAT, OUTPUT_AXES
from tflite_squeeze.tflite.graph import OperatorRecord, WeightRecord

# Less is lost among what a file has beside its kernels.
_LEAST_SAVED = 1_024
_SCALE_BYTES = 4 + 8  # of a channel: a float32 scale and an int64 zero point
# (class of a layer or name of an operator) → axes of the kernel that are its outputs
_LAYERS = {
    **{kind: axes for kind, axes in OUTPUT_AXES.items() if kind not in IN_FLOAT},
    "SeparableConv1D": (-1,), "SeparableConv2D": (-1,), "EinsumDense": (-1,), "LSTM": (),
    "Embedding": (),
}  # fmt: skip
_OPERATORS = {
    "CONV_2D": (0,), "DEPTHWISE_CONV_2D": (-1,), "FULLY_CONNECTED": (0,), "TRANSPOSE_CONV": (0,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (),
}  # fmt: skip
_DENSE = ("Dense", "FULLY_CONNECTED")
_KERNELS = ("kernel", "embeddings")
_NORMALIZATION = "BatchNormalization"


class _Kernels:
    """The float32 kernels that integers can take the place of."""

    def __init__(self) -> None:
        self.float_bytes = self.int8_bytes = self.dense_int8 = self.dense_int4 = 0
        self.where: list[str] = []

    def add(self, place: str, kind: str, weight: WeightRecord, axes: Sequence[int]) -> None:
        count = math.prod(weight.shape)
        scales = _SCALE_BYTES * math.prod(weight.shape[axis] for axis in axes)
        self.float_bytes += 4 * count
        self.int8_bytes += count + scales
        self.where.append(place)
        if kind in _DENSE:
            self.dense_int8 += count + scales
            self.dense_int4 += -(-count // 2) + scales

    def advice(self, remedy: str) -> Iterator[Advice]:
        saved = self.float_bytes - self.int8_bytes
        if saved < _LEAST_SAVED:
            return
        yield Advice(
            kind=AdviceKind.INT8,
            text=f"int8 stores the kernels in {self.int8_bytes:,} bytes with their scales, float32 "
            f"in {self.float_bytes:,} ({self.float_bytes / self.int8_bytes:.1f} times smaller, "
            f"computed): {remedy}",
            where=tuple(self.where),
            cost_bytes=saved,
        )
        if (saved := self.dense_int8 - self.dense_int4) >= _LEAST_SAVED:
            yield Advice(
                kind=AdviceKind.FEW_BITS,
                text=f"4 bits store the kernels of fully connected layers in "
                f"{self.dense_int4:,} bytes, int8 in {self.dense_int8:,} (computed): "
                f"--weight-bits 4, or tune --minimize raw, which tries it",
                where=tuple(self.where),
                cost_bytes=saved,
            )


def integers_for_layers(layers: Iterable[LayerRecord]) -> tuple[Advice, ...]:
    """What integers save on a Keras model.

    Args:
        layers: its layers.

    Returns:
        The advice; none where the kernels are few, or no float32 kernels of layers that LiteRT
        computes in integers.
    """
    kernels = _Kernels()
    for layer in layers:
        axes = _LAYERS.get(layer.kind)
        for weight in layer.weights:
            name = weight.name.rpartition("/")[2].partition(":")[0]
            if axes is not None and _is_float(weight) and name.endswith(_KERNELS):
                by_channel = (
                    OUTPUT_AXES["DepthwiseConv2D"] if name.startswith("depthwise") else axes
                )
                kernels.add(layer.name, layer.kind, weight, by_channel)
    return tuple(kernels.advice("tune tries it first, or convert --quantize int8 --data SAMPLES"))


def integers_for_operators(operators: Iterable[OperatorRecord]) -> tuple[Advice, ...]:
    """The same for a file, of which a tensor that two operators read is there once.

    Args:
        operators: of the file.
    """
    kernels, seen = _Kernels(), set[str]()
    for operator in operators:
        axes = _OPERATORS.get(operator.name)
        for weight in operator.weights:
            if axes is None or not _is_float(weight) or weight.name in seen:
                continue
            seen.add(weight.name)
            kernels.add(operator.place, operator.name, weight, axes)
    return tuple(kernels.advice("convert FILE --quantize int8 --data SAMPLES, or tune its model"))


def _is_float(weight: WeightRecord) -> bool:
    """Whether a weight is a whole float32 matrix, not stored in some smaller way already."""
    whole = weight.stored_bytes == 4 * math.prod(weight.shape)
    return weight.dtype == "float32" and len(weight.shape) > 1 and whole


def dead_channels(model: Any, layers: Sequence[Any]) -> tuple[Advice, ...]:
    """What goes without a change of the answers: channels without weights, as pruning leaves them.

    Args:
        model: a Keras model.
        layers: all of its layers.

    Returns:
        The advice; none where no channel is dead, or the model's layers cannot be followed.
    """
    if not any(_has_dead_channels(layer) for layer in layers):
        return ()
    from tflite_squeeze.techniques.narrowing.config import Narrow
    from tflite_squeeze.techniques.narrowing.narrow import narrow

    try:
        record = narrow(model, Narrow(multiple=1), one_shot=True).record
    except (UsageError, UnsupportedError):
        return ()
    before, after = record.parameters_before, record.parameters_after
    groups = [group for group in record.groups if group.after < group.before]
    gone = sum(group.before - group.after for group in groups)
    return (
        Advice(
            kind=AdviceKind.DEAD_CHANNELS,
            text=f"{gone:,} channels have no weights: without them the model answers the same and "
            f"has {after:,} of {before:,} parameters (computed): tune removes them first, or "
            f"narrow --ratio 0",
            where=tuple(name for group in groups for name in group.layers),
            cost_bytes=4 * (before - after),
        ),
    )


def _has_dead_channels(layer: Any) -> bool:
    """Whether all weights of an output of a kernel, or a factor of a normalization, are 0."""
    if type(layer).__name__ == _NORMALIZATION:
        factors = getattr(layer, "gamma", None)
        return factors is not None and not np.all(np.asarray(factors))
    axes = _LAYERS.get(type(layer).__name__)
    if not axes or not layer.weights:
        return False
    kernel = np.asarray(layer.weights[0])
    others = tuple(at for at in range(kernel.ndim) if at - kernel.ndim not in axes)
    return not np.all(np.any(kernel, axis=others))
