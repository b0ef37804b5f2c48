"""The peer's side of `depgraph.py`: runs in an environment with PyTorch and Torch-Pruning alone.

python depgraph_torch.py FOLDER OUT STEPS BATCH RATE
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_pruning as tp
from torch import nn

torch.set_num_threads(1)
KEEP = {"0.5": 0.5, "0.25": 0.25}


def conv(given: int, out: int, size: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """A convolution without a bias, padded to keep the size."""
    return nn.Conv2d(given, out, size, stride, size // 2, groups=groups, bias=False)


def norm(channels: int) -> nn.Module:
    """Keras's epsilon and momentum."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """A residual block; the weighted layers in the order of the Keras network."""

    def __init__(self, given: int, out: int, stride: int) -> None:
        super().__init__()
        self.first, self.norm1 = conv(given, out, 3, stride), norm(out)
        self.second = conv(out, out, 3)
        self.down = conv(given, out, 1, 2) if stride == 2 else None
        self.norm2 = norm(out)
        self.norm3 = norm(out) if stride == 2 else None

    def forward(self, x: Any) -> Any:
        """Two convolutions beside a shortcut."""
        y = torch.relu(self.norm1(self.first(x)))
        y = self.norm2(self.second(y))
        return torch.relu(y + (x if self.down is None else self.norm3(self.down(x))))


class Inverted(nn.Module):
    """An inverted residual."""

    def __init__(self, given: int, out: int, stride: int) -> None:
        super().__init__()
        wide = 4 * given
        self.expand, self.norm1 = conv(given, wide, 1), norm(wide)
        self.depthwise, self.norm2 = conv(wide, wide, 3, stride, wide), norm(wide)
        self.project, self.norm3 = conv(wide, out, 1), norm(out)
        self.added = stride == 1 and given == out

    def forward(self, x: Any) -> Any:
        """Expanded, filtered, projected."""
        y = nn.functional.relu6(self.norm1(self.expand(x)))
        y = nn.functional.relu6(self.norm2(self.depthwise(y)))
        y = self.norm3(self.project(y))
        return x + y if self.added else y


class Network(nn.Module):
    """Either network."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.stem, self.norm = conv(1, 16, 3), norm(16)
        blocks: list[nn.Module] = []
        width = 16
        self.six = name.startswith("mobile")
        if self.six:
            for out, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (64, 1)):
                blocks.append(Inverted(width, out, stride))
                width = out
        else:
            for stage, out in enumerate((16, 32, 64, 128)):
                for block in range(2):
                    blocks.append(Block(width, out, 2 if stage and not block else 1))
                    width = out
        self.blocks = nn.Sequential(*blocks)  # in the order in which Keras has the layers
        if self.six:
            self.last, self.last_norm = conv(width, 256, 1), norm(256)
            width = 256
        self.head = nn.Linear(width, 10)

    def forward(self, x: Any) -> Any:
        """Logits."""
        act = nn.functional.relu6 if self.six else torch.relu
        x = self.blocks(act(self.norm(self.stem(x))))
        if self.six:
            x = nn.functional.relu6(self.last_norm(self.last(x)))
        return self.head(x.mean((2, 3)))


def load(model: Network, path: Path) -> None:
    """Puts the Keras weights in, kind by kind in order, and checks the answers."""
    file = np.load(path)
    kinds: dict[str, list[list[Any]]] = {}
    grouped: dict[str, list[Any]] = {}
    for key in sorted(name for name in file.files if name != "answers"):
        place, kind, _ = key.split()
        grouped.setdefault(f"{place} {kind}", []).append(file[key])
    for key, values in grouped.items():
        kinds.setdefault(key.split()[1], []).append(values)
    # Convolutions of a block before its shortcut's; normalizations likewise.
    for module in model.modules():
        with torch.no_grad():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                (kernel,) = kinds["DepthwiseConv2D"].pop(0)
                module.weight.copy_(torch.tensor(kernel.transpose(2, 3, 0, 1)))
            elif isinstance(module, nn.Conv2d):
                (kernel,) = kinds["Conv2D"].pop(0)
                module.weight.copy_(torch.tensor(kernel.transpose(3, 2, 0, 1)))
            elif isinstance(module, nn.BatchNorm2d):
                gamma, beta, mean, variance = kinds["BatchNormalization"].pop(0)
                kept = (module.weight, module.bias, module.running_mean, module.running_var)
                for to, value in zip(kept, (gamma, beta, mean, variance), strict=True):
                    to.copy_(torch.tensor(value))
            elif isinstance(module, nn.Linear):
                kernel, bias = kinds["Dense"].pop(0)
                module.weight.copy_(torch.tensor(kernel.T))
                module.bias.copy_(torch.tensor(bias))
    images = np.load(path.parent / "images.npz")["x_test"][:64].transpose(0, 3, 1, 2)
    model.eval()
    with torch.no_grad():
        found = torch.softmax(model(torch.tensor(images)), -1).numpy()
    worst = float(np.abs(found - file["answers"]).max())
    if worst > 1e-3:
        raise SystemExit(f"{path.name}: the answers differ from Keras's by {worst}")


def accuracy(model: nn.Module, known: Any) -> float:
    """On the test set."""
    model.eval()
    x = torch.tensor(known["x_test"].transpose(0, 3, 1, 2))
    with torch.no_grad():
        found = np.concatenate([model(part).argmax(-1).numpy() for part in x.split(500)])
    return float(np.mean(found == known["y_test"]))


def recover(model: nn.Module, known: Any, steps: int, batch: int, rate: float) -> None:
    """Adam with a warm-up of 5 % and a cosine, on labels."""
    rng = np.random.default_rng(0)
    x, y = known["x"].transpose(0, 3, 1, 2), known["y"].astype(np.int64)
    optimizer = torch.optim.Adam(model.parameters(), rate, eps=1e-7)
    warm = steps // 20
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda at: (
            at / warm if at < warm else 0.5 + 0.5 * np.cos(np.pi * (at - warm) / (steps - warm))
        ),
    )
    model.train()
    for _ in range(steps):
        picked = rng.integers(0, len(x), batch)
        loss = nn.functional.cross_entropy(model(torch.tensor(x[picked])), torch.tensor(y[picked]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def pruned(name: str, folder: Path, keep: float) -> tuple[nn.Module, float]:
    """Cut by group norms over all groups, step by step until so many MACs are left."""
    model = Network(name)
    load(model, folder / f"{name}.npz")
    example = torch.zeros(1, 1, 28, 28)
    whole, _ = tp.utils.count_ops_and_params(model, example)
    pruner = tp.pruner.BasePruner(
        model, example, importance=tp.importance.GroupMagnitudeImportance(p=2), pruning_ratio=0.9,
        iterative_steps=100, global_pruning=True, round_to=4, ignored_layers=[model.head],
    )  # fmt: skip
    for _ in range(100):
        pruner.step()
        macs, _ = tp.utils.count_ops_and_params(model, example)
        if macs <= keep * whole:
            return model, macs / whole
    raise SystemExit(f"{name}: {macs / whole:.2f} of the MACs are left")


def main(folder: Path, out: Path, steps: int, batch: int, rate: float) -> None:
    """Both networks at both sizes."""
    known = np.load(folder / "images.npz")
    found = json.loads(out.read_text()) if out.exists() else {}
    for name in ("resnet18_like", "mobilenetv2_like"):
        for share, keep in KEEP.items():
            if f"{name} {share}" in found:
                continue
            torch.manual_seed(0)
            model, macs = pruned(name, folder, keep)
            before = accuracy(model, known)
            recover(model, known, steps, batch, rate)
            found[f"{name} {share}"] = {
                "macs": macs,
                "before": before,
                "after": accuracy(model, known),
            }
            out.write_text(json.dumps(found))
            print(f"{name} {share}", found[f"{name} {share}"], flush=True)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    )
