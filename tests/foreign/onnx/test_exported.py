"""Files as PyTorch's exporters wrote them: see tools/benchmarks/onnx_zoo_export.py."""

from pathlib import Path

import pytest

from tflite_squeeze.foreign.onnx.importing import import_onnx
from tflite_squeeze.network.graph import graph_of

FOLDER = Path(__file__).parent / "exported"
# What each has to be made of, among the rest.
KINDS = {
    "detector-script": {"MaxPooling2D": 3, "UpSampling2D": 1, "Conv2D": 4},
    "gpt-script": {"Embedding": 1, "MultiHeadAttention": 1, "LayerNormalization": 1},
    "group_norm-script": {"GroupNormalization": 2, "PReLU": 1, "Conv2D": 3},
    "lstm_states-dynamo": {"LSTM": 1, "Dense": 1},
}


@pytest.mark.parametrize("name", KINDS)
def test_an_exported_network_is_exact(name: str) -> None:
    made = import_onnx(FOLDER / f"{name}.onnx")
    assert made.agreement.largest < 1e-5
    kinds = [each.kind for each in graph_of(made.model).nodes.values()]
    assert {kind: kinds.count(kind) for kind in KINDS[name]} == KINDS[name]


def test_every_file_is_tried() -> None:
    assert {path.stem for path in FOLDER.glob("*.onnx")} == set(KINDS)
