"""Damaged files: whatever is wrong with them, one clear error and nothing else."""

import random
import struct

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.tiny_files import dense_file
from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.flatbuffer import metadata_of, operator_names, pack_model, read_model

_MUTATIONS = 600


def _mutated(tflite: bytes, seed: int) -> bytes:
    """Flips bytes, cuts, repeats or swaps pieces, or plants a large number."""
    rng = random.Random(seed)
    data = bytearray(tflite)
    for _ in range(rng.randint(1, 4)):
        at, kind = rng.randrange(len(data)), rng.randrange(5)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[max(at, 12) :]
        elif kind == 2:
            data[at:at] = data[at // 2 : at]
        elif kind == 3:
            data[at : at + 4] = struct.pack(
                "<i", rng.choice([-1, 0, 1, 2**31 - 1, -(2**31), 65536])
            )
        else:
            other = rng.randrange(len(data))
            data[at : at + 8] = data[other : other + 8]
    data[4:8] = b"TFL3"
    return bytes(data)


def test_mutated_files_work_or_raise_one_error() -> None:
    tflite, refused = dense_file(), []
    for seed in range(_MUTATIONS):
        damaged = _mutated(tflite, seed)
        try:
            read_model(damaged)
            operator_names(damaged)
            metadata_of(damaged)
        except InputError as error:
            refused.append(str(error))
    assert not [message for message in refused if "\n" in message]
    # Some mutations hit padding or weights only; but far from all may pass.
    assert _MUTATIONS / 5 < len(refused) < _MUTATIONS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model: setattr(model.subgraphs[0].tensors[0], "buffer", 99), "buffer is 99, of 3"),
        (lambda model: setattr(model.subgraphs[0].operators[0], "opcodeIndex", 1), "code is 1"),
        (
            lambda model: setattr(model.subgraphs[0].operators[0], "inputs", np.int32([4])),
            "operator's input is 4, of 4",
        ),
        (
            lambda model: setattr(model.subgraphs[0].operators[0], "outputs", np.int32([-1])),
            "operator's output is -1",
        ),
        (lambda model: setattr(model.subgraphs[0], "outputs", np.int32([7])), "output of a sub"),
        (lambda model: setattr(model.subgraphs[0].tensors[0], "type", 77), "unknown type 77"),
        (
            lambda model: setattr(model.subgraphs[0].tensors[0], "shape", np.int32([1, -5])),
            "dimension -5",
        ),
        (
            lambda model: setattr(model, "signatureDefs", [schema.SignatureDefT(subgraphIndex=3)]),
            "signature's subgraph is 3",
        ),
        (
            lambda model: setattr(model, "metadata", [schema.MetadataT(name="a", buffer=9)]),
            "metadata entry's buffer is 9",
        ),
        (lambda model: setattr(model, "subgraphs", []), "no subgraph"),
    ],
)
def test_indexes_that_lead_nowhere_are_named(change, said) -> None:
    model = read_model(dense_file())
    change(model)
    with pytest.raises(InputError, match=said):
        read_model(pack_model(model))


def test_an_operator_may_leave_an_input_out() -> None:
    model = read_model(dense_file())
    model.subgraphs[0].operators[0].inputs = np.int32([0, 1, -1])
    assert operator_names(pack_model(model)) == [["FULLY_CONNECTED"]]


def test_tables_that_refer_to_each_other_without_end_are_refused_at_once() -> None:
    """A vector of subgraphs that all are the same one, whose tensors all are the same one."""
    import flatbuffers

    builder = flatbuffers.Builder(0)
    tensor = schema.TensorT(name="x").Pack(builder)
    count = 20_000
    schema.SubGraphStartTensorsVector(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    with pytest.raises(InputError, match="more tables than fit into its size"):
        read_model(bytes(builder.Output()))


def test_subgraphs_that_run_themselves_are_refused() -> None:
    model = read_model(dense_file())
    loop = schema.OperatorT(opcodeIndex=0, inputs=np.int32([0]), outputs=np.int32([0]))
    loop.builtinOptionsType = schema.BuiltinOptions.WhileOptions
    loop.builtinOptions = schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=1)
    again = schema.OperatorT(opcodeIndex=0, inputs=np.int32([0]), outputs=np.int32([0]))
    again.builtinOptionsType = schema.BuiltinOptions.IfOptions
    again.builtinOptions = schema.IfOptionsT(thenSubgraphIndex=2, elseSubgraphIndex=2)
    graph = model.subgraphs[0]
    for operators in ([], []):
        copied = schema.SubGraphT(tensors=graph.tensors, inputs=graph.inputs,
                                  outputs=graph.outputs, operators=operators)  # fmt: skip
        model.subgraphs.append(copied)
    graph.operators = [*graph.operators, loop]
    model.subgraphs[1].operators = [again]
    assert len(read_model(pack_model(model)).subgraphs) == 3
    again.builtinOptions.elseSubgraphIndex = 1
    with pytest.raises(InputError, match="its subgraph 1 runs itself"):
        read_model(pack_model(model))
    again.builtinOptions.elseSubgraphIndex = 0
    with pytest.raises(InputError, match="runs itself"):
        read_model(pack_model(model))
