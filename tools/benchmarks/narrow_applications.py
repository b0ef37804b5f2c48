"""Filter pruning of one network of every family of keras.applications, with random weights.

    python tools/benchmarks/narrow_applications.py run
    python tools/benchmarks/narrow_applications.py page

`run` narrows each network by half and tells what it refuses. Then every second unit of every group
is set to zero and cut, and outputs are compared: they are equal, but for networks whose statistics
over channels (LayerNormalization) change with the width, of which the other groups are cut. The
same cut of units that are not zero shows what a wrong one would change.
"""

import importlib
import json
import textwrap
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from tests.techniques.narrowing.cases import silence
from tflite_squeeze.techniques.narrowing.channels import Channels, channels_of
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.cutting import cut
from tflite_squeeze.techniques.narrowing.narrow import narrow
from tflite_squeeze.training.statistics import reestimate

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_suffix(".json")
PAGE = REPOSITORY / "docs/measured/narrow_applications.md"
COMMAND = "python tools/benchmarks/narrow_applications.py run"
LEAST_SPREAD = 0.01
# Network: its height and width.
FAMILIES = {
    "VGG16": 64, "ResNet50": 64, "ResNet50V2": 64, "ResNetRS50": 64, "RegNetX002": 64,
    "RegNetY002": 64, "DenseNet121": 64, "InceptionV3": 96, "InceptionResNetV2": 96,
    "Xception": 96, "NASNetMobile": 64, "MobileNet": 64, "MobileNetV2": 64, "MobileNetV3Small": 64,
    "EfficientNetB0": 64, "EfficientNetV2B0": 64, "ConvNeXtTiny": 64,
}  # fmt: skip


@click.group()
def main() -> None:
    """Every family of keras.applications, narrowed."""


@main.command()
@click.argument("names", nargs=-1)
@click.option("--flavor", type=click.Choice(["keras", "tf_keras"]), multiple=True)
def run(names: tuple[str, ...], flavor: tuple[str, ...]) -> None:
    """Narrows networks, all or some, that are not among the results yet, and adds them."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for version in flavor or ("keras", "tf_keras"):
        library = importlib.import_module(version)
        for name in names or FAMILIES:
            if not hasattr(library.applications, name) or f"{name} {version}" in found:
                continue
            row = _measured(library, name, FAMILIES[name])
            found[f"{name} {version}"] = row
            print(name, version, row, flush=True)
            RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
            library.backend.clear_session()


def _measured(library: Any, name: str, side: int) -> dict[str, Any]:
    """What narrowing does to one network."""
    library.utils.set_random_seed(0)
    shape = (side, side, 3)
    model = getattr(library.applications, name)(
        input_shape=shape, weights=None, classes=10, classifier_activation=None
    )
    _randomize(model)
    start = time.perf_counter()
    _, record = narrow(model, Narrow(ratio=0.5, multiple=1), one_shot=True)
    seconds = time.perf_counter() - start
    channels = channels_of(model)
    groups = [group for group in channels.groups if not group.fixed]
    stays = _every_second(channels)
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (2, *shape)) * random.uniform(0, 1, (2, 1, 1, 3))
    images = images.astype(np.float32)
    change = _distance(model(images), cut(model, channels, stays)(images))
    silence(channels, stays)
    if _spread(model(images)) < LEAST_SPREAD:
        reestimate(model, [images])
    silent = np.asarray(model(images))
    equal = _distance(silent, cut(model, channels, stays)(images))
    return {
        "input": side,
        "parameters_before": record.parameters_before,
        "parameters_after": record.parameters_after,
        "groups": len(groups),
        "inexact": sum(bool(group.inexact) for group in groups),
        "refused": sorted({group.reason for group in record.refused}),
        "seconds": round(seconds, 1),
        "spread": _spread(silent),
        "difference_zero": equal,
        "difference_other": change,
    }


def _randomize(model: Any) -> None:
    """Gives normalisation and biases numbers, which are 0 and 1 in a new network."""
    random = np.random.default_rng(1)
    # A Normalization layer computes with what it was adapted to, not with its weights.
    layers = [one for one in model.layers if type(one).__name__ != "Normalization"]
    for variable in [weight for layer in layers for weight in layer.weights]:
        if len(variable.shape) == 1:
            shift = any(word in variable.name for word in ("bias", "beta", "mean"))
            values = random.uniform(-0.1, 0.1, variable.shape)
            variable.assign(0.1 * values if shift else 1 + values)


def _every_second(channels: Channels) -> Any:
    """Whether each unit stays: half of each group whose zeros can go without a change."""
    stays = np.ones(len(channels.group_of), bool)
    for group in channels.groups:
        if not group.fixed and not group.inexact:
            stays[group.units[::2]] = False
    return stays


def _spread(outputs: Any) -> float:
    """The largest difference of the outputs for two inputs, as a share of the largest output."""
    return float(np.ptp(outputs, axis=0).max() / np.abs(outputs).max())


def _distance(one: Any, other: Any) -> float:
    """The largest difference of outputs, as a share of the largest output."""
    one, other = np.asarray(one), np.asarray(other)
    return float(np.abs(one - other).max() / np.abs(one).max())


@main.command()
def page() -> None:
    """Writes the page from the results."""
    found = json.loads(RESULTS.read_text())
    prose = (
        f"One network of each family, with random weights, narrowed with "
        f"`Narrow(ratio=0.5, multiple=1)` by `{COMMAND}`. For the last two columns every second "
        f"unit of every group was removed, first with its weights set to zero, then as it is; they "
        f"give the largest difference of the outputs, as a share of the largest output. *Spread* "
        f"is that between two images, for comparison; where it was below {LEAST_SPREAD} with half "
        f"of the channels silent, statistics of batch normalization were estimated again first. "
        f"*Inexact* groups have LayerNormalization on their way, whose statistics change with the "
        f"width, so that no removal leaves outputs equal: they were left out of this comparison. "
        f"What is left of a difference is the rounding of float32, which grows through "
        f"normalization by statistics of two images: in float64, EfficientNetB0's is 1.4e-13."
    )
    lines = [
        "# Filter pruning of every family of keras.applications",
        "",
        *textwrap.wrap(prose, 125, break_long_words=False, break_on_hyphens=False),
        "",
        "| network | Keras | input | parameters | after | groups | inexact "
        "| spread | difference, zeros removed | others removed | refused |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for key, row in found.items():
        name, version = key.split()
        lines.append(
            f"| {name} | `{version}` | {row['input']} | {row['parameters_before']:,} "
            f"| {row['parameters_after']:,} | {row['groups']} | {row['inexact']} "
            f"| {row['spread']:.1e} | {row['difference_zero']:.1e} | {row['difference_other']:.1e} "
            f"| {'; '.join(row['refused'])} |"
        )
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
