"""A file beside the file that it came from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, convolutional, dense, examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.from_file.weights import with_int8_weights
from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.fields import text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.verification.verify import verify

X = examples(32, 8)


@pytest.fixture(scope="module")
def plain() -> bytes:
    return convert(dense(LIBRARIES["keras"]), verification=None).tflite


def test_a_file_answers_as_itself(plain: bytes) -> None:
    record = verify(plain, plain)
    assert record.passed
    assert record.outputs[0].sqnr_db == np.inf
    assert any("random numbers" in note for note in record.notes)


def test_a_quantized_file_beside_its_source(plain: bytes) -> None:
    record = verify(plain, with_int8_weights(plain, least=1), X)
    assert record.passed
    assert record.quantization == "dynamic"


def test_a_quantized_file_may_be_the_reference(plain: bytes) -> None:
    int8 = convert(plain, Convert(quantize="int8"), X, verification=None).tflite
    assert verify(int8, int8, X).passed


def test_the_first_tensor_that_differs_is_named(plain: bytes) -> None:
    model = read_model(plain)
    hidden = model.subgraphs[0].operators[0]
    weights = model.buffers[model.subgraphs[0].tensors[hidden.inputs[1]].buffer]
    weights.data = np.frombuffer((-weights.data.view(np.float32)).tobytes(), np.uint8)
    record = verify(plain, pack_model(model), X)
    assert not record.passed
    output = model.subgraphs[0].tensors[hidden.outputs[0]]
    assert record.diverges_at == text(output.name)


def test_another_file_is_refused(plain: bytes) -> None:
    other = convert(convolutional(LIBRARIES["keras"]), verification=None).tflite
    with pytest.raises(InputError, match="do not match the file's"):
        verify(plain, other)


def test_the_command(run: Any, files: Any, tmp_path: Path) -> None:
    done = run("verify", files.tflite, files.tflite, "--data", files.data)
    assert done.code == 0
    assert "verified: the file answers as the model does on 96 real samples" in done.out
    (tmp_path / "cut.tflite").write_bytes(files.tflite.read_bytes()[:600])
    assert "damaged" in run("verify", tmp_path / "cut.tflite", files.tflite).refused()
