"""What zeros and shared values save on the NPU Ethos-U55-128, by its compiler's estimate.

The reference models are fine-tuned with zeros, with 16 values per kernel, or with both, and
converted to int8 with integer inputs and outputs; weights stay dense, since the NPU's compiler has
an encoding of its own. Accuracy is on the full Fashion-MNIST test set.

python tools/benchmarks/ethos_u.py                    # what is missing in the JSON; then the page
python tools/benchmarks/ethos_u.py --only lenet_5     # one model; the page stays as it is
"""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
from measured_table import renew_page

from tflite_squeeze.microcontrollers.ethos_u import profile_ethos_u
from tflite_squeeze.microcontrollers.ethos_u_record import EthosUProfile
from tflite_squeeze.tflite.size import download_bytes

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("ethos_u.json")
ACCELERATOR = "ethos-u55-128"
DATA = "fashion-mnist"
# Model → epochs of each fine-tuning, and its learning rate.
MODELS = {"lenet_300_100": (8, 2e-3), "lenet_5": (4, 1e-3), "resnet_8": (2, 1e-3)}
# Variant → share of zeros, values per kernel.
VARIANTS: dict[str, tuple[float | None, int | None]] = {
    "plain": (None, None),
    "80 % zeros": (0.8, None),
    "95 % zeros": (0.95, None),
    "16 values": (None, 16),
    "80 % zeros, 16 values": (0.8, 16),
}


def squeezed(name: str, sparsity: float | None, clusters: int | None) -> tuple[bytes, float]:
    """The int8 file of a variant, and its accuracy; runs in a child process."""
    import tflite_squeeze as squeeze

    epochs, rate = MODELS[name]
    finetune = squeeze.FineTune(epochs=epochs, learning_rate=rate)
    model: Any = squeeze.load_model(REPOSITORY / "models" / f"{name}.keras").model
    if sparsity is not None:
        config = squeeze.Prune(sparsity=sparsity, budget="global")
        model = squeeze.prune(model, config, DATA, finetune).model
    if clusters is not None:
        model = squeeze.cluster(model, squeeze.Cluster(clusters=clusters), DATA, finetune).model
    converted = squeeze.convert(
        model,
        squeeze.Convert(
            quantize="int8", io_dtype="int8", per_channel_dense=False, sparsity="dense"
        ),
        DATA,
        verification=squeeze.Verify(samples=None),
    )
    (output,) = converted.record.verification.outputs
    return converted.tflite, output.accuracy.file


def measured(name: str, variant: str) -> dict[str, Any]:
    """One row."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
        tflite, accuracy = worker.submit(squeezed, name, *VARIANTS[variant]).result()
    record = profile_ethos_u(tflite, EthosUProfile(accelerator=ACCELERATOR))
    return {
        "model": name,
        "variant": variant,
        "accuracy": accuracy,
        "file_bytes": len(tflite),
        "download_bytes": download_bytes(tflite),
        "compiled_bytes": record.compiled_bytes,
        "weights_bytes": record.weights_bytes,
        "encoded_weights_bytes": record.encoded_weights_bytes,
        "sram_bytes": record.sram_bytes,
        "cycles": record.cycles,
        "npu_cycles": record.npu_cycles,
        "inferences_per_second": record.inferences_per_second,
        "clock_hz": record.clock_hz,
        "vela": record.vela,
    }


def recorded() -> list[dict[str, Any]]:
    """The rows that were measured up to now."""
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of docs/measured/micro.md; differences are to the plain file of the same model."""
    plain = {row["model"]: row for row in rows if row["variant"] == "plain"}
    lines = [
        "| model | weights | accuracy | flash (compiled file) | saved | cycles | saved | "
        "of it NPU's own work | inferences/s |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        base = plain[row["model"]]
        saved = [1 - row[key] / base[key] for key in ("compiled_bytes", "cycles")]
        shown = ["" if row is base else f"{share:.1%}" for share in saved]
        lines.append(
            f"| {row['model']} | {row['variant']} | {row['accuracy']:.2%} | "
            f"{row['compiled_bytes']:,} | {shown[0]} | {row['cycles']:,} | {shown[1]} | "
            f"{row['npu_cycles']:,} | {row['inferences_per_second']:,.0f} |"
        )
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--only", type=click.Choice(tuple(MODELS)), help="This model only.")
def main(only: str | None) -> None:
    """The command line."""
    order = [(name, variant) for name in MODELS for variant in VARIANTS]
    for name, variant in order:
        done = {(row["model"], row["variant"]) for row in recorded()}
        if (name, variant) in done or only not in (None, name):
            continue
        click.echo(f"{name}, {variant}")
        row = measured(name, variant)
        rows = [*recorded(), row]  # read again: another process may have added to it
        rows.sort(key=lambda one: order.index((one["model"], one["variant"])))
        RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
    rows = recorded()
    table = markdown(rows)
    click.echo(table)
    if only is None:
        renew_page("micro", "ethos-u", table)


if __name__ == "__main__":
    main()
