"""Filter pruning: what each part of it wins, and what budgets cost in accuracy, as int8 files.

    python tools/benchmarks/narrow.py ablation
    python tools/benchmarks/narrow.py target resnet_8-0.60 --seed 0
    python tools/benchmarks/narrow.py table

Fashion-MNIST and the reference models. Results go into tools/benchmarks/narrow.json, one for each
case and seed, and are not measured again. Accuracies are of the 10,000 test images. `table` writes
docs/measured/narrow.md.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
import numpy as np
from kept_results import KeptResults
from measured_table import renew_page

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.narrow import narrow
from tflite_squeeze.training.config import Distill, FineTune

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = KeptResults(__file__)

# What each row adds to the one before it, or puts in its place: ResNet-8, half of the filters.
_SETTLED = {"score": "norm", "repair": False}
ABLATION: dict[str, tuple[dict[str, Any], FineTune | None]] = {
    "weights' norms": ({"ratio": 0.5, **_SETTLED}, FineTune(epochs=1, reestimate=False)),
    "+ statistics": ({"ratio": 0.5, **_SETTLED}, None),
    "+ repair": ({"ratio": 0.5, "score": "norm"}, None),
    "activations": ({"ratio": 0.5, "score": "activation"}, None),
    "Fisher": ({"ratio": 0.5, "score": "fisher"}, None),
    "least squares": ({"ratio": 0.5, "score": "least-squares"}, None),
    "+ widths searched": ({"budget": "macs", "keep": 0.26}, None),
    "+ labels, 600 steps": ({"budget": "macs", "keep": 0.26}, FineTune(steps=600, batch=64)),
    "+ original, 600 steps": (
        {"budget": "macs", "keep": 0.26},
        FineTune(steps=600, batch=64, learning_rate=2e-3, teacher="original",
                 distill=Distill(temperature=2.0)),
    ),
}  # fmt: skip
EXAMPLES = 5_000

# model, settings, labelled examples (None for all; negative for unlabelled), how to train
TARGETS: dict[str, tuple[str, dict[str, Any], int | None, dict[str, Any]]] = {
    "resnet_8-0.60": ("resnet_8", {"budget": "latency", "keep": 0.60}, None, {"epochs": 8}),
    "resnet_8-0.46": ("resnet_8", {"budget": "latency", "keep": 0.46}, None, {"epochs": 8}),
    "mobilenet_v1_025-0.54": (
        "mobilenet_v1_025", {"budget": "latency", "keep": 0.54}, None, {"epochs": 8},
    ),
    "resnet_8-500": ("resnet_8", {"budget": "latency", "keep": 0.74}, -500, {}),
    "resnet_8-untrained": ("resnet_8", {"ratio": 0.25}, None, {"one_shot": True}),
}  # fmt: skip


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command()
def ablation() -> None:
    """One row for each part, on 5,000 examples."""
    model = load_model(REPOSITORY / "models" / "resnet_8.keras").model
    data = _data(EXAMPLES)
    for case, (settings, finetune) in ABLATION.items():
        trains = finetune is not None and finetune.reestimate
        if case in RESULTS.known:
            continue
        began = time.perf_counter()
        context = {"finetune": finetune} if finetune is not None else {}
        if case == next(iter(ABLATION)):
            narrower, _ = _untouched(model, settings)
        else:
            narrower, _ = narrow(model, Narrow(**settings), data, **context, one_shot=not trains)
        RESULTS.keep(
            case, {"accuracy": _accuracy(narrower), "seconds": time.perf_counter() - began}
        )


def _untouched(model: Any, settings: dict[str, Any]) -> Any:
    """A cut and nothing else: no samples are shown."""
    return narrow(model, Narrow(**settings))


@main.command()
@click.argument("case", type=click.Choice(list(TARGETS)))
@click.option("--seed", type=int, default=0, show_default=True)
def target(case: str, seed: int) -> None:
    """One of the goals: accuracy and time as int8 files, beside plain int8."""
    if f"{case} {seed}" in RESULTS.known:
        return
    name, settings, examples, training = TARGETS[case]
    model = load_model(REPOSITORY / "models" / f"{name}.keras").model
    began = time.perf_counter()
    if training.get("one_shot"):
        how: dict[str, Any] = {"one_shot": True}
    else:
        how = {"finetune": FineTune(teacher="original", seed=seed, **training)}
    narrower, record = narrow(model, Narrow(**settings), _data(examples, seed), **how)
    seconds = time.perf_counter() - began
    samples = load_data(_data(examples, seed))
    files = {
        key: convert(one, Convert(quantize="int8"), samples, verification=None).tflite
        for key, one in {"plain": model, "narrow": narrower}.items()
    }
    times = turn_by_turn(files)
    accuracies = {key: _accuracy_of_file(file) for key, file in files.items()}
    RESULTS.keep(
        f"{case} {seed}",
        {
            "float": _accuracy(model),
            "untrained": record.repair.quality if record.repair else None,
            "accuracy": _accuracy(narrower),
            "int8 plain": accuracies["plain"],
            "int8": accuracies["narrow"],
            "time": float(np.median(times["narrow"] / times["plain"])),
            "bytes": len(files["narrow"]) / len(files["plain"]),
            "widths": [[group.before, group.after] for group in record.groups],
            "seconds": seconds,
        },
    )


@main.command()
def table() -> None:
    """Writes both tables into docs/measured/narrow.md."""
    known = RESULTS.known
    rows = ["| | accuracy |", "|---|---:|"]
    rows += [f"| {case} | {known[case]['accuracy']:.2%} |" for case in ABLATION if case in known]
    renew_page("narrow", "ablation", "\n".join(rows))
    rows = [
        "| case | seed | without training | trained | int8 | plain int8 | points | time |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for key, found in known.items():
        case, _, seed = key.rpartition(" ")
        if case in TARGETS:
            lost = 100 * (found["int8"] - found["int8 plain"])
            rows.append(
                f"| {case} | {seed} | {_share(found['untrained'])} | {found['accuracy']:.2%} | "
                f"{found['int8']:.2%} | {found['int8 plain']:.2%} | {lost:+.2f} | "
                f"{found['time']:.3f} |"
            )
    renew_page("narrow", "targets", "\n".join(rows))


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def _data(examples: int | None, seed: int = 0) -> Any:
    """Fashion-MNIST: all of it, the first labelled examples, or unlabelled ones."""
    if examples is None:
        return "fashion-mnist"
    train = load_data("fashion-mnist").sample("train", None)
    (images,) = train.inputs.values()
    picked = np.random.default_rng(seed).permutation(len(images))[: abs(examples)]
    found = {"x_train": images[picked]}
    if examples > 0:
        found["y_train"] = np.asarray(train.labels)[picked]
    return found


def _test() -> tuple[Any, Any]:
    sample = load_data("fashion-mnist").sample("validation", None)
    (images,) = sample.inputs.values()
    return images, np.asarray(sample.labels).ravel()


def _accuracy(model: Any) -> float:
    images, labels = _test()
    images = images.reshape(-1, *model.input_shape[1:])
    return float(np.mean(model.predict(images, batch_size=500, verbose=0).argmax(-1) == labels))


def _accuracy_of_file(tflite: bytes) -> float:
    images, labels = _test()
    model_inputs = {"x": images} if images.ndim == 4 else {"x": images[..., None]}
    (answers,) = run_file(tflite, _named(tflite, model_inputs["x"])).outputs.values()
    return float(np.mean(answers.argmax(-1) == labels))


def _named(tflite: bytes, images: Any) -> dict[str, Any]:
    """The images under the name of the file's input."""
    from ai_edge_litert.interpreter import Interpreter

    signatures = Interpreter(model_content=tflite).get_signature_list()
    (name,) = next(iter(signatures.values()))["inputs"]
    return {name: images}


if __name__ == "__main__":
    main()
