"""One view of everything that can be converted: named functions from tensors to tensors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.tflite.signatures import FileSignature, signatures_of

Tensors = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One signature of a model.

    Attributes:
        name: the signature's name in the file.
        inputs: by name, shape (batch first, None where open) and dtype.
        call: tensors by input name → tensors by output name.
    """

    name: str
    inputs: dict[str, tf.TensorSpec]
    call: Callable[[Tensors], Tensors]


def endpoints_of(source: LoadedModel) -> list[Endpoint]:
    """The signatures of a model, in a fixed order.

    Args:
        source: the model; the signatures of a `.tflite` file can be read, and not called.

    Raises:
        InputError: the shapes of its inputs are not known, or the file is damaged.
    """
    if source.kind is ModelKind.TFLITE:
        return [_file_endpoint(source, signature) for signature in signatures_of(source.model)]
    if source.kind in (ModelKind.KERAS, ModelKind.TF_KERAS):
        return [_keras_endpoint(source.model)]
    functions = source.model
    if source.kind is ModelKind.SAVED_MODEL:
        functions = source.model.signatures
    return [_function_endpoint(name, functions[name]) for name in sorted(functions)]


def inputs_of(source: LoadedModel) -> dict[str, tf.TensorSpec]:
    """What a model takes by name, as its first signature has it; see `endpoints_of`."""
    return endpoints_of(source)[0].inputs


def refuse_converted(source: LoadedModel) -> None:
    """Refuses a `.tflite` file where its model is needed.

    Raises:
        UsageError: it is a `.tflite` file.
    """
    if source.kind is ModelKind.TFLITE:
        raise UsageError(
            f"{source.path or source.name} is a .tflite file already: pass the Keras model it "
            f"came from"
        )


def file_specs(signature: FileSignature) -> dict[str, tf.TensorSpec]:
    """What a signature of a file takes, by input name, None where it leaves a dimension open."""
    return {
        name: tf.TensorSpec(
            [None if size < 0 else size for size in shape],
            tf.string if signature.types[name] == "bytes" else signature.types[name],
            name=name,
        )
        for name, shape in signature.inputs.items()
    }


def _file_endpoint(source: LoadedModel, signature: FileSignature) -> Endpoint:
    def call(_: Tensors) -> Tensors:
        refuse_converted(source)
        return {}

    return Endpoint(name=signature.name or "", inputs=file_specs(signature), call=call)


def _keras_endpoint(model: Any) -> Endpoint:
    inputs = flavors.input_structure(model)
    flat = tf.nest.flatten(inputs)
    names = [spec.name for spec in flat]
    if len(set(names)) != len(names):
        raise InputError(f"inputs {names} share a name: name each Input layer differently")

    def call(tensors: Tensors) -> Tensors:
        arguments = tf.nest.pack_sequence_as(inputs, [tensors[name] for name in names])
        return flavors.named_outputs(model, model(arguments, training=False))

    specs = {spec.name: spec for spec in flat}
    return Endpoint(name="serving_default", inputs=specs, call=call)


def _function_endpoint(name: str, function: Any) -> Endpoint:
    """A concrete function, from a SavedModel's signature or from the user."""
    args, kwargs = function.structured_input_signature
    positional = [spec for spec in tf.nest.flatten(args) if isinstance(spec, tf.TensorSpec)]
    # Concrete functions name positional inputs after the Python arguments.
    specs = {spec.name: spec for spec in positional}
    specs |= {key: spec for key, spec in kwargs.items() if isinstance(spec, tf.TensorSpec)}
    if None in specs:
        raise InputError(f"signature {name!r} has an input without a name: name its TensorSpec")

    def call(tensors: Tensors) -> Tensors:
        given = [tensors[spec.name] for spec in positional]
        result = function(
            *tf.nest.pack_sequence_as(args, given),
            **{key: tensors[key] for key in kwargs if key in tensors},
        )
        return _named(result)

    return Endpoint(name=name, inputs=specs, call=call)


def _named(result: Any) -> Tensors:
    if isinstance(result, dict):
        return dict(result)
    return {f"output_{index}": tensor for index, tensor in enumerate(tf.nest.flatten(result))}


def fixed_specs(
    endpoint: Endpoint, batch: int | str, input_shapes: dict[str, tuple[int, ...]]
) -> dict[str, tf.TensorSpec]:
    """An endpoint's inputs with the batch, and whatever else was open, filled in.

    Args:
        endpoint: the signature.
        batch: the batch size, or "dynamic" to leave the first dimension open.
        input_shapes: full shapes by input name that replace the model's own.

    Raises:
        UsageError: a shape is given for an unknown input, or contradicts the model's.
        InputError: a dimension other than the batch stays open.
    """
    unknown = set(input_shapes) - set(endpoint.inputs)
    if unknown:
        raise UsageError(
            f"--input-shape names {sorted(unknown)}, but the inputs are {sorted(endpoint.inputs)}"
        )
    specs = {}
    for name, spec in endpoint.inputs.items():
        given = input_shapes.get(name)
        if spec.shape.rank is None and given is None:
            raise InputError(f"input {name!r} has no known shape: pass --input-shape {name}=1,...")
        shape = list(given or spec.shape)
        if given and not spec.shape.is_compatible_with(given):
            raise UsageError(
                f"--input-shape {name}={','.join(map(str, given))} contradicts the model's "
                f"{tuple(spec.shape)}: change only dimensions that are None"
            )
        if not given and shape and spec.shape[0] is None:
            shape[0] = None if batch == "dynamic" else batch
        if None in shape[1:]:
            raise InputError(
                f"input {name!r} has shape {tuple(spec.shape)}, open beyond the batch: pass "
                f"--input-shape {name}={','.join(str(size or 'N') for size in shape)} with "
                f"numbers for N"
            )
        specs[name] = tf.TensorSpec(shape, spec.dtype, name=name)
    return specs
