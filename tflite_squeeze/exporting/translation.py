"""Keras models and `.tflite` files as ONNX graphs, not yet checked."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.emission.endpoints import Endpoint, endpoints_of
from tflite_squeeze.emission.from_file.emit import floats_of
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.trace import concrete_function
from tflite_squeeze.errors import UnsupportedError, UsageError
from tflite_squeeze.exporting.tidying import (
    in_order,
    in_pairs,
    renamed,
    shorter_names,
    with_unsigned_activations,
)
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.foreign.onnx.translating import from_file, from_graph
from tflite_squeeze.network.graph import has_graph
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.tflite.fields import items, text
from tflite_squeeze.tflite.flat_inputs import with_flat_inputs
from tflite_squeeze.tflite.flatbuffer import count_operators, read_model
from tflite_squeeze.tflite.signatures import quantization_name, without_signatures

if TYPE_CHECKING:
    from onnx import ModelProto

_KERAS_KINDS = (ModelKind.KERAS, ModelKind.TF_KERAS)
_IN_FLOAT = ("none", "float16")
_REMEDY = "export the Keras model that it was made from in float, or its .tflite file alone"


def in_deployed_form(source: LoadedModel) -> LoadedModel:
    """A Keras model with normalisation folded into the layers before it; any other as it is."""
    if source.kind in _KERAS_KINDS and has_graph(source.model):
        return replace(source, model=folded(source.model))
    return source


def from_endpoint(
    endpoint: Endpoint, specs: dict[str, tf.TensorSpec], opset: int, name: str
) -> "ModelProto":
    """The graph of a model in float.

    Args:
        endpoint: what is called.
        specs: its inputs, by name; a batch of None stays open.
        opset: the version of ONNX's operators.
        name: what to call it in messages.

    Raises:
        UsageError: tf2onnx is not installed.
        UnsupportedError: ONNX lacks operators that it has.
    """
    with caught_chatter():
        return shorter_names(_translated(concrete_function(endpoint, specs), opset, name))


def only_endpoint(source: LoadedModel) -> Endpoint:
    """The one signature of a model.

    Raises:
        UsageError: it has several.
    """
    endpoints = endpoints_of(source)
    if len(endpoints) > 1:
        raise UsageError(
            f"model {source.name!r} has {len(endpoints)} signatures "
            f"({', '.join(one.name for one in endpoints)}), an ONNX file has one: export each "
            f"concrete function by itself"
        )
    return endpoints[0]


def _translated(function: Any, opset: int, name: str) -> "ModelProto":
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    # Control flow stays as functions, of which tf2onnx recognizes LSTM layers and makes loops.
    frozen = convert_variables_to_constants_v2(
        function, lower_control_flow=False, aggressive_inlining=True
    )
    inputs = {one.name: one.op.name for one in frozen.inputs}
    named = function.structured_outputs
    outputs = {one.name: given for one, given in zip(frozen.outputs, sorted(named), strict=True)}
    graph = frozen.graph.as_graph_def(add_shapes=True)
    return in_order(from_graph(graph, inputs, outputs, opset=opset, name=name), tuple(named))


def from_tflite(tflite: bytes, name: str, opset: int) -> "ModelProto":
    """The graph of a `.tflite` file; integers become QuantizeLinear and DequantizeLinear.

    Args:
        tflite: the file's content, with at most one signature.
        name: what to call it in messages.
        opset: the version of ONNX's operators.

    Returns:
        The graph, with the batch of the file.

    Raises:
        UsageError: tf2onnx is not installed.
        UnsupportedError: ONNX lacks operators that it has.
    """
    source = LoadedModel(model=tflite, kind=ModelKind.TFLITE, name=name, sha256="")
    only_endpoint(source)
    _refuse_fused(tflite, name)
    _refuse_sparse(tflite, name)
    if quantization_name(tflite) in _IN_FLOAT:
        tflite = floats_of(source, Quantization.INT8)[0]
    with temporary_folder() as folder, caught_chatter():
        path = folder / "model.tflite"
        path.write_bytes(with_flat_inputs(without_signatures(tflite)))
        model = from_file(path, opset=opset, name=name, remedy=_REMEDY)
    paired = in_pairs(renamed(model, _names_outside(tflite)))
    return shorter_names(with_unsigned_activations(paired))


def _refuse_fused(tflite: bytes, name: str) -> None:
    """Refuses recurrent layers that are one operator: tf2onnx has none for them.

    Raises:
        UnsupportedError: there are some.
    """
    found = [
        kind for kind in count_operators(tflite) if kind.endswith(("SEQUENCE_LSTM", "SEQUENCE_RNN"))
    ]
    if found:
        raise UnsupportedError(
            f"{name} has the operator {found[0]}, which no operator of ONNX computes with the same "
            f"integers: build the layer with unroll=True, or export in float, without --quantize"
        )


def _refuse_sparse(tflite: bytes, name: str) -> None:
    """Refuses weights that are stored without their zeros, of which tf2onnx reads no form.

    Raises:
        UnsupportedError: there are some.
    """
    sparse = [
        one for graph in read_model(tflite).subgraphs for one in graph.tensors if one.sparsity
    ]
    if sparse:
        raise UnsupportedError(
            f"{name} stores {len(sparse)} of its weights without their zeros, which ONNX does not: "
            f"export the Keras model, or convert it with --sparsity dense first"
        )


def _names_outside(tflite: bytes) -> dict[str, str]:
    """The names that a signature gives to tensors, by their own."""
    model = read_model(tflite)
    return {
        text(model.subgraphs[one.subgraphIndex].tensors[end.tensorIndex].name): text(end.name)
        for one in items(model.signatureDefs)
        for end in (*items(one.inputs), *items(one.outputs))
    }
