"""Dead weight goes, answers and names stay."""

from itertools import pairwise

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.emission.sparse.sparse_files import answer, dense_chain
from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.tflite.fields import text
from tflite_squeeze.tflite.flatbuffer import metadata_of, pack_model, read_model, with_metadata
from tflite_squeeze.tflite.tidy import tidied, with_short_names


def _cluttered() -> bytes:
    """`dense_chain` in int8 with everything that a converter leaves behind."""
    model = read_model(dense_chain("int8"))
    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        if not tensor.buffer:  # an empty buffer for every tensor without data
            model.buffers.append(schema.BufferT())
            tensor.buffer = len(model.buffers) - 1
        if tensor.quantization is not None:
            tensor.quantization.min = np.float32([-1])
            tensor.quantization.max = np.float32([1])
        else:
            tensor.quantization = schema.QuantizationParametersT()
    model.buffers.append(schema.BufferT(data=bytes(1000)))
    unused = schema.TensorT(shape=np.int32([250]), name="unused", buffer=len(model.buffers) - 1)
    graph.tensors.insert(0, unused)
    for holder in (graph, *graph.operators):
        holder.inputs = np.asarray(holder.inputs) + 1
        holder.outputs = np.asarray(holder.outputs) + 1
    model.operatorCodes.append(schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.ADD))
    return with_metadata(pack_model(model), {"CONVERSION_METADATA": b"1" * 96, "labels": b"a b"})


def test_clutter_goes_and_the_answer_stays() -> None:
    cluttered = _cluttered()
    tidy = tidied(cluttered)
    model = read_model(tidy)
    assert len(tidy) < len(cluttered) - 1000
    for delegate in (True, False):
        assert answer(tidy, delegate=delegate) == answer(cluttered, delegate=delegate)
    names = [text(one.name) for one in model.subgraphs[0].tensors]
    assert "unused" not in names
    assert names == [text(one.name) for one in read_model(dense_chain()).subgraphs[0].tensors]
    assert len(model.operatorCodes) == 2
    assert metadata_of(tidy) == {"labels": b"a b"}
    held = [one.buffer for one in model.subgraphs[0].tensors if one.buffer]
    # the empty one, shape, two kernels, two biases, labels
    assert len(model.buffers) == 7
    assert len(set(held)) == 5
    assert all(one.quantization is None or one.quantization.min is None
               for one in model.subgraphs[0].tensors)  # fmt: skip


def test_a_tidy_file_is_left_alone() -> None:
    tidy = tidied(_cluttered())
    assert tidied(tidy) == tidy
    assert tidied(dense_file()) == dense_file()


def test_equal_constants_are_stored_once_but_metadata_keeps_its_own() -> None:
    maker = FileMaker()
    x = maker.tensor("x", (1, 4))
    sums = x
    for name in "ab":
        addend = maker.tensor(name, (4,), data=np.float32([1, 2, 3, 4]))
        result = maker.tensor(f"{name}/sum", (1, 4))
        maker.operator("ADD", [sums, addend], [result], schema.AddOptionsT())
        sums = result
    content = np.float32([1, 2, 3, 4]).tobytes()
    tflite = with_metadata(maker.file([x], [sums]), {"note": content})
    model = read_model(tidied(tflite))
    by_name = {text(one.name): one.buffer for one in model.subgraphs[0].tensors}
    assert by_name["a"] == by_name["b"] != model.metadata[0].buffer
    assert answer(tidied(tflite)) == answer(tflite)
    assert metadata_of(tidied(tflite)) == {"note": content}


def test_inputs_and_signatures_keep_their_tensors() -> None:
    maker = FileMaker()
    unused = maker.tensor("unused input", (1, 3))
    dead = maker.tensor("dead", (1, 3))
    x, y = maker.tensor("x", (1, 3)), maker.tensor("y", (1, 3))
    maker.operator("RELU", [x], [y])
    model = maker.model([unused, x], [y])
    ends = [schema.TensorMapT(name="in", tensorIndex=x)]
    outs = [schema.TensorMapT(name="out", tensorIndex=y)]
    model.signatureDefs = [schema.SignatureDefT(inputs=ends, outputs=outs, signatureKey="run")]
    tidy = read_model(tidied(pack_model(model)))
    assert dead == 1
    assert [text(one.name) for one in tidy.subgraphs[0].tensors] == ["unused input", "x", "y"]
    assert tidy.subgraphs[0].inputs.tolist() == [0, 1]
    assert (tidy.signatureDefs[0].inputs[0].tensorIndex, tidy.subgraphs[0].outputs[0]) == (1, 2)


def test_equal_quantization_is_written_once_and_read_back() -> None:
    def file(names: int) -> bytes:
        maker = FileMaker()
        x = maker.tensor("x", (1, 50), "int8", quantization=quantization([0.5] * 50, dimension=1))
        for index in range(names):
            other = quantization([0.5] * 50, dimension=1)
            maker.tensor(f"t{index}", (1, 50), "int8", quantization=other)
        return maker.file([x], [x])

    assert len(file(2)) - len(file(1)) < 100  # 600 bytes of scales and zero points are shared
    tensors = read_model(file(2)).subgraphs[0].tensors
    assert all(one.quantization.scale.tolist() == [0.5] * 50 for one in tensors)
    assert all(one.quantization.zeroPoint.tolist() == [0] * 50 for one in tensors)
    assert all(one.quantization.quantizedDimension == 1 for one in tensors)


def test_short_names_stay_unique_and_those_outside_as_they_are() -> None:
    maker = FileMaker()
    names = ("a;in", "w/MatMul", "w/MatMul;w/Relu;w/Add", "w/MatMul;w/Relu", "w/Relu;out")
    tensors = [maker.tensor(name, (1, 2)) for name in names]
    for before, after in pairwise(tensors):
        maker.operator("RELU", [before], [after])
    file = with_short_names(maker.file([tensors[0]], [tensors[-1]]))
    (graph,) = read_model(file).subgraphs
    found = [one.name.decode() for one in graph.tensors]
    assert found == ["a;in", "w/MatMul", "w/Relu", "w/MatMul;w/Relu", "w/Relu;out"]
