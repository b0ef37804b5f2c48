"""The example of the field: 784-500-10, half of each matrix zero, each zero a byte of the file."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.onnx_files import Array, node, onnx_file, weight
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.foreign.torch.environments import VARIABLE
from tflite_squeeze.importing.config import Import
from tflite_squeeze.importing.import_model import import_model
from tflite_squeeze.tflite.flatbuffer import read_model

SHAPES = ((500, 784), (10, 500))
NETWORK = """
from torch import nn

def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10))
"""
TRAINING = """
import sys
import numpy as np, torch
from torch import nn
from model import build

torch.manual_seed(1)
data = np.load(sys.argv[1])
x = torch.from_numpy(data["x_train"][..., 0]).float() / 255
y = torch.from_numpy(data["y_train"]).long()
network, masks = build(), {}
matrices = [module.weight for module in network if isinstance(module, nn.Linear)]
optimizer = torch.optim.Adam(network.parameters(), 1e-3)

def train():
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for matrix, mask in masks.items():
                matrix.mul_(mask)
    return loss.item()

first = train()
masks.update({matrix: matrix.abs() > matrix.abs().median() for matrix in matrices})
assert train() < first
torch.save(network.state_dict(), "weights.pt")
"""


def halved(*shape: int, seed: int) -> Array:
    """A matrix without what is not above the median of its magnitudes."""
    matrix = weight(*shape, seed=seed) / 20
    return matrix * (np.abs(matrix) > np.median(np.abs(matrix)))


def bytes_of(tflite: bytes) -> dict[tuple[int, ...], Array]:
    """The matrices of a file, as they lie in it."""
    model = read_model(tflite)
    return {
        tuple(one.shape): np.asarray(model.buffers[one.buffer].data, np.int8).reshape(one.shape)
        for one in model.subgraphs[0].tensors
        if tuple(one.shape) in SHAPES
    }


def check_zeros(model: Any, samples: Path) -> None:
    """Each weight that is zero in Keras is a zero byte, and half of each matrix is."""
    config = Convert(quantize="int8", sparsity="dense")
    data = samples / "fashion-mnist.npz"
    kept = bytes_of(convert(model, config, data, verification=None).tflite)
    for shape in SHAPES:
        (kernel,) = [each for each in model.get_weights() if each.shape == shape[::-1]]
        assert np.count_nonzero(kernel == 0) == kernel.size // 2
        assert np.all(kept[shape].T[kernel == 0] == 0)
        assert np.count_nonzero(kept[shape]) > kernel.size // 3


def test_zeros_come_through_as_bytes(
    fake: Callable[..., None], factory: str, tmp_path: Path, samples: Path
) -> None:
    path = onnx_file(
        tmp_path,
        [
            node("Flatten", "image", "a"),
            node("Gemm", "a 1.weight 1.bias", "b", transB=1),
            node("Relu", "b", "c"),
            node("Gemm", "c 3.weight 3.bias", "y", transB=1),
        ],
        {"image": ["batch", 28, 28]},
        {
            "1.weight": halved(500, 784, seed=1), "1.bias": weight(500, seed=2),
            "3.weight": halved(10, 500, seed=3), "3.bias": weight(10, seed=4),
        },
    )  # fmt: skip
    fake(FAKE_ONNX=str(path), FAKE_SHAPES="[[1, 28, 28]]")
    check_zeros(import_model(factory, Import(inputs=("1x28x28",)))[0], samples)


@pytest.mark.slow
def test_the_example_in_pytorch(
    torch_python: Path, tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(torch_python))
    (tmp_path / "model.py").write_text(NETWORK)
    (tmp_path / "train.py").write_text(TRAINING)
    subprocess.run(
        [str(torch_python), "train.py", str(samples / "fashion-mnist.npz")],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    config = Import(weights=str(tmp_path / "weights.pt"), inputs=("1x28x28",))
    check_zeros(import_model(f"{tmp_path}/model.py:build", config)[0], samples)
