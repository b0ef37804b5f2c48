"""What the graphs in a SavedModel would do: operations that touch files or call Python."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import InputError

# TensorFlow calls an operation stateful if it does more than compute; of these, the harmless ones.
_STATE = re.compile(
    r"(Resource(Apply|SparseApply|Scatter|Gather|Strided).*|VariableShape|VariableV2|Variable|"
    r"VarHandleOp|_VarHandlesOp|ReadVariableOp|_ReadVariablesOp|Assign(Add|Sub)?VariableOp|"
    r"VarIsInitializedOp|DestroyResourceOp|DisableCopyOnRead|ResourceCountUpTo|"
    r"(Anonymous)?(Mutable)?(Dense)?HashTable(OfTensors)?(V2)?|InitializeTableV2|"
    r"LookupTable(Find|Import|Insert|Export|Size|Remove)V2|"
    r"TensorArray.*|Stack(Push|Pop|Close)?(V2)?|_?If|_?While|Case|RiscWhile|"
    r"StatefulPartitionedCall|(Parameterized)?TruncatedNormal|Random(Crop|Gamma|Poisson|PoissonV2|"
    r"Shuffle|StandardNormal|Uniform|UniformInt)|Stateful(Uniform|UniformInt|UniformFullInt|"
    r"StandardNormal|StandardNormalV2|TruncatedNormal|RandomBinomial)|Multinomial|RngSkip|"
    r"RngReadAndSkip|NonDeterministicInts|StatelessRandomGetAlg|SampleDistortedBoundingBox(V2)?|"
    r"Assert|CheckNumerics(V2)?|GuaranteeConst|Empty|CudnnRNN.*|XlaCallModule|_Arg|_Retval|"
    r"IsResourceHandleRefCounting|DummySeedGenerator|Skipgram)"
)
# Operations that TensorFlow does not call stateful, and that reach out all the same.
_REACHING = re.compile(
    r"ReadFile|PyFuncStateless|ImmutableConst|MatchingFiles|GenerateVocabRemapping|Reader.*|"
    r".*Dataset.*|Debug.*|XlaCustomCall.*|XlaLaunch.*|Iterator.*|InitializeTable.*|HostConst"
)
_RESTORED = ("RestoreV2", "ShardedFilename", "MergeV2Checkpoints", "SaveV2")


def check_saved_graphs(folder: Path, content: bytes) -> None:
    """Refuses a SavedModel whose functions would touch files, or run code, when they are called.

    What only saves the variables is left out: nothing calls it.

    Args:
        folder: the SavedModel, for the message.
        content: its `saved_model.pb`.

    Raises:
        InputError: it is damaged, or a function holds an operation that does more than compute.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        saved = saved_model_pb2.SavedModel.FromString(content)
    except (DecodeError, ValueError) as error:
        raise InputError(
            f"SavedModel {folder}: its saved_model.pb is damaged: save it again"
        ) from (error)
    for graph in saved.meta_graphs:
        for name, operation in _called(graph):
            if not is_harmless(operation):
                raise InputError(
                    f"SavedModel {folder}: {name[:60]!r} calls {operation[:60]!r}, which is not on "
                    f"the list of operations that only compute: pass --allow-unsafe "
                    f"(allow_unsafe=True) if you trust the file"
                )


@cache
def is_harmless(operation: str) -> bool:
    """Whether an operation of TensorFlow's graphs computes and does nothing else.

    Operations that TensorFlow does not know are: it cannot run them.

    Example:
        >>> is_harmless("MatMul"), is_harmless("WriteFile")
        (True, False)
    """
    if _REACHING.fullmatch(operation):
        return False
    return operation not in _stateful() or _STATE.fullmatch(operation) is not None


@cache
def _stateful() -> frozenset[str]:
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    found = op_def_pb2.OpList.FromString(
        pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    )
    return frozenset(operation.name for operation in found.op if operation.is_stateful)


def is_known_graph_operation(node: Any) -> bool:
    """Whether the node of a graph that a layer's configuration holds only computes.

    Args:
        node: a NodeDef as a dict or as serialized text.
    """
    from google.protobuf import json_format
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import node_def_pb2

    try:
        if isinstance(node, dict):
            parsed = json_format.ParseDict(node, node_def_pb2.NodeDef())
        else:
            data = node if isinstance(node, bytes) else str(node).encode()
            parsed = node_def_pb2.NodeDef.FromString(data)
    except (json_format.ParseError, DecodeError, ValueError):
        return False
    return is_harmless(parsed.op)


def _called(graph: Any) -> Iterator[tuple[str, str]]:
    """(where, operation) of all that can be called: functions, signatures, initializers."""
    library = {function.signature.name: function for function in graph.graph_def.library.function}
    pending = list(graph.object_graph_def.concrete_functions)
    for node in _nodes_for_use(graph):
        if not (node.op in _RESTORED and _is_saver(graph)):
            yield node.name, node.op
        pending += _functions_of(node)
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen or name not in library:
            continue
        seen.add(name)
        for node in library[name].node_def:
            yield name, node.op
            pending += _functions_of(node)


def _is_saver(graph: Any) -> bool:
    """Whether variables come by the graph's own operations, as in files of TensorFlow 1."""
    return not graph.HasField("object_graph_def")


def _nodes_for_use(graph: Any) -> list[Any]:
    """The nodes of the main graph that a signature or an initializer needs."""
    nodes = {node.name: node for node in graph.graph_def.node}
    wanted = [
        info.name
        for signature in graph.signature_def.values()
        for info in (*signature.inputs.values(), *signature.outputs.values())
    ]
    for collection in graph.collection_def.values():
        wanted += list(collection.node_list.value)
    if _is_saver(graph):
        wanted.append(graph.saver_def.restore_op_name)
    found: dict[str, Any] = {}
    pending = [_node_name(name) for name in wanted]
    while pending:
        name = pending.pop()
        if name in nodes and name not in found:
            found[name] = nodes[name]
            pending += [_node_name(source) for source in nodes[name].input]
    return list(found.values())


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").split(":")[0]


def _functions_of(node: Any) -> Iterable[str]:
    """The functions that a node names, as its operation or among its attributes."""
    yield node.op
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (function.name for function in value.list.func)
