import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tests.packing.packed_files import FILES
from tests.runtime.runtime_files import named_dense_file
from tflite_squeeze.packing.pack import pack
from tflite_squeeze.packing.stripping import stripped
from tflite_squeeze.tflite.flatbuffer import metadata_of, read_model, with_metadata


def _answer(tflite: bytes, x: np.ndarray) -> np.ndarray:
    reader = Interpreter(model_content=tflite)
    runner = reader.get_signature_runner("serve")
    return runner(features=x)["scores"]


def test_names_and_metadata_go_and_answers_stay() -> None:
    tflite = with_metadata(named_dense_file(), {"labels": b"no\nyes\n" * 20})
    found = stripped(tflite)
    assert metadata_of(found) == {}
    assert not any(tensor.name for tensor in read_model(found).subgraphs[0].tensors)
    assert len(found) < len(tflite) - 160
    assert len(pack(found)) < len(pack(tflite))
    x = np.array([[1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_array_equal(_answer(found, x), _answer(tflite, x))


def test_without_a_signature_inputs_and_outputs_keep_their_names() -> None:
    before, after = (read_model(one) for one in (FILES["int8"], stripped(FILES["int8"])))
    ends = {*before.subgraphs[0].inputs, *before.subgraphs[0].outputs}
    for index, tensor in enumerate(after.subgraphs[0].tensors):
        expected = before.subgraphs[0].tensors[index].name if index in ends else None
        assert tensor.name == expected
