"""Peers from PyTorch: ONNX Runtime and ExecuTorch beside our path, from the same trained network.

    python tools/benchmarks/pytorch_onnx.py torch PYTHON    # with torch, onnx and ExecuTorch
    python tools/benchmarks/pytorch_onnx.py here            # with onnxruntime
    python tools/benchmarks/pytorch_onnx.py compare PYTHON
    python tools/benchmarks/pytorch_onnx.py table

A ResNet-8 in PyTorch, trained for two epochs on 12,000 images of Fashion-MNIST, three seeds.
`torch` trains it and writes what ExecuTorch's documentation recommends for XNNPACK, in float and
static int8, and both of the network after torch.nn.utils.prune at half of all weights and an epoch.
`here` quantizes its ONNX export by onnxruntime.quantization, with signed and with unsigned
activations, and imports it: int8, pruned as much with as many epochs, and at 70 % of its filters,
as `.tflite` files and as ONNX files. `compare` times all in turns, one thread, and judges 10,000
test images. Each goes on with the seeds that are not among the results.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
import numpy as np
from kept_results import KeptResults
from measured_table import renew_page

from tflite_squeeze import (
    Compare,
    Convert,
    FineTune,
    Narrow,
    Prune,
    compare,
    convert,
    export_onnx,
    import_model,
    narrow,
    prune,
)
from tflite_squeeze.data.data import load_data

HERE = Path(__file__).resolve().parent
WORK = HERE.parents[1] / "build" / "pytorch_onnx"
RESULTS = KeptResults(__file__)
SEEDS = (0, 1, 2)
IMAGES, CALIBRATION, SPARSITY, KEPT = 12_000, 256, 0.5, 0.7
# File → what it is, in the order of the table.
FILES = {
    "float.tflite": "import, float",
    "int8.tflite": "import, int8",
    "pruned_int8.tflite": "import, half of the weights pruned, int8",
    "narrow_int8.tflite": "import, 70 % of the filters, int8",
    "float.onnx": "PyTorch's export, float",
    "ort_s8.onnx": "quantize_static, signed activations",
    "ort_u8.onnx": "quantize_static, unsigned activations",
    "int8.onnx": "export onnx of the int8 file",
    "narrow_int8.onnx": "export onnx of the narrow int8 file",
    "float.pte": "float",
    "int8.pte": "PT2E, int8",
    "pruned.pte": "half of the weights pruned, float",
    "pruned_int8.pte": "half of the weights pruned, PT2E, int8",
}
_seeds = click.option(
    "--seed", "seeds", type=int, multiple=True, default=SEEDS, help="These alone."
)
_RUNTIMES = {".tflite": "LiteRT", ".onnx": "ONNX Runtime", ".pte": "ExecuTorch"}


@click.group()
def main() -> None:
    """Peers from PyTorch."""


def _data() -> dict[str, Any]:
    with np.load(WORK / "data.npz") as data:
        return {"x": data["x"], "y": data["y"]}


@main.command("torch")
@click.argument("python")
def by_torch(python: str) -> None:
    """Trains and writes ONNX and ExecuTorch files."""
    WORK.mkdir(parents=True, exist_ok=True)
    if not (WORK / "data.npz").exists():
        sample = load_data("fashion-mnist").sample("train", IMAGES)
        (images,) = sample.inputs.values()
        x = images.reshape(-1, 28, 28).astype(np.float32)
        np.savez(WORK / "data.npz", x=x, y=np.asarray(sample.labels, np.int64))
    for seed in SEEDS:
        if not (WORK / str(seed) / "float.onnx").exists():
            command = [python, str(HERE / "pytorch_onnx_torch.py"), str(WORK), str(seed)]
            subprocess.run(command, check=True)


@main.command()
@_seeds
def here(seeds: tuple[int, ...]) -> None:
    """Imports and changes the network, and quantizes it by ONNX Runtime's own tools."""
    for seed in seeds:
        folder = WORK / str(seed)
        if (folder / "float.onnx").exists() and not (folder / "narrow_int8.onnx").exists():
            _make(folder)


def _make(folder: Path) -> None:
    data = _data()
    images = data["x"][:CALIBRATION, ..., None]
    _quantize_statically(folder, data["x"][:CALIBRATION, None])
    model, _ = import_model(folder / "float.onnx")
    model.compile("adam", _loss())
    labelled = folder / "labelled.npz"
    x, y = data["x"][..., None], data["y"]
    np.savez(labelled, x_train=x, y_train=y, x_test=x[:1000], y_test=y[:1000])
    epoch = FineTune(epochs=1)
    made: dict[str, Callable[[], Any]] = {
        "": lambda: model,
        "pruned_": lambda: prune(model, Prune(sparsity=SPARSITY), labelled, epoch).model,
        "narrow_": lambda: narrow(model, Narrow(ratio=1 - KEPT), labelled, epoch).model,
    }
    (folder / "float.tflite").write_bytes(convert(model).tflite)
    for name, make in made.items():
        file = folder / f"{name}int8.tflite"
        if not file.exists():
            file.write_bytes(convert(make(), Convert(quantize="int8"), images).tflite)
        if f"{name}int8.onnx" not in FILES:
            continue
        exported = export_onnx(file, data=images)
        print(folder.name, name, exported.record.agreement[0], flush=True)
        exported.save(folder / f"{name}int8.onnx", force=True)


def _loss() -> Any:
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _quantize_statically(folder: Path, images: Any) -> None:
    """ONNX Runtime's own way: shapes and fusions first, then pairs with scales a channel."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._examples = iter([{"image": one[None]} for one in images])

        def get_next(self) -> Any:
            return next(self._examples, None)

    quant_pre_process(folder / "float.onnx", folder / "prepared.onnx", skip_symbolic_shape=True)
    for name, kind in (("s8", quantization.QuantType.QInt8), ("u8", quantization.QuantType.QUInt8)):
        quantization.quantize_static(
            folder / "prepared.onnx", folder / f"ort_{name}.onnx", Reader(), per_channel=True,
            quant_format=quantization.QuantFormat.QDQ, activation_type=kind,
            weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip


@main.command("compare")
@click.argument("python")
@_seeds
def compared(python: str, seeds: tuple[int, ...]) -> None:
    """Times and judges all files of a seed in turns."""
    os.environ["TFLITE_SQUEEZE_TORCH"] = python
    for seed in seeds:
        folder = WORK / str(seed)
        if str(seed) in RESULTS.known or not (folder / "narrow_int8.onnx").exists():
            continue
        files = {name: (folder / name).read_bytes() for name in FILES}
        record = compare(files, "fashion-mnist", Compare(turns=20))
        found = record.model_dump(mode="json")
        found["load"] = os.getloadavg()[0]
        for file in found["files"]:
            if file["accuracy"]:
                file["accuracy"].pop("classes")
        RESULTS.keep(str(seed), found, quiet=True)
        print(f"seed {seed}: kept")


@main.command()
def table() -> None:
    """Renews the page's table."""
    seeds = list(RESULTS.known.values())
    columns = ["runtime", "file", "bytes", "download", "run / float LiteRT", "µs", "call / float",
               "accuracy", "Δ (points)"]  # fmt: skip
    rows = ["| " + " | ".join(columns) + " |", "|---|---|" + "---:|" * (len(columns) - 2)]
    for name, what in FILES.items():
        found = [next(one for one in seed["files"] if one["file"] == name) for seed in seeds]
        figures = [one["figures"][0] for one in found]
        cells = (
            _RUNTIMES[Path(name).suffix], what,
            _middle(found, lambda one: one["raw_bytes"], ",.0f"),
            _middle(found, lambda one: one["download_bytes"], ",.0f"),
            _spread([one["latency_ratio"]["value"] for one in figures], ".2f"),
            _middle(figures, lambda one: one["latency_us"], ".0f"),
            _spread([one["call_ratio"]["value"] for one in figures], ".2f"),
            _spread([100 * one["accuracy"]["accuracy"] for one in found], ".2f"),
            _spread([0 - 100 * one["accuracy"]["drop"] for one in found], "+.2f"),
        )  # fmt: skip
        rows.append("| " + " | ".join(cells) + " |")
    loads = ", ".join(f"{seed['load']:.1f}" for seed in seeds)
    machine = seeds[0]["machine"]
    rows += ["", f"{len(seeds)} seeds, medians (lowest to highest); {machine['cpu']}, one thread; "
             f"load of the machine's two cores after each seed: {loads}."]  # fmt: skip
    renew_page("pytorch_onnx", "peers", "\n".join(rows))


def _middle(found: list[Any], value: Callable[[Any], float], form: str) -> str:
    return format(statistics.median(map(value, found)), form)


def _spread(values: list[float], form: str) -> str:
    # Adding 0 makes a negative zero positive.
    middle, low, high = (one + 0.0 for one in (statistics.median(values), min(values), max(values)))
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


if __name__ == "__main__":
    main()
