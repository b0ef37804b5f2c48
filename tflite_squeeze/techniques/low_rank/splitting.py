"""One way to split one layer: its factors, its error, its layers, its times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tflite_squeeze.network import flavors
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.rewriting import LayerSpec
from tflite_squeeze.techniques.low_rank.factor_schemes import Choice
from tflite_squeeze.techniques.low_rank.factorable import Shapes, Splittable, Weighed
from tflite_squeeze.techniques.low_rank.record import LayerTime, Refusal, Split

# Takes a model and models that may take its place; returns how long each takes beside it.
Judge = Callable[[Any, Sequence[Any]], list[LayerTime]]

# A chain that is measured as less faster than this may owe it to chance.
FASTER = 0.97


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A layer split in one way.

    Attributes:
        one: the layer.
        split: what it is split into, as a record.
        specs: the layers of the chain.
    """

    one: Splittable
    split: Split
    specs: tuple[LayerSpec, ...]


def candidate(layer: Weighed, way: Choice, emit: str) -> Candidate:
    """Computes the factors of a kernel.

    Args:
        layer: which.
        way: scheme and ranks.
        emit: "plain" or "factorized" layers.
    """
    one = layer.one
    chain = layer.unfolded.factors(way.scheme, way.ranks)
    split = Split(
        layer=one.layer.name,
        layer_type=one.kind,
        scheme=way.scheme,
        ranks=way.ranks,
        full_ranks=one.full_ranks(way.scheme),
        parameters_before=one.size,
        parameters_after=way.parameters,
        macs_before=one.macs,
        macs_after=way.macs,
        error=layer.unfolded.error(chain),
        data_aware=layer.moment is not None,
    )
    specs = one.specs(way.scheme, way.ranks, one.weights_of(chain, layer.moment), emit)
    return Candidate(one=one, split=split, specs=specs)


def objection(split: Split) -> str:
    """What speaks against a split before it is measured; empty for nothing."""
    if split.parameters_after < split.parameters_before or split.macs_after < split.macs_before:
        return ""
    return (
        f"it saves nothing: {split.parameters_after:,} parameters rather than "
        f"{split.parameters_before:,}, {split.macs_after:,} multiply-accumulates rather than "
        f"{split.macs_before:,}"
    )


def judged(candidates: Sequence[Candidate], spec: Any, judge: Judge) -> Candidate | Refusal:
    """The fastest way to split a layer, or why none is faster than the layer.

    Args:
        candidates: ways to split one layer.
        spec: tf.TensorSpec of the layer's input, batch first.
        judge: measures them.
    """
    flavor = flavors.known_flavor(candidates[0].one.layer)
    whole = standing_alone(candidates[0].one.whole(), spec, flavor)
    others = [standing_alone(one.specs, spec, flavor) for one in candidates]
    times = judge(whole, others)
    timed = [
        replace(one, split=one.split.model_copy(update={"time": time}))
        for one, time in zip(candidates, times, strict=True)
    ]
    best = min(range(len(timed)), key=lambda index: times[index].ratio)
    if times[best].ratio < FASTER:
        return timed[best]
    return Refusal(
        split=timed[best].split,
        reason=f"measured: it takes {times[best].ratio:.2f} times as long as the whole layer "
        f"({times[best].split_us:.1f} against {times[best].whole_us:.1f} us)",
    )


def input_spec(one: Splittable, shapes: Shapes) -> Any:
    """What a layer takes, as a tf.TensorSpec."""
    shape = shapes[id(one.watched[0])][0][0]
    dtype = tf.int32 if one.kind == "Embedding" else tf.float32
    return tf.TensorSpec((1, *shape[1:]), dtype)


def standing_alone(chain: Sequence[LayerSpec], input_spec: tf.TensorSpec, flavor: Flavor) -> Any:
    """A model of one chain only, with its weights.

    Args:
        chain: the layers.
        input_spec: of the input, batch first.
        flavor: the Keras.
    """
    keras = flavors.keras_of(flavor)
    # One name for all, so that files made of several take the same inputs.
    inputs = keras.Input(tuple(input_spec.shape[1:]), dtype=input_spec.dtype.name, name="received")
    outputs, layers = inputs, [spec.made(flavor) for spec in chain]
    for layer in layers:
        attends = type(layer).__name__ == "MultiHeadAttention"
        outputs = layer(outputs, outputs) if attends else layer(outputs)
    for layer, spec in zip(layers, chain, strict=True):
        layer.set_weights(list(spec.weights))
    return keras.Model(inputs, outputs)
