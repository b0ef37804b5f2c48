"""Recipes with fixed numbers, on the reference models: what they reach, and what kills do to them.

    python tools/benchmarks/recipes.py run small-download lenet_5 --seed 0 --folder runs
    python tools/benchmarks/recipes.py table --folder runs
    python tools/benchmarks/recipes.py widths
    python tools/benchmarks/recipes.py kill lenet_300_100 --folder kills

`run` can be stopped and started again; `table` reads the reports of all that ran. Accuracy is that
on the full test set; times are of one thread, all files in turns.
"""

import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.recipes.files import load_recipe
from tflite_squeeze.recipes.report import Report
from tflite_squeeze.recipes.run_recipe import run_recipe
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.narrow import narrow

REPOSITORY = Path(__file__).resolve().parents[2]
UNLABELLED = 2000


@click.group()
def main() -> None:
    """Benchmarks of recipes."""


@main.command()
@click.argument("recipe")
@click.argument("model")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True)
def run(recipe: str, model: str, seed: int, folder: Path) -> None:
    """Runs one of `fixed_recipes/`; `label-free` sees 2,000 images and no label."""
    out = folder / f"{recipe}-{model}-{seed}"
    fixed = load_recipe(Path(__file__).parent / "fixed_recipes" / f"{recipe}.yaml").resolved(seed)
    result = run_recipe(
        REPOSITORY / "models" / f"{model}.keras", fixed, _data(recipe), out, resume=True,
        on_progress=lambda progress: print(progress, flush=True),
    )  # fmt: skip
    print(f"{out}: {'met' if result.report.passed else result.report.failures}")


def _data(recipe: str) -> Any:
    if recipe != "label-free":
        return "fashion-mnist"
    data = load_data("fashion-mnist")
    some = data.sample("train", UNLABELLED).inputs
    test = data.sample("validation", None).inputs
    (train,), (held_out,) = some.values(), test.values()
    return {"x_train": train, "x_test": held_out}


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True)
def table(folder: Path) -> None:
    """One row for each recipe and model: the median of the seeds, and each."""
    found: dict[str, list[tuple[Path, Report]]] = {}
    for path in sorted(folder.glob("*/report.json")):
        case = path.parent.name.rpartition("-")[0]
        found.setdefault(case, []).append((path, Report.model_validate_json(path.read_bytes())))
    print("| recipe and model | float32 download | download | times smaller | points lost | "
          "of the time of float32 | of int8 |\n|---|---:|---:|---:|---:|---:|---:|")  # fmt: skip
    for case, runs in found.items():
        print(f"| {case} | {' | '.join(_cells(runs))} |")


def _cells(runs: list[tuple[Path, Report]]) -> list[str]:
    base = runs[0][1].baseline.plain.download_bytes
    files = [report.outcome.file for _, report in runs if report.outcome]
    lost = [_points_lost(path, report) for path, report in runs]
    times = [_ratios(path) for path, _ in runs]
    return [
        f"{base:,}",
        _spread([file.download_bytes for file in files], "{:,.0f}"),
        _spread([base / file.download_bytes for file in files], "{:.1f}"),
        _spread(lost, "{:+.2f}"),
        _spread([over_float for over_float, _ in times], "{:.2f}"),
        _spread([over_int8 for _, over_int8 in times], "{:.2f}"),
    ]


def _spread(values: list[float], form: str) -> str:
    each = ", ".join(form.format(value) for value in values)
    return f"{form.format(statistics.median(values))} ({each})"


def _points_lost(path: Path, report: Report) -> float:
    """On the full labelled test set, whatever the run was shown."""
    assert report.outcome is not None
    comparison = report.outcome.comparison
    if comparison is None or comparison.outputs[0].accuracy is None:
        from tflite_squeeze.verification.record import Verify
        from tflite_squeeze.verification.verify import verify

        tflite = path.with_name(f"{report.model.name}.tflite").read_bytes()
        model = REPOSITORY / "models" / f"{report.model.name}.keras"
        comparison = verify(model, tflite, "fashion-mnist", Verify(samples=None, max_drop=0.99))
    accuracy = comparison.outputs[0].accuracy
    assert accuracy is not None
    return -100 * accuracy.difference


def _ratios(path: Path) -> tuple[float, float]:
    """The result's time over that of the plain float and int8 files, all in turns."""
    report = Report.model_validate_json(path.read_bytes())
    model = REPOSITORY / "models" / f"{report.model.name}.keras"
    int8 = convert(model, Convert(quantize="int8"), "fashion-mnist", verification=None).tflite
    files = {
        "float": (path.parent / "before" / "float32.tflite").read_bytes(),
        "int8": int8,
        "result": path.with_name(f"{report.model.name}.tflite").read_bytes(),
    }
    times = turn_by_turn(files)
    over = [float(np.median(times["result"] / times[name])) for name in ("float", "int8")]
    return over[0], over[1]


@main.command()
def widths() -> None:
    """What narrower shapes gain on this machine: int8 files in turns, untrained."""
    cases = {
        "resnet_8": {"half, trunk kept": Narrow(ratio=0.5, coupled=False),
                     "half": Narrow(ratio=0.5)},
        "mobilenet_v1_025": {"quarter": Narrow(ratio=0.25), "half": Narrow(ratio=0.5)},
    }  # fmt: skip
    samples = REPOSITORY / "models" / "samples" / "fashion-mnist.npz"
    print("| network | filters out | time of float32 | of int8 |\n|---|---|---:|---:|")
    for name, configs in cases.items():
        model = load_model(REPOSITORY / "models" / f"{name}.keras").model
        files = {}
        for case, config in {"float": None, "int8": None, **configs}.items():
            changed = model if config is None else narrow(model, config)[0]
            settings = Convert(quantize="none" if case == "float" else "int8")
            files[case] = convert(changed, settings, samples, verification=None).tflite
        times = turn_by_turn(files)
        for case in files:
            ratios = [float(np.median(times[case] / times[one])) for one in ("float", "int8")]
            print(f"| {name} | {case} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)


KILL_RECIPE = {
    "name": "killed",
    "steps": [
        {"prune": {"sparsity": 0.8, "budget": "global"}, "finetune": {"epochs": 1}},
        {"prune": {"sparsity": 0.95, "budget": "global"}, "finetune": {"epochs": 1}},
        {"cluster": {"clusters": 16}, "finetune": {"epochs": 1}},
    ],
    "convert": {"quantize": "int8", "per_channel_dense": False, "sparsity": "sparse"},
}


@main.command()
@click.argument("model")
@click.option("--data", default="fashion-mnist", show_default=True)
@click.option("--kills", type=int, default=10, show_default=True)
@click.option("--only", type=int, help="Only the kill of this number.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the moments.")
@click.option("--folder", type=click.Path(path_type=Path), required=True)
def kill(model: str, data: str, kills: int, only: int | None, seed: int, folder: Path) -> None:
    """SIGKILL at random moments, resumed each time: the same bytes, no damaged file.

    The folder "whole" has the run that is let alone; what took it is measured once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(KILL_RECIPE))
    whole = _whole(model, recipe, data, folder / "whole")
    report = Report.model_validate_json((folder / "whole" / "report.json").read_bytes())
    print(f"{model}: {report.seconds:.1f} s uninterrupted, once TensorFlow is loaded")
    same = 0
    numbers = [only] if only else list(range(1, kills + 1))
    for number in numbers:
        same += _killed(model, recipe, data, folder, number, seed, report.seconds) == whole
    print(f"{same} of {len(numbers)} ended with the same bytes and no damaged file")
    sys.exit(same != len(numbers))


def _killed(
    model: str, recipe: Path, data: str, folder: Path, number: int, seed: int, seconds: float
) -> bytes:
    """What a run makes that is killed once and resumed; nothing where it left a damaged file."""
    out = folder / f"killed_{number}"
    share = random.Random(f"{seed}-{number}").random()
    child = _started(model, recipe, data, out)
    while not (out / "state.json").exists() and child.poll() is None:
        time.sleep(0.05)  # TensorFlow is loaded, the model and the data are read
    try:
        child.wait(timeout=share * seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
    killed = child.wait() == -signal.SIGKILL
    left = sorted(file.name for file in out.iterdir())
    damaged = [name for name in left if not _readable(out / name)]
    made = _whole(model, recipe, data, out)
    print(f"{number}: {'killed' if killed else 'ENDED'} after {share:.0%} of the time, left "
          f"{', '.join(left)}; {len(damaged)} damaged", flush=True)  # fmt: skip
    return b"" if damaged or not killed else made


def _started(model: str, recipe: Path, data: str, out: Path) -> subprocess.Popen[bytes]:
    source = REPOSITORY / "models" / f"{model}.keras"
    command = [sys.executable, "-m", "tflite_squeeze", "-q", "squeeze", str(source), "--recipe",
               str(recipe), "--data", data, "-o", str(out), "--resume"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(command, env=environment, start_new_session=True)


def _whole(model: str, recipe: Path, data: str, out: Path) -> bytes:
    """The file of a run that goes on to its end."""
    if not (out / "report.json").exists():
        assert _started(model, recipe, data, out).wait() == 0
    return (out / f"{model}.tflite").read_bytes()


def _readable(path: Path) -> bool:
    """Whether a file of a killed run is whole; what has not got its name yet does not count."""
    from tflite_squeeze.errors import SqueezeError
    from tflite_squeeze.recipes.folder import RunState

    if path.name.startswith(".tflite-squeeze-"):
        return True
    try:
        if path.suffix in (".keras", ".tflite"):
            load_model(path)
        elif path.name == "state.json":
            RunState.model_validate_json(path.read_bytes())
    except (SqueezeError, ValueError):
        return False
    return path.stat().st_size > 0


if __name__ == "__main__":
    main()
