"""A model as TensorFlow functions of fixed shape, ready for the converter."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.endpoints import (
    Endpoint,
    endpoints_of,
    fixed_specs,
    refuse_converted,
)
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.recurrent import Recurrence, recurrence_for_tflite
from tflite_squeeze.emission.state import captured_variables
from tflite_squeeze.emission.sums import broadcast_sums
from tflite_squeeze.emission.volumes import planes_for_volumes
from tflite_squeeze.errors import InputError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.fake import exporting
from tflite_squeeze.network.rewriting import as_float32
from tflite_squeeze.tflite.fields import text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.tensor_values import tensor_values

_KERAS_KINDS = (ModelKind.KERAS, ModelKind.TF_KERAS)


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A model's signatures as concrete functions.

    Attributes:
        functions: by signature name.
        variables: everything that has to stay alive with them.
        notes: lines for the report.
    """

    functions: dict[str, Any]
    variables: list[Any]
    notes: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """What the variables of the functions take."""
        found = {
            id(one): one.dtype.size * (one.shape.num_elements() or 0)
            for function in self.functions.values()
            for one in function.graph.variables
        }
        return sum(found.values())

    def loops(self) -> bool:
        """Whether there is a loop, which the converter may or may not fuse into one operator."""
        return any(_has_loop(function.graph) for function in self.functions.values())


def prepared(source: LoadedModel) -> tuple[LoadedModel, tuple[str, ...]]:
    """The model in float32, with finite weights only, and notes on what had to change.

    Raises:
        InputError: a weight is NaN or infinite; in a `.tflite` file, a constant is NaN.
    """
    if source.kind is ModelKind.TFLITE:
        _refuse_broken_constants(source)
        return source, source.notes
    refuse_broken_weights(source)
    if source.kind not in _KERAS_KINDS:
        return source, source.notes
    model = as_float32(source.model)
    if model is source.model:
        return source, source.notes
    note = "the model computes in mixed precision; the file computes in float32 with its weights"
    return replace(source, model=model), (*source.notes, note)


def layers_of(source: LoadedModel) -> list[str]:
    """The names of a Keras model's layers; none for other sources."""
    if source.kind not in _KERAS_KINDS:
        return []
    return [layer.name for layer in flavors.walk_layers(source.model)]


def refuse_broken_weights(source: LoadedModel) -> None:
    """Raises for the first variable that holds NaN or infinity.

    Raises:
        InputError: there is one; the message names it and how many of its values are not finite.
    """
    if source.kind in _KERAS_KINDS:
        variables = source.model.variables
    elif source.kind is ModelKind.SAVED_MODEL:
        variables = [v for name in source.model.signatures for v in _variables_in(source, name)]
    else:
        variables = [v for function in source.model.values() for v in function.graph.variables]
    for variable in variables:
        values = np.asarray(variable)
        if values.dtype.kind == "f" and (broken := int(np.sum(~np.isfinite(values)))):
            name = getattr(variable, "path", None) or variable.name
            raise InputError(
                f"weight {name} of model {source.name!r} holds {broken} NaN or infinite values of "
                f"{values.size}: train the model again, or load an earlier checkpoint"
            )


def _refuse_broken_constants(source: LoadedModel) -> None:
    """Raises for the first constant of a file with NaN; masks are made of infinities."""
    model = read_model(source.model)
    for subgraph, graph in enumerate(model.subgraphs):
        for index, tensor in enumerate(graph.tensors):
            values = tensor_values(model, subgraph, index)
            if values is None or values.dtype.kind != "f" or not np.isnan(values).any():
                continue
            raise InputError(
                f"constant {text(tensor.name)} of file {source.name!r} holds "
                f"{np.isnan(values).sum()} NaN values of {values.size}: train the model again, or "
                f"load an earlier checkpoint"
            )


def _variables_in(source: LoadedModel, signature: str) -> list[Any]:
    return list(source.model.signatures[signature].graph.variables)


def traced(source: LoadedModel, config: Convert, *, unroll: bool, fuse: bool = True) -> Traced:
    """Traces every signature with its shapes filled in.

    Args:
        source: a model that `prepared` has seen.
        config: the batch and the shapes.
        unroll: whether recurrent layers that cannot be fused are unrolled.
        fuse: whether LSTM layers are traced in the form that the converter fuses.

    Raises:
        UsageError: a shape contradicts the model's, or it is a `.tflite` file.
        InputError: a shape stays open, or the model cannot be called on it.
    """
    refuse_converted(source)
    grids = config.quantize is not Quantization.NONE
    with exporting(grids=grids), _recurrence(source, unroll=unroll, fuse=fuse) as done:
        functions = {
            endpoint.name: concrete_function(
                endpoint, fixed_specs(endpoint, config.batch, config.input_shapes)
            )
            for endpoint in endpoints_of(source)
        }
        variables = [source.model]  # of a SavedModel, which keeps its own
        if source.kind is not ModelKind.SAVED_MODEL:
            # While the twins of layers live: a graph refers to its variables weakly.
            variables = [
                variable
                for function in functions.values()
                for variable in captured_variables(function, source)
            ]
    return Traced(functions=functions, variables=variables, notes=tuple(dict.fromkeys(done.notes)))


@contextmanager
def _recurrence(source: LoadedModel, *, unroll: bool, fuse: bool) -> Iterator[Recurrence]:
    with ExitStack() as stack:
        if source.kind in _KERAS_KINDS:
            stack.enter_context(planes_for_volumes(source.model))
            yield stack.enter_context(recurrence_for_tflite(source.model, unroll=unroll, fuse=fuse))
        else:
            yield Recurrence()


def concrete_function(endpoint: Endpoint, specs: dict[str, tf.TensorSpec]) -> Any:
    """One signature as a concrete function that takes its inputs by name."""

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def serve(**tensors: Any) -> dict[str, Any]:
        return {
            name: tf.identity(tensor, name=name.replace(":", "_"))
            for name, tensor in endpoint.call(tensors).items()
        }

    try:
        with broadcast_sums():
            return serve.get_concrete_function(**specs)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        shapes = {name: tuple(spec.shape) for name, spec in specs.items()}
        raise InputError(
            f"the model cannot be called on inputs {shapes} "
            f"({lines[0] if lines else type(error).__name__}): check --batch and --input-shape"
        ) from error


def _has_loop(graph: Any) -> bool:
    """Whether a loop is in a graph or in any function that it brings along."""
    definition = graph.as_graph_def()
    bodies = [definition.node] + [function.node_def for function in definition.library.function]
    return any(node.op in ("While", "StatelessWhile") for nodes in bodies for node in nodes)
