"""All cases, by name: which function measures them, with what, and in which Keras."""

from dataclasses import dataclass, field
from typing import Any

NETWORKS = ("lenet_300_100", "lenet_5", "resnet_8", "mobilenet_v1_025")
KERAS_WAYS = (
    "export, float",
    "quantize int8",
    "quantize int8, weights only",
    "quantize int4",
    "quantize float8",
    "export, Optimize.DEFAULT",
)
RECIPES = (
    "dynamic_wi8_afp32",
    "static_wi8_ai8",
    "weight_only_wi8_afp32",
    "dynamic_wi4_afp32",
)
# Networks that int8 destroys, as `debugger` calls them.
DESTROYED = {
    "one-hot": "one-hot of token ids",
    "boxes": "boxes beside scores",
    "kelvin": "300 K ± 1",
    "swish": "swish outlier",
    "hard-swish": "hard-swish outlier",
    "attention": "attention, 30 dB asked",
}
MODES = ("none", "float16", "dynamic", "int8")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A peer, and how it is met.

    Attributes:
        title: its name.
        how: what both sides do, in a sentence or two.
        needs: the package without which its cases cannot run, if `make benchmark` adds it.
    """

    title: str
    how: str
    needs: str | None = None


PEERS = {
    "converter": Peer(
        title="TFLiteConverter",
        how="TensorFlow's own post-training quantization, which is TFMOT's too, called as its "
        "guide has it. Both sides calibrate on the same 256 images. A conversion is timed after a "
        "first one that warms up: bare, and with the check that `convert` makes by default and "
        "the peer does not.",
    ),
    "keras": Peer(
        title="Keras 3: quantize and export",
        how='`model.quantize(...)`, then `model.export(path, format="litert")`. It quantizes Dense '
        "layers only; this project has no mode for weights alone, so `dynamic` stands against it.",
    ),
    "quantizer": Peer(
        title="LiteRT quantizer",
        how="The PyPI package litert-quantizer (once ai-edge-quantizer) on the float file that "
        "`convert` writes, with its ready recipes and the same 256 images.",
        needs="litert-quantizer",
    ),
    "debugger": Peer(
        title="TensorFlow: QuantizationDebugger",
        how="Networks whose int8 file fails its check: what has to stay in float until it passes. "
        "`--quantize mixed` beside the debugger's recipe, operators of the largest error first, as "
        "few as pass. [The fewest layers in float, measured](mixed.md) has three seeds.",
    ),
    "prune": Peer(
        title="TFMOT: pruning",
        how="The same trained tf_keras network, as many epochs, three seeds. TFMOT prunes each "
        "layer alike, as its guide has it, at the better of two learning rates, chosen on the "
        "test set in its favour; this project ranks weights over the whole network at one rate, "
        "and once more each layer alike.",
    ),
    "cluster": Peer(
        title="TFMOT: clustering",
        how="The same trained tf_keras network, as many steps, three seeds; TFMOT with k-means++ "
        "and again the better of two learning rates. Files are int8, the peer's by the plain "
        "converter.",
    ),
    "aware": Peer(
        title="TFMOT: quantization-aware training",
        how="The same trained tf_keras network, as many steps on the same batches at the same "
        "learning rate. [Quantization, measured](quantize.md) has longer trainings, and the chain "
        "of zeros, shared values and integers beside TFMOT's PCQAT.",
    ),
    "sparse": Peer(
        title="EXPERIMENTAL_SPARSITY",
        how="TensorFlow's sparse encoding beside `convert --sparsity sparse`: int8 LeNet-300-100 "
        "with its smallest weights set to zero. Latency is over that of the dense file of the "
        "same side.",
    ),
    "larq": Peer(
        title="Larq and Larq Compute Engine",
        how="A 784-1024-1024-10 network, all but the last layer binary, trained as long by Larq's "
        "layers from the start and by `binarize` from a float network; one model then converted "
        "by both.",
    ),
    "pack": Peer(
        title="gzip and xz",
        how="`pack` beside gzip -9 and xz -9 on the files that `convert` writes: bytes to send, "
        "and the time to unpack them.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A comparison that runs in a process of its own.

    Attributes:
        name: what `--only` takes.
        peer: a key of PEERS.
        function: module in `peers` and function, as "module:function".
        arguments: what it is called with.
        quick: what replaces some of them with `--quick`; None: left out there.
        legacy: whether tf.keras has to be tf_keras, as TFMOT and Larq want it.
    """

    name: str
    peer: str
    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    quick: dict[str, Any] | None = None
    legacy: bool = False

    def called_with(self, *, quick: bool) -> dict[str, Any]:
        """The arguments of a full or a quick run."""
        return self.arguments | ({"quick": True} | (self.quick or {}) if quick else {})


def _conversions() -> list[Case]:
    """Every reference network by every converter and packer; the smallest also in a quick run."""
    kinds: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "converter": (
            "converter:quantized",
            {"modes": MODES, "repetitions": 3},
            {"modes": ("int8",), "repetitions": 1},
        ),
        "keras": ("keras_export:quantized", {"ways": KERAS_WAYS}, {"ways": KERAS_WAYS[1:3]}),
        "quantizer": ("quantizer:quantized", {"recipes": RECIPES}, {"recipes": RECIPES[-1:]}),
        "pack": (
            "packing:packed",
            {"modes": ("int8", "float16"), "repetitions": 3},
            {"modes": ("int8",), "repetitions": 1},
        ),
    }
    return [
        Case(
            name=f"{peer}-{network}",
            peer=peer,
            function=function,
            arguments={"network": network} | arguments,
            quick=quick if network == NETWORKS[0] else None,
        )
        for peer, (function, arguments, quick) in kinds.items()
        for network in NETWORKS
    ]


def _trainings() -> list[Case]:
    """What trains: pruning, clustering and binary networks, and the files that come of it."""
    network = NETWORKS[0]
    small = {"epochs": 1, "seeds": 1}
    found = [
        Case(
            name=f"prune-{zeros}",
            peer="prune",
            function="pruning:pruned",
            arguments={"network": network, "zeros": zeros / 100, "epochs": 4, "seeds": 3},
            quick=small if zeros == 95 else None,
            legacy=True,
        )
        for zeros in (95, 98)
    ]
    found += [
        Case(
            name=f"cluster-{clusters}",
            peer="cluster",
            function="clustering:shared",
            arguments={"network": network, "clusters": clusters, "seeds": 3, "count": 200},
            quick={"seeds": 1, "count": 2} if clusters == 16 else None,
            legacy=True,
        )
        for clusters in (16, 32)
    ]
    timing = {"network": network, "repetitions": 3, "count": 60}
    found += [
        Case(
            name=f"aware-{network}",
            peer="aware",
            function="quantizing:trained",
            arguments={"network": network, "seeds": 3, "count": 200},
            quick={"seeds": 1, "count": 2} if network == "lenet_5" else None,
            legacy=True,
        )
        for network in ("lenet_5", "resnet_8")
    ]
    return [
        *found,
        Case(name="aware-steps", peer="aware", function="quantizing:steps",
             arguments={**timing, "network": "lenet_5"}, legacy=True),
        Case(name="prune-steps", peer="prune", function="pruning:steps", arguments=timing,
             legacy=True),
        Case(name="cluster-steps", peer="cluster", function="clustering:steps",
             arguments={**timing, "repetitions": 3, "clusters": 16}, legacy=True),
        Case(name="larq-dense", peer="larq", function="binary_nets:dense",
             arguments={"float_epochs": 1, "epochs": 2, "rate": 2e-3, "seed": 0},
             quick={"float_epochs": 1, "epochs": 1}, legacy=True),
        Case(name="larq-convolutions", peer="larq", function="binary_nets:convolutions",
             legacy=True),
    ]  # fmt: skip


def _in_float() -> list[Case]:
    return [
        Case(
            name=f"debugger-{name}",
            peer="debugger",
            function="debugger:fewest",
            arguments={"network": network},
        )
        for name, network in DESTROYED.items()
    ]


def _encodings() -> list[Case]:
    return [
        Case(
            name=f"sparse-{zeros}",
            peer="sparse",
            function="sparse:encoded",
            arguments={"zeros": zeros / 100},
            quick={} if zeros == 98 else None,
        )
        for zeros in (90, 95, 98)
    ]


CASES = {case.name: case for case in (*_conversions(), *_in_float(), *_trainings(), *_encodings())}
