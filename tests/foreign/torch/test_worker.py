"""The worker itself, where torch is to be had: what it exports, refuses, and never runs."""

import json
import pickle
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.foreign.torch.conftest import HERE
from tflite_squeeze.errors import InputError
from tflite_squeeze.foreign.torch.environments import VARIABLE
from tflite_squeeze.foreign.torch.importing import import_torch
from tflite_squeeze.importing.config import Import
from tflite_squeeze.importing.import_model import import_model
from tflite_squeeze.network.loading import load_model

pytestmark = pytest.mark.slow
PROGRAM = HERE / "dictionary.pt2"
NETWORKS = """
import torch
from torch import nn

print("a user's file prints")

class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.gru = nn.Embedding(50, 8), nn.GRU(8, 6, batch_first=True)
        self.head = nn.Linear(6 + 3, 4)

    def forward(self, tokens, extra):
        return self.head(torch.cat([self.gru(self.table(tokens))[0][:, -1], extra], 1))

class Fixed(nn.Module):
    def forward(self, x):
        return x.reshape(1, 12).relu()

def tagger():
    return Tagger()

def fixed():
    return Fixed()

def fails():
    raise KeyError("hidden")

def number():
    return 3

def batch_norm():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
"""


@pytest.fixture(autouse=True)
def _with_torch(torch_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(torch_python))


@pytest.fixture
def networks(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "nets.py"
    path.write_text(NETWORKS)
    return path


def torch_runs(python: Path, code: str, *arguments: object) -> None:
    subprocess.run([str(python), "-c", code, *map(str, arguments)], check=True, capture_output=True)


def test_a_program_keeps_its_batch_normalization_and_the_names_of_its_outputs() -> None:
    model, record = import_model(PROGRAM, Import(tolerance=1e-5))
    assert record.evaluator.startswith("PyTorch 2.")
    assert record.layers["BatchNormalization"] == 1
    assert [each.name for each in record.outputs] == ["features", "scores"]
    assert "b.a.1" in [layer.name for layer in model.layers]


def test_a_factory_with_two_inputs_and_weights(
    networks: Path, tmp_path: Path, torch_python: Path
) -> None:
    torch_runs(
        torch_python,
        "import sys, torch; sys.path.insert(0, sys.argv[1]); from nets import Tagger;"
        "torch.manual_seed(7); net = Tagger(); torch.save({'state_dict': net.state_dict()},"
        " sys.argv[2]); net.eval();"
        "y = net(torch.arange(5)[None], torch.ones(1, 3)); print(y);"
        "import numpy; numpy.save(sys.argv[2] + '.npy', y.detach().numpy())",
        networks.parent, tmp_path / "w.pt",
    )  # fmt: skip
    loaded = load_model(
        f"{networks}:tagger", weights=tmp_path / "w.pt", inputs=["1x5:int64", "extra=1x3"]
    )
    answer = loaded.model([np.arange(5)[None], np.ones((1, 3), np.float32)])
    assert np.asarray(answer) == pytest.approx(np.load(tmp_path / "w.pt.npy"), abs=1e-6)


def test_a_network_that_takes_one_example_only_gets_a_free_batch(networks: Path) -> None:
    imported = import_torch_of(networks, "fixed", "1x3x4")
    assert "one example at a time" in imported.agreement.evaluator
    assert np.asarray(imported.model(np.ones((5, 3, 4), np.float32))).shape == (5, 12)


def import_torch_of(path: Path, function: str, *inputs: str) -> object:
    from tflite_squeeze.foreign.torch.source import factory_of

    return import_torch(factory_of(f"{path}:{function}", None, inputs))


@pytest.mark.parametrize(
    ("function", "inputs", "said"),
    [
        ("fails", ("1x3",), r"fails in .*nets\.py raised KeyError: 'hidden' in line 27"),
        ("number", ("1x3",), "returned int: return a torch.nn.Module"),
        ("none", ("1x3",), "has no function none"),
        ("tagger", (), r"takes \(tokens, extra\): pass --input"),
        ("tagger", ("1x3",), "the network raised"),
        ("batch_norm", ("1x4x9x9",), "the network raised RuntimeError"),
    ],
)
def test_what_is_wrong_with_the_users_code_is_said(
    networks: Path, function: str, inputs: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        import_torch_of(networks, function, *inputs)


class Evil:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (Path.touch, (self.path,))


def test_weights_that_are_code_are_refused_and_not_run(networks: Path, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(InputError, match="hold more than tensors"):
        load_model(f"{networks}:batch_norm", weights=tmp_path / "w.pt", inputs=["1x3x9x9"])
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network_are_refused(
    networks: Path, tmp_path: Path, torch_python: Path
) -> None:
    torch_runs(
        torch_python,
        "import sys, torch; torch.save({'a': torch.ones(2)}, sys.argv[1])",
        tmp_path / "w.pt",
    )
    with pytest.raises(InputError, match=r"do not fit the network .*Missing key"):
        load_model(f"{networks}:batch_norm", weights=tmp_path / "w.pt", inputs=["1x3x9x9"])


# What torch itself does with such a file, as the control.
_OPENED = "import sys, torch; torch.export.load(sys.argv[1]).module()"


def rewritten(path: Path, name: str, content: bytes | None = None, **more: object) -> Path:
    """The program with a member replaced, or with more in its model."""
    with zipfile.ZipFile(PROGRAM) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.namelist():
            read = source.read(member)
            if member.endswith(name):
                read = content or json.dumps({**json.loads(read), **more}).encode()
            target.writestr(member, read)
    return path


def test_guards_of_a_program_are_not_run(tmp_path: Path, torch_python: Path) -> None:
    """torch compiles them as Python when a program is made a module."""
    code = f"__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch() is None"
    path = rewritten(tmp_path / "a.pt2", "models/model.json", guards_code=[code])
    torch_runs(torch_python, f"{_OPENED}(torch.rand(2, 3, 8, 8))", path)
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    assert import_torch(path).model.name == "a"
    assert not (tmp_path / "ran").exists()


def test_pickled_objects_in_a_program_are_not_run(tmp_path: Path, torch_python: Path) -> None:
    """torch unpickles the example inputs with all that is in them where tensors alone fail."""
    evil = pickle.dumps(Evil(tmp_path / "ran"))
    path = rewritten(tmp_path / "a.pt2", "sample_inputs/model.pt", evil)
    with pytest.raises(subprocess.CalledProcessError):
        torch_runs(torch_python, _OPENED, path)
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    with pytest.raises(InputError, match="cannot be read by torch"):
        import_torch(path)
    assert not (tmp_path / "ran").exists()
