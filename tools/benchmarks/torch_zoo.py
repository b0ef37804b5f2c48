"""The networks of `onnx_zoo_networks.py`, and a few of another form, as sources of their own.

    python tools/benchmarks/torch_zoo.py build/torch_zoo      # where torch is installed
    python tools/benchmarks/onnx_zoo.py torch build/torch_zoo

Each is written as a `.pt2` file with a free batch, and is a function here: `torch_zoo.py:lenet`.
"""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from onnx_zoo_export import randomized
from onnx_zoo_networks import NETWORKS, Made
from torch import nn


class Tagger(nn.Module):
    """A tag for each word, by a GRU in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 16), nn.Linear(24, 7)
        self.gru = nn.GRU(16, 12, batch_first=True, bidirectional=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.head(self.gru(self.table(tokens))[0])


class TwoInputs(nn.Module):
    """An image and numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense = nn.Conv2d(3, 4, 3), nn.Linear(6, 4)

    def forward(self, image: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return torch.cat([self.conv(image).flatten(1), self.dense(numbers).tanh()], 1)


class Dictionary(nn.Module):
    """Features and scores by name."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Computes it."""
        features = self.body(x)
        return {"features": features, "scores": self.head(features.mean((2, 3)))}


class Residual(nn.Module):
    """One step of `Nested`."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.norm = nn.Linear(8, 8), nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return x + nn.functional.gelu(self.norm(self.dense(x)))


class Nested(nn.Module):
    """Modules in lists, sequences and dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList([nn.Sequential(Residual(), Residual()) for _ in range(2)])
        self.heads = nn.ModuleDict({"a": nn.Linear(8, 2)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        for step in self.steps:
            x = step(x)
        return self.heads["a"](x)


class Spectrum(nn.Module):
    """A Fourier transform, for which Keras has no layer here."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(9, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.head(torch.fft.rfft(x).abs())


MORE: dict[str, Callable[[], Made]] = {
    "gru_tagger": lambda: (Tagger(), (torch.randint(0, 50, (1, 12)),)),
    "two_inputs": lambda: (TwoInputs(), (torch.rand(1, 3, 8, 8), torch.rand(1, 6))),
    "dictionary_output": lambda: (Dictionary(), (torch.rand(1, 3, 8, 8),)),
    "nested_modules": lambda: (Nested(), (torch.rand(1, 8),)),
    "fourier": lambda: (Spectrum(), (torch.rand(1, 16),)),
}
ALL = {**NETWORKS, **MORE}


def made(name: str) -> Made:
    """A network with random statistics, and its example inputs."""
    torch.manual_seed(list(ALL).index(name))
    network, inputs = ALL[name]()
    return randomized(network), inputs


def __getattr__(name: str) -> Callable[[], nn.Module]:
    if name not in ALL:
        raise AttributeError(name)
    return lambda: made(name)[0]


def main(folder: Path) -> None:
    """Writes the `.pt2` files, and the inputs as `--input` takes them."""
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    described = {}
    for name in ALL:
        network, inputs = made(name)
        kinds = {torch.float32: "", torch.int64: ":int64"}
        described[name] = ["x".join(map(str, each.shape)) + kinds[each.dtype] for each in inputs]
        pairs = tuple(torch.cat([each, each]) for each in inputs)
        batch = torch.export.Dim("batch")
        try:
            program = torch.export.export(
                network, pairs, dynamic_shapes=tuple({0: batch} for _ in inputs)
            )
            torch.export.save(program, folder / f"{name}.pt2")
        except Exception as error:  # noqa: BLE001  # whatever torch.export says goes into the log
            print(name, str(error).splitlines()[0], flush=True)
    (folder / "inputs.json").write_text(json.dumps(described))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
