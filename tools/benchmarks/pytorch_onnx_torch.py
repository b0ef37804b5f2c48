"""PyTorch's side of `pytorch_onnx.py`: runs where torch, onnx and ExecuTorch are installed.

python pytorch_onnx_torch.py FOLDER SEED

It trains a network on FOLDER/data.npz, and writes into FOLDER/SEED: float.onnx, for the others;
float.pte and int8.pte, as ExecuTorch's documentation makes them for XNNPACK; pruned.pte and
pruned_int8.pte, after torch.nn.utils.prune and an epoch.
"""

import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from torch import nn
from torch.nn.utils import prune
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

torch.set_num_threads(1)
EXAMPLE = (torch.rand(1, 1, 28, 28),)
EPOCHS, RATE, BATCH = 2, 3e-3, 64
SPARSITY = 0.5
CALIBRATION = 256


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, given: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(given, out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.down = nn.Conv2d(given, out, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Any) -> Any:
        """Of a batch of images."""
        y = torch.relu(self.norm1(self.first(x)))
        return torch.relu(self.norm2(self.second(y)) + self.down(x))


def network() -> nn.Module:
    """A ResNet-8 with 16, 32 and 64 channels for images of 28 x 28."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2),
        nn.AvgPool2d(7), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def train(model: nn.Module, x: Any, y: Any, epochs: int, rate: float) -> None:
    """Adam with a cosine."""
    model.train()
    steps = epochs * (len(x) // BATCH)
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss_of = nn.CrossEntropyLoss()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            optimizer.zero_grad()
            loss_of(model(x[chosen]), y[chosen]).backward()
            optimizer.step()
            schedule.step()
    model.eval()


def pruned(model: nn.Module, x: Any, y: Any) -> nn.Module:
    """Half of all weights masked by magnitude, over all layers together, and an epoch."""
    model = deepcopy(model)
    kernels = [(one, "weight") for one in model.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    prune.global_unstructured(kernels, prune.L1Unstructured, amount=SPARSITY)
    train(model, x, y, 1, RATE / 3)
    for module, name in kernels:
        prune.remove(module, name)
    return model


def lowered(program: Any) -> bytes:
    """A program for the kernels of XNNPACK."""
    made = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(made.to_executorch().buffer)


def quantized(model: nn.Module, x: Any) -> Any:
    """Static int8 with scales a channel, calibrated."""
    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(model, EXAMPLE).module(), quantizer)
    for one in x[:CALIBRATION]:
        prepared(one[None])
    return torch.export.export(convert_pt2e(prepared), EXAMPLE)


def main(folder: Path, seed: int) -> None:
    """All files of a seed."""
    data = np.load(folder / "data.npz")
    x, y = torch.from_numpy(data["x"])[:, None], torch.from_numpy(data["y"])
    torch.manual_seed(seed)
    model = network()
    train(model, x, y, EPOCHS, RATE)
    out = folder / str(seed)
    out.mkdir(exist_ok=True)
    thin = pruned(model, x, y)
    kernels = [one.weight for one in thin.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    zeros = sum(int((one == 0).sum()) for one in kernels) / sum(one.numel() for one in kernels)
    print(f"zeros {zeros:.4f}")
    for name, one in (("float", model), ("pruned", thin)):
        (out / f"{name}.pte").write_bytes(lowered(torch.export.export(one, EXAMPLE)))
        int8 = "int8" if name == "float" else f"{name}_int8"
        (out / f"{int8}.pte").write_bytes(lowered(quantized(one, x)))
    torch.onnx.export(
        model, EXAMPLE, str(out / "float.onnx"), dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        input_names=["image"], output_names=["scores"], opset_version=17,
        dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
