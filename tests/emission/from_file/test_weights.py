"""Weights of a file in fewer bytes, on numbers that can be computed by hand."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.tiny_files import FileMaker, dense_file
from tflite_squeeze.emission.from_file.weights import (
    widened,
    with_float16_weights,
    with_int8_weights,
)
from tflite_squeeze.emission.sparse.emit import sparsify
from tflite_squeeze.runtime.run import run_cases
from tflite_squeeze.tflite.fields import text
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.signatures import quantization_name
from tflite_squeeze.tflite.tensor_values import tensor_values

X = np.float32([[1.0, 5.0, -1.0]])  # ReLU of (1 + 2 + 1, 0.5 - 1 - 1)


def _table(rows: int = 4, *, extra: bool = False) -> bytes:
    """A GATHER from a table of (rows, 2)."""
    maker = FileMaker()
    index = maker.tensor("index", (1,), "int32")
    table = maker.tensor("t", (rows, 2), data=np.arange(2 * rows, dtype=np.float32))
    y = maker.tensor("y", (1, 2))
    maker.operator("GATHER", [table, index], [y], schema.GatherOptionsT())
    outputs = [y]
    if extra:
        outputs.append(maker.tensor("z", (rows, 2)))
        maker.operator("ADD", [table, table], outputs[1:], schema.AddOptionsT())
    return maker.file([index], outputs)


def _tensor(tflite: bytes, name: str) -> tuple[Any, Any]:
    model = read_model(tflite)
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        if text(tensor.name) == name:
            return tensor.quantization, tensor_values(model, 0, index)
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("per_channel", "scales", "codes"),
    [
        (True, [2 / 127, 1 / 127], [[64, 0, -127], [64, 0, 127]]),
        (False, [2 / 127], [[64, 0, -127], [32, 0, 64]]),
    ],
)
def test_weights_of_eight_bits(per_channel: bool, scales: Any, codes: Any) -> None:
    tflite = with_int8_weights(dense_file(), per_channel_dense=per_channel, least=1)
    about, values = _tensor(tflite, "w")
    assert about.scale == pytest.approx(scales)
    assert values.tolist() == codes
    assert quantization_name(tflite) == "dynamic"
    (found,) = run_cases(tflite, [{"x": X}])
    assert found["y"] == pytest.approx(np.float32([[4, 0]]), abs=0.05)


def test_few_weights_stay_as_they_are() -> None:
    assert quantization_name(with_int8_weights(dense_file())) == "none"
    assert quantization_name(with_float16_weights(dense_file())[0]) == "none"


def test_a_table_is_widened_behind_the_gather() -> None:
    tflite = with_int8_weights(_table(), least=1)
    assert operator_names(tflite) == [["GATHER", "DEQUANTIZE"]]
    (found,) = run_cases(tflite, [{"index": np.int32([3])}])
    assert found["y"] == pytest.approx(np.float32([[6, 7]]), abs=7 / 254)


def test_what_another_operator_reads_stays_in_float() -> None:
    assert quantization_name(with_int8_weights(_table(extra=True), least=1)) == "none"


def test_halves_come_back_exactly() -> None:
    tflite, notes = with_float16_weights(dense_file(), least=1)
    assert notes == ()
    assert quantization_name(tflite) == "float16"
    (found,) = run_cases(tflite, [{"x": X}])
    assert found["y"].tolist() == [[4.0, 0.0]]
    plain, count = widened(tflite)
    assert (count, quantization_name(plain)) == (2, "none")
    assert _tensor(plain, "w")[1].tolist() == [[1, 0, -2], [0.5, 0, 1]]
    assert operator_names(plain) == operator_names(dense_file())


def test_numbers_beyond_halves_stay_in_float() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 2)), maker.tensor("y", (1, 2))
    large = maker.tensor("large", (1, 2), data=np.float32([[1e6, -np.inf]]))
    maker.operator("MAXIMUM", [x, large], [y], schema.MaximumMinimumOptionsT())
    tflite, (note,) = with_float16_weights(maker.file([x], [y]), least=1)
    assert quantization_name(tflite) == "none"
    assert "beyond what float16 holds: large" in note


def test_a_file_without_halves_is_the_same() -> None:
    assert widened(dense_file()) == (dense_file(), 0)


def test_sparse_weights_become_dense() -> None:
    dense = np.zeros((64, 64), np.float32)
    dense[::8] = 1.0
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 64)), maker.tensor("y", (1, 64))
    kernel = maker.tensor("w", dense.shape, data=dense)
    maker.operator("FULLY_CONNECTED", [x, kernel], [y], schema.FullyConnectedOptionsT())
    sparse = sparsify(maker.file([x], [y]), "sparse").tflite
    assert "DENSIFY" in operator_names(sparse)[0]
    plain, count = widened(sparse)
    assert (count, "DENSIFY" in operator_names(plain)[0]) == (1, False)
    (found,) = run_cases(plain, [{"x": np.ones((1, 64), np.float32)}])
    assert found["y"].tolist() == [([64.0] + [0.0] * 7) * 8]
