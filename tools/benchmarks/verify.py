"""What `verify` finds in sound files and in damaged ones: the figures behind its limits.

python tools/benchmarks/verify.py                      # everything, about 20 minutes
python tools/benchmarks/verify.py --only "LSTM" --only "GRU"
python tools/benchmarks/verify.py --tables             # renews the page from verify.json alone

Sound are the reference models and those of sound_models.py, trained from seed 0; damaged are
models whose file loses something although the file as a whole is near the model. Figures stand in
verify.json, so that it can be stopped and goes on.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import keras
from keras import layers
from measured_table import renew_page
from sound_models import MODELS, application, many_classes, table, target, trained

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import SqueezeError
from tflite_squeeze.verification.limits import Verify, tolerance_of

RESULTS = Path(__file__).with_name("verify.json")
REPOSITORY = Path(__file__).resolve().parents[2]
MODES = ("int8", "int16x8", "dynamic", "float16", "none")
REFERENCES = ("lenet_300_100", "lenet_5", "mobilenet_v1_025", "resnet_8", "watch_lstm")
# Their conversions take minutes; one mode that calibrates and one that does not are enough.
LARGE = ("MobileNetV2", "MobileNetV2, features", "features of a net that is not trained")
# The runtime's integer kernels for this network are wrong.
BROKEN = {("unit vectors", "int16x8")}
Row = dict[str, Any]


def detector_in_one() -> tuple[Any, Any, Any]:
    """Boxes in pixels and a score between 0 and 1, in one output."""
    x = table(512)
    y = target(x, 5)
    model, *_ = trained(dense(5), x, y, "mse", 15)
    return rescaled(model, [640.0] * 4 + [1.0], 0.0), x, None


def thermometer() -> tuple[Any, Any, Any]:
    """300 K and a little more or less."""
    x = table(512)
    model, *_ = trained(dense(2), x, target(x, 2), "mse", 15)
    return rescaled(model, [0.3, 0.3], [300.0, 300.0]), x, None


def dense(columns: int) -> Any:
    """A hidden layer and an output."""
    stack = [layers.Dense(64, "relu"), layers.Dense(columns)]
    return keras.Sequential([keras.Input((16,), name="x"), *stack])


def rescaled(model: Any, scale: Any, offset: Any) -> Any:
    """The model with its output in other units."""
    given = keras.Input((16,), name="x")
    return keras.Model(given, layers.Rescaling(scale, offset)(model(given)))


def untrained_features() -> tuple[Any, Any, Any]:
    """Features that vary little about large means, after four epochs."""
    options = {"alpha": 0.75, "minimalistic": True}
    return application("MobileNetV3Small", features=True, **options)


def unsure(share: float) -> tuple[Any, Any, Any]:
    """A thousand classes, the logits made smaller, so that no class gets much."""
    model, x, y = many_classes(1000)
    last = model.layers[-1]
    last.set_weights([share * weight for weight in last.get_weights()])
    return model, x, y


DAMAGED: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "boxes in pixels and a score": detector_in_one,
    "300 K ± 0.3": thermometer,
    "features of a net that is not trained": untrained_features,
    "1000 classes, logits x 0.25": lambda: unsure(0.25),
    "1000 classes, logits x 0.15": lambda: unsure(0.15),
}


def measured(kind: str, name: str, source: Any, data: Any, mode: str) -> Iterator[Row]:
    """A row of figures for each output of a file."""
    about = {"kind": kind, "model": name, "mode": mode}
    try:
        record = convert(source, Convert(quantize=mode), data).record.verification
    except SqueezeError as error:
        yield {**about, "refused": str(error)}
        return
    if not record.outputs:
        yield {**about, "refused": "; ".join(record.failures)}
    for item in record.outputs:
        worst = min((axis.worst[0].sqnr_db for axis in item.parts), default=float("inf"))
        yield {
            **about,
            "output": item.output,
            "passed": record.passed,
            "failures": [
                one for one in record.failures if one.startswith(f"output {item.output}:")
            ],
            "sqnr_db": min(item.sqnr_db, 200.0),
            "worst_part_db": min(worst, 200.0),
            "parts": max((axis.count for axis in item.parts), default=1),
            "lost_of_kind": max((axis.share for axis in item.parts), default=0.0),
            "moved": item.moved,
            "agreement": item.agreement,
            "drop": None if item.accuracy is None else -item.accuracy.difference,
            "error_rise": None if item.errors is None else item.errors.worst[0].rise,
        }


def split(x: Any, y: Any) -> Any:
    """The first half to calibrate on, the second to verify on."""
    half = len(x) // 2
    parts = {"train": slice(None, half), "test": slice(half, None)}
    data = {f"x_{part}": x[some] for part, some in parts.items()}
    if isinstance(y, dict):
        for part, some in parts.items():
            data |= {f"y_{part}:{name}": value[some] for name, value in y.items()}
    elif y is not None:
        data |= {f"y_{part}": y[some] for part, some in parts.items()}
    return data


def jobs() -> Iterator[tuple[str, str, Callable[[], tuple[Any, Any]]]]:
    """What is measured: kind, name, and what makes model and data."""
    for name in REFERENCES:
        data = "watch" if name == "watch_lstm" else "fashion-mnist"
        paths = REPOSITORY / "models" / f"{name}.keras", f"models/samples/{data}.npz"
        yield "sound", name, lambda paths=paths: (paths[0], str(REPOSITORY / paths[1]))
    for kind, models in (("sound", MODELS), ("damaged", DAMAGED)):
        for name, build in models.items():
            yield kind, name, lambda build=build: made(build)


def made(build: Callable[[], tuple[Any, Any, Any]]) -> tuple[Any, Any]:
    """A model from seed 0 and its data."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model, x, y = build()
    return model, split(x, y)


def distributions(rows: list[Row]) -> str:
    """The figures of all sound files beside the limits, one line a quantization and figure."""
    figures = {
        "SQNR (dB)": ("sqnr_db", "min_sqnr_db", ".1f", 1),
        "worst part (dB)": ("worst_part_db", "min_part_db", ".1f", 1),
        "same class": ("agreement", "min_agreement", ".1%", 1),
        "probability moved": ("moved", "max_moved", ".1%", -1),
        "error rise": ("error_rise", "max_error_rise", ".1%", -1),
    }
    lines = [
        "| quantization | figure | outputs | worst | second | 10 % | median | limit |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for mode in MODES:
        limits = tolerance_of(Verify(), mode)
        for title, (field, limit, form, sign) in figures.items():
            found = sorted(
                (row[field] for row in rows if row["mode"] == mode and row[field] is not None),
                key=lambda value, sign=sign: sign * value,
            )
            if found:
                places = (0, min(1, len(found) - 1), len(found) // 10, len(found) // 2)
                shown = " | ".join(format(found[at], form) for at in places)
                most = format(getattr(limits, limit), form)
                lines.append(f"| {mode} | {title} | {len(found)} | {shown} | {most} |")
    return "\n".join(lines)


def by_model(rows: list[Row]) -> str:
    """A line for each output in int8."""
    lines = [
        "| model | output | SQNR (dB) | parts | worst part (dB) | lost of a kind | moved "
        "| same class | error rise | passed |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        optional = (
            "" if row[field] is None else f"{row[field]:.1%}"
            for field in ("moved", "agreement", "error_rise")
        )
        lines.append(
            f"| {row['model']}{'' if row['mode'] == 'int8' else ', ' + row['mode']} "
            f"| {row['output']} | {row['sqnr_db']:.1f} | {row['parts']:,} "
            f"| {row['worst_part_db']:.1f} | {row['lost_of_kind']:.1%} | {' | '.join(optional)} "
            f"| {'yes' if not row['failures'] else 'no'} |"
        )
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--only", multiple=True, help="Measure these models alone.")
@click.option("--tables", is_flag=True, help="Measure nothing.")
def main(only: tuple[str, ...], tables: bool) -> None:
    """Measures what is missing and renews the page."""
    rows: list[Row] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    known = {(row["model"], row["mode"]) for row in rows}
    for kind, name, build in () if tables else jobs():
        modes = [
            mode
            for mode in (("int8", "dynamic") if name in LARGE else MODES)
            if (name, mode) not in known and (not only or name in only)
        ]
        if modes:
            source, data = build()
            for mode in modes:
                rows += measured(kind, name, source, data, mode)
                RESULTS.write_text(json.dumps(rows, indent=1, allow_nan=True) + "\n")
            click.echo(f"{name}: done")
    order = {name: at for at, (_, name, _) in enumerate(jobs())}
    rows.sort(key=lambda row: order[row["model"]])
    run = [row for row in rows if "refused" not in row]
    broken = [row for row in run if (row["model"], row["mode"]) in BROKEN]
    sound = [row for row in run if row["kind"] == "sound" and row not in broken]
    renew_page("verify", "distribution", distributions(sound))
    renew_page("verify", "sound", by_model([row for row in sound if row["mode"] == "int8"]))
    damaged = [row for row in run if row["kind"] == "damaged" and row["mode"] == "int8"]
    renew_page("verify", "damaged", by_model([*damaged, *broken]))
    for row in rows:
        if "refused" in row or (row["kind"] == "sound" and row["failures"]):
            click.echo(f"{row['model']}, {row['mode']}: {row.get('refused') or row['failures']}")


if __name__ == "__main__":
    main()
