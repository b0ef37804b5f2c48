"""Results as files, and the tables of them; `python tools/benchmarks/distill.py report`."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

SEEDS = (0, 1, 2)
FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("distill_results"), show_default=True
)
SEED = click.option("--seed", type=int, default=0, show_default=True)


def write(folder: Path, name: str, values: dict[str, Any]) -> None:
    """Leaves one result behind, with machine and versions."""
    import keras
    import tensorflow as tf

    machine = (
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"tensorflow {tf.__version__}, keras {keras.__version__}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**values, "machine": machine, "command": " ".join(sys.argv[1:])}, indent=1)
    (folder / f"{name}.json").write_text(text + "\n")
    click.echo(f"{name}: {text}")


def done(folder: Path, name: str) -> bool:
    """Whether a result is there already."""
    return (folder / f"{name}.json").exists()


def results(folder: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """The results that are there."""
    paths = [folder / f"{name}.json" for name in names]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def shown(values: list[float], form: Callable[[float], str] = "{:.2%}".format) -> str:
    """The mean and each."""
    return f"{form(statistics.mean(values))} ({', '.join(map(form, values))})" if values else "-"


@click.command()
@FOLDER
def report(folder: Path) -> None:
    """Prints the tables; exit code 1 when a goal is missed or a result is not there."""
    goals: list[tuple[str, bool]] = []
    teacher_accuracy = [row["accuracy"] for row in results(folder, ["teacher"])]
    click.echo("| MNIST | teacher | alone | distilled | gap closed |\n|---|---:|---:|---:|---:|")
    for student in ("800", "lenet"):
        alone, distilled = (
            [row["accuracy"] for row in results(folder, [f"{name}_{seed}" for seed in SEEDS])]
            for name in (f"mnist_{student}_alone", f"mnist_{student}_distilled")
        )
        complete = len(alone) == len(distilled) == len(SEEDS) and len(teacher_accuracy) == 1
        closed = [
            (d - a) / (teacher_accuracy[0] - a) for a, d in zip(alone, distilled, strict=False)
        ] if teacher_accuracy else []  # fmt: skip
        click.echo(
            f"| {student} | {shown(teacher_accuracy)} | {shown(alone)} | {shown(distilled)} | "
            f"{shown(closed)} |"
        )
        if student == "800":
            goals.append(
                ("800-800: gap closed >= 85 %", complete and statistics.mean(closed) >= 0.85)
            )
        else:
            goals.append(("LeNet: outside the spread", complete and min(distilled) > max(alone)))
    click.echo("\n| 90 % zeros, no labels | dense | at once | recovered | regained |")
    click.echo("|---|---:|---:|---:|---:|")
    for name in ("lenet_300_100", "resnet_8", "mobilenet_v1_025"):
        rows = results(folder, [f"recovery_{name}_{seed}" for seed in SEEDS])
        cells = [
            shown([row[key] for row in rows])
            for key in ("dense", "at_once", "recovered", "regained")
        ]
        click.echo(f"| {name} | {' | '.join(cells)} |")
        enough = len(rows) == len(SEEDS) and min(row["regained"] for row in rows) >= 0.9
        goals.append((f"{name}: regained >= 90 %", enough))
    for name in ("original", "labels"):
        pruned = [row["pruned"] for row in results(folder, [f"{name}_{seed}" for seed in SEEDS])]
        click.echo(f"\nLeNet-300-100, Fashion-MNIST, 95 % zeros, {name}: {shown(pruned)}")
    for row in results(folder, ["steps"]):
        click.echo(f"step: {row['live']:.2f} of student + teacher, {row['cached']:.2f} cached")
        goals.append(("steps <= 1.1", row["live"] <= 1.1 and row["cached"] <= 1.1))
    for goal, reached in goals:
        click.echo(f"{'reached' if reached else 'MISSED'}: {goal}")
    if not all(reached for _, reached in goals):
        raise SystemExit(1)
