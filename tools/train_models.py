"""Trains the reference models from scratch and writes them with a manifest, or checks them.

python tools/train_models.py                    # all, smallest first
python tools/train_models.py --only lenet_5     # one, the rest of the manifest stays
python tools/train_models.py --check            # the committed files against the manifest
"""

import hashlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import keras
import numpy as np
import tensorflow as tf
import tf_keras
from recipes import RECIPES, Recipe
from training import Parts, accuracy, split, train

from tflite_squeeze.data.named_sets import load_named_set
from tflite_squeeze.errors import SqueezeError
from tflite_squeeze.files.files import write_atomically

MODELS = Path(__file__).resolve().parent.parent / "models"
# Sums in another order may turn a few of the test examples that lie on the edge.
ACCURACY_TOLERANCE = 0.0005


def _load(path: Path) -> Any:
    module = tf_keras if path.suffix == ".h5" else keras
    return module.models.load_model(path, compile=False)


def _save(model: Any, recipe: Recipe, out: Path) -> Path:
    """Saves weights and layers only: a copy of the model that was never compiled."""
    path = out / recipe.file
    beside = out / f".new-{recipe.file}"
    bare = recipe.build(tf_keras if path.suffix == ".h5" else keras)
    bare.set_weights(model.get_weights())
    try:
        bare.save(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _entry(name: str, path: Path, parts: Parts, facts: dict[str, Any]) -> dict[str, Any]:
    recipe, model, content = RECIPES[name], _load(path), path.read_bytes()
    dataset = load_named_set(recipe.dataset)
    return {
        "name": name,
        "file": path.name,
        "architecture": recipe.architecture,
        "flavour": "tf_keras" if path.suffix == ".h5" else "keras",
        "data_set": recipe.dataset,
        "preprocessing": dataset.preprocessing.model_dump(mode="json", exclude_defaults=True),
        "class_names": dataset.class_names,
        "examples": {
            "train": len(parts.x_train),
            "validation": len(parts.x_validation),
            "test": len(parts.x_test),
        },
        "test_accuracy": accuracy(model, parts.x_test, parts.y_test),
        "validation_accuracy": accuracy(model, parts.x_validation, parts.y_validation),
        "parameters": model.count_params(),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **facts,
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "tf_keras": tf_keras.__version__,
            "numpy": np.__version__,
        },
    }


def _read_manifest(out: Path) -> dict[str, dict[str, Any]]:
    path = out / "manifest.json"
    if not path.is_file():
        return {}
    return {entry["name"]: entry for entry in json.loads(path.read_text())["models"]}


def _write_manifest(out: Path, entries: dict[str, dict[str, Any]]) -> None:
    ordered = [entries[name] for name in RECIPES if name in entries]
    text = json.dumps({"models": ordered}, indent=2) + "\n"
    write_atomically(out / "manifest.json", text.encode(), force=True)


def _make(name: str, *, epochs: int | None, out: Path, seed: int) -> dict[str, Any]:
    """Trains one model, or takes its weights from another, and saves it."""
    recipe = RECIPES[name]
    parts = split(load_named_set(recipe.dataset))
    started = time.perf_counter()
    command = f"python tools/train_models.py --only {name} --seed {seed}"
    if recipe.weights_from is not None:
        source = out / RECIPES[recipe.weights_from].file
        if not source.is_file():
            raise click.ClickException(f"{source} is missing: train {recipe.weights_from} first")
        model, passes = _load(source), None
        facts = {"weights": f"the same as in {source.name}, not trained again"}
    else:
        passes = epochs or recipe.epochs
        model = train(
            recipe, parts, epochs=passes, seed=seed, verbose=1 if sys.stdout.isatty() else 2
        )
        command += f" --epochs {passes}"
        facts = {"weights": "trained from scratch"}
    path = _save(model, recipe, out)
    seconds = round(time.perf_counter() - started, 1)
    facts |= {"epochs": passes, "seed": seed, "command": command, "training_seconds": seconds}
    return _entry(name, path, parts, facts)


def _differences(entry: dict[str, Any], out: Path) -> list[str]:
    """What about a committed model is not as its manifest says; empty when all is."""
    path = out / entry["file"]
    if not path.is_file():
        return [f"{path} is missing"]
    wrong = []
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        wrong.append("sha256 differs")
    if len(content) != entry["bytes"]:
        wrong.append(f"{len(content)} bytes, not {entry['bytes']}")
    model = _load(path)
    if model.count_params() != entry["parameters"]:
        wrong.append(f"{model.count_params()} parameters, not {entry['parameters']}")
    parts = split(load_named_set(entry["data_set"]))
    reached = accuracy(model, parts.x_test, parts.y_test)
    if abs(reached - entry["test_accuracy"]) > ACCURACY_TOLERANCE:
        wrong.append(f"accuracy {reached:.4f}, not {entry['test_accuracy']:.4f}")
    if reached < RECIPES[entry["name"]].least_accuracy:
        wrong.append(f"accuracy {reached:.4f} below {RECIPES[entry['name']].least_accuracy}")
    return wrong


def _check(out: Path, names: tuple[str, ...]) -> int:
    entries = _read_manifest(out)
    failed = 0
    for name in names:
        wrong = _differences(entries[name], out) if name in entries else ["not in the manifest"]
        click.echo(f"{name}: {'; '.join(wrong) or 'as the manifest says'}")
        failed += bool(wrong)
    return failed


@click.command(help=__doc__)
@click.option("--only", type=click.Choice(tuple(RECIPES)), help="Train or check this model only.")
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of each recipe's own number.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=MODELS)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--check", is_flag=True, help="Train nothing; compare files with the manifest.")
def main(only: str | None, epochs: int | None, out: Path, seed: int, check: bool) -> None:
    """The command line."""
    names = (only,) if only else tuple(RECIPES)
    try:
        if check:
            sys.exit(1 if _check(out, names) else 0)
        out.mkdir(parents=True, exist_ok=True)
        for position, name in enumerate(names, start=1):
            click.echo(f"[{position}/{len(names)}] {name}")
            entry = _make(name, epochs=epochs, out=out, seed=seed)
            _write_manifest(out, _read_manifest(out) | {name: entry})
            click.echo(
                f"{name}: test accuracy {entry['test_accuracy']:.4f}, {entry['bytes']} bytes"
            )
    except SqueezeError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
