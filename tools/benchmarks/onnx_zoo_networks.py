"""Networks in PyTorch for `onnx_zoo.py`, with random weights: name → (network, example inputs).

Runs where torch, torchvision and timm are installed, which is not the environment of the package.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

# The CPU build of torch has none of torchvision's own operators; its networks need none of them.
_LIBRARY = torch.library.Library("torchvision", "DEF")
try:
    for _name in ("nms", "qnms"):
        _LIBRARY.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
except RuntimeError:
    pass  # they are there

import timm  # noqa: E402  # after the operators
import torchvision.models as vision  # noqa: E402

Made = tuple[nn.Module, tuple[torch.Tensor, ...]]


def _image(size: int = 64, channels: int = 3) -> tuple[torch.Tensor, ...]:
    return (torch.rand(1, channels, size, size),)


def _vision(name: str, size: int = 64, **options: Any) -> Callable[[], Made]:
    return lambda: (getattr(vision, name)(weights=None, num_classes=10, **options), _image(size))


def _timm(name: str, size: int = 64, **options: Any) -> Callable[[], Made]:
    return lambda: (timm.create_model(name, num_classes=10, **options), _image(size))


class KeywordGru(nn.Module):
    """Keyword spotting: a GRU over frames, its last state classified."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(16, 24, num_layers=2, batch_first=True)
        self.head = nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.head(self.gru(x)[0][:, -1])


class Crnn(nn.Module):
    """Convolutions over a line of text, then a bidirectional LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d((4, 2)),
        )  # fmt: skip
        self.lstm = nn.LSTM(16 * 2, 20, bidirectional=True, batch_first=True)
        self.head = nn.Linear(40, 11)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        y = self.features(x)
        y = y.permute(0, 3, 1, 2).flatten(2)
        return F.log_softmax(self.head(self.lstm(y)[0]), dim=-1)


class TimeFirstLstm(nn.Module):
    """An LSTM whose time axis comes first inside, and both of whose states are used."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(12, 10)
        self.head = nn.Linear(20, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        _, (h, c) = self.lstm(x.transpose(0, 1))
        return self.head(torch.cat([h[-1], c[-1]], dim=-1))


class PlainRnn(nn.Module):
    """A plain recurrent layer in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(9, 14, batch_first=True, bidirectional=True)
        self.head = nn.Linear(28, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.head(self.rnn(x)[0].mean(1))


class Attention(nn.Module):
    """Attention as people write it."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-2, -1)) * (c // self.heads) ** -0.5
        return self.out((a.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c))


class HandWritten(nn.Module):
    """A block of a transformer around it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(32), Attention()
        self.mlp = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
        self.head = nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        x = x + self.attention(self.norm(x))
        return self.head((x + self.mlp(x)).mean(1))


class Encoder(nn.Module):
    """nn.TransformerEncoder on token ids with positions."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 32)
        self.positions = nn.Parameter(torch.randn(1, 12, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(32, 7)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.head(self.encoder(self.embed(ids) + self.positions)[:, 0])


class TinyGpt(nn.Module):
    """Causal self-attention by scaled_dot_product_attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(40, 32), nn.LayerNorm(32)
        self.q, self.k, self.v = (nn.Linear(32, 32, bias=False) for _ in range(3))
        self.out, self.head = nn.Linear(32, 32), nn.Linear(32, 40)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        x = self.embed(ids)
        y = self.norm(x)
        q, k, v = (
            one(y).view(*y.shape[:2], 4, 8).transpose(1, 2) for one in (self.q, self.k, self.v)
        )
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(x + self.out(a.transpose(1, 2).reshape(y.shape)))


class CrossAttention(nn.Module):
    """Trained queries look at a sequence, as in Perceiver."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, 5, 32))
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.head = nn.Linear(5 * 32, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        q = self.queries.expand(x.shape[0], -1, -1)
        return self.head(self.attention(q, x, x, need_weights=False)[0].flatten(1))


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


class UNet(nn.Module):
    """Skips and transposed convolutions, or bilinear upsampling."""

    def __init__(self, *, bilinear: bool) -> None:
        super().__init__()
        self.one, self.two, self.three = _block(3, 8), _block(8, 16), _block(16, 16)
        if bilinear:
            self.up_two: nn.Module = nn.Upsample(scale_factor=2, mode="bilinear")
            self.up_one: nn.Module = nn.Upsample(
                scale_factor=2, mode="bilinear", align_corners=True
            )
        else:
            self.up_two = nn.ConvTranspose2d(16, 16, 2, stride=2)
            self.up_one = nn.ConvTranspose2d(16, 16, 3, stride=2, padding=1, output_padding=1)
        self.down, self.end = _block(32, 16), nn.Conv2d(24, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        a = self.one(x)
        b = self.two(F.max_pool2d(a, 2))
        c = self.down(torch.cat([self.up_two(self.three(F.max_pool2d(b, 2))), b], 1))
        return torch.sigmoid(self.end(torch.cat([self.up_one(c), a], 1)))


class UNet1d(nn.Module):
    """Of waveforms, with gated units."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv1d(1, 8, 8, stride=4, padding=2)
        self.gate = nn.Conv1d(8, 16, 1)
        self.up = nn.ConvTranspose1d(8, 1, 8, stride=4, padding=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return x + self.up(F.glu(self.gate(F.relu(self.down(x))), 1))


class M5(nn.Module):
    """Raw audio through wide strides."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 80, stride=16), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(4),
            nn.Conv1d(16, 32, 3), nn.BatchNorm1d(32), nn.ReLU(), nn.AvgPool1d(2, padding=1),
        )  # fmt: skip
        self.head = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        y = self.features(x)
        return F.log_softmax(self.head(F.avg_pool1d(y, y.shape[-1]).permute(0, 2, 1)), dim=2)


class Tcn(nn.Module):
    """Dilated causal convolutions whose padding is cut off again."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(10, 12, 3, padding=2)
        self.second = nn.Conv1d(12, 12, 3, padding=4, dilation=2)
        self.own = nn.Conv1d(12, 12, 5, padding=2, groups=12)
        self.head = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        y = F.relu(self.first(x)[..., :-2])
        y = y + F.relu(self.second(y)[..., :-4])
        return self.head(torch.tanh(self.own(y))[..., -1])


class Video(nn.Module):
    """Three-dimensional convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv3d(3, 8, 3, padding=1), nn.BatchNorm3d(8), nn.ReLU(), nn.MaxPool3d(2),
            nn.Conv3d(8, 16, 3, stride=(1, 2, 2), padding=1), nn.ReLU(), nn.AdaptiveAvgPool3d(1),
        )  # fmt: skip
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.head(self.features(x).flatten(1))


class GroupNormed(nn.Module):
    """Group and instance normalization, Mish, PReLU, space to depth."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(12, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.SiLU(),
            nn.Conv2d(16, 16, 3, padding=1, groups=4), nn.InstanceNorm2d(16, affine=True),
            nn.PReLU(16), nn.Conv2d(16, 12, 1), nn.Mish(), nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.net(x)


class Detector(nn.Module):
    """As YOLO: slices into channels, pools in a row, nearest upsampling, a flat head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(12, 16, 3, padding=1)
        self.down = nn.Conv2d(16, 24, 3, stride=2, padding=1)
        self.after = nn.Conv2d(24 * 4, 16, 1)
        self.head = nn.Conv2d(32, 14, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        x = torch.cat([x[..., i::2, j::2] for j in (0, 1) for i in (0, 1)], 1)
        a = F.silu(self.stem(x))
        y = [F.silu(self.down(a))]
        for _ in range(3):
            y.append(F.max_pool2d(y[-1], 5, 1, 2))
        b = F.interpolate(self.after(torch.cat(y, 1)), scale_factor=2, mode="nearest")
        z = self.head(torch.cat([a, b], 1))
        z = z.view(z.shape[0], 2, 7, *z.shape[2:]).permute(0, 1, 3, 4, 2)
        return torch.sigmoid(z).reshape(z.shape[0], -1, 7)


class PointNet(nn.Module):
    """Of points: layers of width 1, then the largest of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv1d(3, 16, 1), nn.Conv1d(16, 32, 1)
        self.head = nn.Sequential(nn.Linear(32, 16), nn.LeakyReLU(0.2), nn.Linear(16, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.head(self.two(F.elu(self.one(x))).amax(-1))


class Generator(nn.Module):
    """As DCGAN: from a vector to an image."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.ConvTranspose2d(20, 16, 4, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.ConvTranspose2d(8, 3, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.net(z[:, :, None, None])


class LeNet(nn.Module):
    """With a pool that rounds up."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5),
            nn.Tanh(), nn.AvgPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(400, 84),
            nn.Dropout(0.2), nn.Hardswish(), nn.Linear(84, 10),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes it."""
        return self.net(x)


NETWORKS: dict[str, Callable[[], Made]] = {
    "lenet": lambda: (LeNet(), _image(28, 1)),
    "resnet18": _vision("resnet18"),
    "mobilenet_v2": _vision("mobilenet_v2"),
    "mobilenet_v3_small": _vision("mobilenet_v3_small"),
    "efficientnet_b0": _vision("efficientnet_b0"),
    "shufflenet_v2_x0_5": _vision("shufflenet_v2_x0_5"),
    "squeezenet1_1": _vision("squeezenet1_1"),
    "mnasnet0_5": _vision("mnasnet0_5"),
    "regnet_y_400mf": _vision("regnet_y_400mf"),
    "densenet": lambda: (vision.DenseNet(12, (3, 4, 3), 24, num_classes=10), _image(64)),
    "googlenet": _vision("googlenet", 96, aux_logits=False, init_weights=False),
    "swin": lambda: (
        vision.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [4, 4], num_classes=10),
        _image(64),
    ),
    "vit": lambda: (vision.VisionTransformer(32, 8, 2, 4, 48, 96, num_classes=10), _image(32)),
    "convnext_atto": _timm("convnext_atto"),
    "ghostnet_050": _timm("ghostnet_050"),
    "repvgg_a0": _timm("repvgg_a0"),
    "mobilevit_xxs": _timm("mobilevit_xxs"),
    "edgenext_xx_small": _timm("edgenext_xx_small"),
    "levit_128s": _timm("levit_128s", 224),
    "mlp_mixer": lambda: (
        timm.models.MlpMixer(10, 32, patch_size=8, num_blocks=2, embed_dim=48),
        _image(32),
    ),
    "vit_of_timm": lambda: (
        timm.models.VisionTransformer(
            32, patch_size=8, num_classes=10, embed_dim=48, depth=2, num_heads=4
        ),
        _image(32),
    ),
    "poolformer": _timm("poolformer_s12", 64),
    "lcnet_050": _timm("lcnet_050"),
    "gru": lambda: (KeywordGru(), (torch.rand(1, 20, 16),)),
    "lstm_states": lambda: (TimeFirstLstm(), (torch.rand(1, 15, 12),)),
    "rnn_both_ways": lambda: (PlainRnn(), (torch.rand(1, 11, 9),)),
    "crnn": lambda: (Crnn(), (torch.rand(1, 1, 16, 32),)),
    "attention": lambda: (HandWritten(), (torch.rand(1, 10, 32),)),
    "transformer_encoder": lambda: (Encoder(), (torch.randint(0, 50, (1, 12)),)),
    "gpt": lambda: (TinyGpt(), (torch.randint(0, 40, (1, 9)),)),
    "cross_attention": lambda: (CrossAttention(), (torch.rand(1, 14, 32),)),
    "unet": lambda: (UNet(bilinear=False), _image(32)),
    "unet_bilinear": lambda: (UNet(bilinear=True), _image(32)),
    "unet_1d": lambda: (UNet1d(), (torch.rand(1, 1, 256),)),
    "m5": lambda: (M5(), (torch.rand(1, 1, 2048),)),
    "tcn": lambda: (Tcn(), (torch.rand(1, 10, 30),)),
    "video": lambda: (Video(), (torch.rand(1, 3, 6, 16, 16),)),
    "group_norm": lambda: (GroupNormed(), _image(24)),
    "detector": lambda: (Detector(), _image(64)),
    "pointnet": lambda: (PointNet(), (torch.rand(1, 3, 40),)),
    "generator": lambda: (Generator(), (torch.rand(1, 20),)),
}
