"""What layers are given and answer, while a model runs eagerly."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import tensorflow as tf

from tflite_squeeze.errors import InputError, shortened
from tflite_squeeze.network import flavors
from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.network.weights import Selection, Target

# What a size that the inputs leave open is taken for: 1 would be too short for most kernels.
OPEN_SIZE = 32

Observer = Callable[[Any, Any, Any], None]
Shape = tuple[int, ...]


@contextmanager
def observed(layers: Iterable[Any], observer: Observer) -> Iterator[None]:
    """Tells of every call of some layers, for the block.

    Args:
        layers: Keras layers of either version.
        observer: called with the layer, its inputs and outputs; calls on symbolic tensors, or on
            several inputs, are left out.
    """
    with ExitStack() as stack:
        for layer in {id(layer): layer for layer in layers}.values():
            stack.enter_context(_observed(layer, observer))
        yield


@contextmanager
def _observed(layer: Any, observer: Observer) -> Iterator[None]:
    original = layer.call

    def call(*args: Any, **kwargs: Any) -> Any:
        outputs = original(*args, **kwargs)
        inputs = args[0] if args else None
        if tf.is_tensor(inputs) and not tf.is_symbolic_tensor(inputs):
            observer(layer, inputs, outputs)
        return outputs

    # Past what a Keras does to attributes of layers.
    object.__setattr__(layer, "call", call)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")


def call_shapes(model: Any) -> dict[int, list[tuple[Shape, Shape]]]:
    """The shapes of every call of every layer on one example.

    Args:
        model: a Keras model of either version that was built. Sizes that its inputs leave open
            are taken for `OPEN_SIZE`.

    Returns:
        (input, output) shapes by id of the layer, batch included; layers with several inputs or
        outputs are left out.

    Raises:
        InputError: it does not run on an example of these sizes.
    """
    found: dict[int, list[tuple[Shape, Shape]]] = {}

    def note(layer: Any, inputs: Any, outputs: Any) -> None:
        if tf.is_tensor(outputs):
            shapes = tuple(inputs.shape), tuple(outputs.shape)
            found.setdefault(id(layer), []).append(shapes)

    try:
        with observed(flavors.walk_layers(model), note):
            model(example_for(model), training=False)
    except (ValueError, tf.errors.OpError) as error:
        reason = shortened((str(error).strip().splitlines() or [type(error).__name__])[-1])
        raise InputError(
            f"model {model.name!r} does not run on an example of zeros, sizes that it leaves open "
            f"taken for {OPEN_SIZE} ({reason}): build it with fixed sizes"
        ) from error
    return found


def example_for(model: Any) -> Any:
    """One example of zeros in the structure that a model takes, open sizes as `OPEN_SIZE`."""
    return tf.nest.map_structure(
        lambda spec: tf.zeros([1, *[size or OPEN_SIZE for size in spec.shape[1:]]], spec.dtype),
        flavors.input_structure(model),
    )


@contextmanager
def replaced(targets: Sequence[Target], tensors: Sequence[Any]) -> Iterator[None]:
    """Lets layers compute with tensors in place of their weights.

    There are thus no layer types of a technique's own, and models of any build can be trained.

    Args:
        targets: the weights.
        tensors: what stands in for each, of its shape.
    """
    places = [place_of(target) for target in targets]
    kept = [(place, place[0].__dict__[place[1]]) for place in places if place is not None]
    try:
        for (place, _), target, tensor in zip(kept, targets, tensors, strict=True):
            dtype = getattr(target.layer, "compute_dtype", None) or tensor.dtype
            # Past the attribute hooks of Keras, which would track or refuse a tensor.
            place[0].__dict__[place[1]] = tf.cast(tensor, dtype)
        yield
    finally:
        for place, variable in kept:
            place[0].__dict__[place[1]] = variable


def place_of(target: Target) -> tuple[Any, str] | None:
    """The object and the attribute in which a layer keeps a weight; None where it computes it."""
    for holder in (target.layer, getattr(target.layer, "cell", None)):
        for name, value in getattr(holder, "__dict__", {}).items():
            if value is target.variable:
                return holder, name
    return None


def replaceable(selection: Selection) -> Selection:
    """Leaves out weights that their layer computes anew: nothing can stand in for those."""
    kept = tuple(target for target in selection.targets if place_of(target) is not None)
    out = [target.layer for target in selection.targets if place_of(target) is None]
    reason = "its weight is computed from others, so nothing can stand in for it"
    skipped = tuple(
        SkippedLayer(layer=layer.name, layer_type=type(layer).__name__, reason=reason)
        for layer in out
    )
    return replace(selection, targets=kept, skipped=(*selection.skipped, *skipped))
