"""Distillation and recovery by the original model: accuracy, step time, label-free recovery.

python tools/benchmarks/distill.py teacher
python tools/benchmarks/distill.py mnist 800 alone --seed 0        # 800|lenet, alone|distilled
python tools/benchmarks/distill.py recovery resnet_8 --seed 0      # prune to 90 %, no labels
python tools/benchmarks/distill.py original --seed 0               # prune to 95 %, labels too
python tools/benchmarks/distill.py steps
python tools/benchmarks/distill.py report

Every run leaves one JSON file in --folder and is not repeated; `report` prints the tables and
exits with 1 where a goal is missed. Accuracies are of the full test sets of 10,000 images, at the
end of the training; nothing is chosen by them.
"""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import click
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
TEACHER_EPOCHS, TEACHER_BATCH = 40, 256
STUDENT_EPOCHS, STUDENT_BATCH = 16, 128
TEMPERATURE = 6.0
UNLABELLED = 2000
SEEDS = (0, 1, 2)
FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("distill_results"), show_default=True
)
SEED = click.option("--seed", type=int, default=0, show_default=True)


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


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


def arrays(name: str) -> tuple[Any, Any, Any, Any]:
    """A named set, preprocessed."""
    from tflite_squeeze.io.named_sets import load_named_set
    from tflite_squeeze.io.preprocessing import preprocess_array

    data = load_named_set(name)
    x, x_test = (preprocess_array(part, data.preprocessing) for part in (data.x_train, data.x_test))
    return x, data.y_train, x_test, data.y_test


def accuracy(model: Any, x: Any, y: Any) -> float:
    """Share of examples that a model gets right."""
    return float(np.mean(np.argmax(model.predict(x, batch_size=500, verbose=0), axis=1) == y))


def network(width: tuple[int, ...], *, dropout: bool = False) -> Any:
    """A fully connected network on MNIST's images."""
    import keras

    layers = keras.layers
    inner = [layers.Flatten(), *([layers.Dropout(0.2)] if dropout else [])]
    for units in width:
        inner += [
            layers.Dense(units, activation="relu"),
            *([layers.Dropout(0.5)] if dropout else []),
        ]
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            *inner,
            layers.Dense(10, activation="softmax"),
        ],
        name="-".join(map(str, width)),
    )


@main.command()
@click.option("--part", type=int, default=TEACHER_EPOCHS, help="Train so many epochs, and stop.")
@FOLDER
@SEED
def teacher(part: int, folder: Path, seed: int) -> None:
    """Trains 1200-1200 with dropout on images moved by up to two pixels, in one go or in parts."""
    import keras
    import tensorflow as tf
    from training import shifted

    if done(folder, "teacher"):
        return
    x, y, x_test, y_test = arrays("mnist")
    steps = len(x) // TEACHER_BATCH
    unfinished = folder / "teacher_part.keras"
    if unfinished.exists():
        model = keras.models.load_model(unfinished)
    else:
        keras.utils.set_random_seed(seed)
        model = network((1200, 1200), dropout=True)
        rate = keras.optimizers.schedules.CosineDecay(1e-3, steps * TEACHER_EPOCHS)
        model.compile(
            keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=True
        )
    first = int(model.optimizer.iterations) // steps
    last = min(first + part, TEACHER_EPOCHS)
    keras.utils.set_random_seed(1000 * (seed + 1) + first)
    examples = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x))
    seeds = tf.data.Dataset.random(rerandomize_each_iteration=True).batch(2)
    batches = tf.data.Dataset.zip(examples.batch(TEACHER_BATCH, drop_remainder=True), seeds).map(
        lambda example, pair: (shifted(example[0], 2, pair), example[1])
    )
    started = time.perf_counter()
    model.fit(batches.prefetch(2), initial_epoch=first, epochs=last, verbose=0, shuffle=False)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(unfinished)
    seconds = time.perf_counter() - started
    click.echo(f"teacher: {last} of {TEACHER_EPOCHS} epochs, {seconds:.0f} s")
    if last == TEACHER_EPOCHS:
        unfinished.replace(folder / "teacher.keras")
        write(folder, "teacher", {"accuracy": accuracy(model, x_test, y_test)})


@main.command()
@click.argument("student", type=click.Choice(["800", "lenet"]))
@click.argument("way", type=click.Choice(["alone", "distilled"]))
@click.option("--epochs", type=int, default=STUDENT_EPOCHS, show_default=True)
@click.option("--temperature", type=float, default=TEMPERATURE, show_default=True)
@click.option("--label-weight", type=float, default=1.0, show_default=True)
@FOLDER
@SEED
def mnist(
    student: str, way: str, epochs: int, temperature: float, label_weight: float, folder: Path,
    seed: int,
) -> None:  # fmt: skip
    """Trains a student on MNIST as it is, from labels alone or from the teacher too."""
    import keras

    from tflite_squeeze import flavors
    from tflite_squeeze.compress.distill import distill
    from tflite_squeeze.compress.distill_config import Distill
    from tflite_squeeze.compress.finetune import finetune
    from tflite_squeeze.compress.finetune_config import FineTune
    from tflite_squeeze.io.data import load_data

    name = f"mnist_{student}_{way}_{seed}"
    if done(folder, name):
        return
    _, _, x_test, y_test = arrays("mnist")
    keras.utils.set_random_seed(seed)
    model = network((800, 800) if student == "800" else (300, 100))
    training = FineTune(epochs=epochs, batch=STUDENT_BATCH, learning_rate=1e-3, seed=seed, jit=True)
    data = load_data("mnist")
    started = time.perf_counter()
    if way == "alone":
        finetune(model, data.fitted_to(flavors.input_specs(model)), training)
    else:
        config = Distill(
            temperature=temperature, label_weight=label_weight, cache_dir=str(folder / "answers")
        )
        model, _ = distill(model, config, data, folder / "teacher.keras", training, in_place=True)
    seconds = time.perf_counter() - started
    write(folder, name, {"accuracy": accuracy(model, x_test, y_test), "seconds": seconds})


def reference(name: str) -> Any:
    """A reference model, trained on Fashion-MNIST."""
    import keras

    return keras.models.load_model(REPOSITORY / "models" / f"{name}.keras", compile=False)


@main.command()
@click.argument("name", type=click.Choice(["lenet_300_100", "resnet_8", "mobilenet_v1_025"]))
@click.option("--epochs", type=int, default=60, show_default=True)
@click.option("--learning-rate", type=float, default=3e-3, show_default=True)
@click.option("--budget", help="How zeros are spread; erk on MobileNet, else uniform.")
@FOLDER
@SEED
def recovery(
    name: str, epochs: int, learning_rate: float, budget: Any, folder: Path, seed: int
) -> None:
    """Prunes to 90 % and recovers from the original, with 2,000 images and no label."""
    from tflite_squeeze.compress.finetune_config import FineTune
    from tflite_squeeze.compress.prune import prune
    from tflite_squeeze.compress.prune_config import Prune

    if done(folder, f"recovery_{name}_{seed}"):
        return
    x, _, x_test, y_test = arrays("fashion-mnist")
    chosen = np.random.default_rng(seed).choice(len(x), UNLABELLED, replace=False)
    data = {"x_calibration": x[chosen], "x_test": x_test, "y_test": y_test}
    depthwise = name == "mobilenet_v1_025"
    # Kernels of nine weights a channel cannot spare nine tenths of them.
    config = Prune(sparsity=0.9, budget=budget or ("erk" if depthwise else "uniform"))
    model = reference(name)
    # XLA takes several times as long over depthwise convolutions as TensorFlow's own kernels do.
    jit = not depthwise
    _, at_once = prune(model, config, data, one_shot=True)
    training = FineTune(
        epochs=epochs, batch=64, learning_rate=learning_rate, seed=seed, jit=jit,
        teacher="original",
    )  # fmt: skip
    _, record = prune(model, config, data, training)
    assert record.before is not None
    assert record.after is not None
    assert at_once.after is not None
    write(
        folder,
        f"recovery_{name}_{seed}",
        {
            "dense": record.before,
            "at_once": at_once.after,
            "recovered": record.after,
            "regained": (record.after - at_once.after) / (record.before - at_once.after),
            "zeros": record.sparsity,
            "seconds": record.seconds,
        },
    )


@main.command()
@click.option("--epochs", type=int, default=8, show_default=True)
@click.option("--learning-rate", type=float, default=5e-3, show_default=True)
@click.option("--temperature", type=float, default=4.0, show_default=True)
@click.option("--labels-only", is_flag=True, help="Without the teacher, for comparison.")
@FOLDER
@SEED
def original(
    epochs: int, learning_rate: float, temperature: float, labels_only: bool, folder: Path,
    seed: int,
) -> None:  # fmt: skip
    """Prunes LeNet-300-100 to 95 % on Fashion-MNIST, with labels and the original as teacher."""
    from tflite_squeeze.compress.distill_config import Distill
    from tflite_squeeze.compress.finetune_config import FineTune
    from tflite_squeeze.compress.prune import prune
    from tflite_squeeze.compress.prune_config import Prune
    from tflite_squeeze.compress.schedules import Polynomial

    name = f"{'labels' if labels_only else 'original'}_{seed}"
    if done(folder, name):
        return
    end = epochs * (60_000 // 128) // 2
    schedule = Polynomial(frequency=50, end=end)
    taught: dict[str, Any] = {
        "teacher": "original", "distill": Distill(temperature=temperature)
    }  # fmt: skip
    training = FineTune(
        epochs=epochs, learning_rate=learning_rate, seed=seed, jit=True,
        **({} if labels_only else taught),
    )  # fmt: skip
    config = Prune(sparsity=0.95, budget="global", schedule=schedule)
    _, record = prune(reference("lenet_300_100"), config, "fashion-mnist", training)
    values = {"dense": record.before, "pruned": record.after, "zeros": record.sparsity}
    write(folder, name, {**values, "seconds": record.seconds})


class _Clock:
    """Processor seconds per step of the cheapest epoch but the first, which compiles.

    Processor time, all threads together, since the machine may be shared.
    """

    def __init__(self, keras: Any, steps: int) -> None:
        class Times(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                self.started = time.process_time()

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                seconds.append((time.process_time() - self.started) / steps)

        seconds: list[float] = []
        self.seconds, self.callback = seconds, Times()

    def fastest(self) -> float:
        """In seconds."""
        return min(self.seconds[1:])


@main.command()
@click.option("--repetitions", type=int, default=3, show_default=True)
@click.option("--steps", "count", type=int, default=100, show_default=True)
@FOLDER
def steps(repetitions: int, count: int, folder: Path) -> None:
    """Processor time of a step of an 800-800 student of a 1200-1200 teacher, over its parts."""
    import keras
    import tensorflow as tf

    from tflite_squeeze import flavors
    from tflite_squeeze.compress.distill_config import Distill
    from tflite_squeeze.compress.distiller import distiller_of
    from tflite_squeeze.compress.finetune import train
    from tflite_squeeze.compress.finetune_config import FineTune
    from tflite_squeeze.compress.teacher_answers import known_answers
    from tflite_squeeze.compress.teachers import teachers_of
    from tflite_squeeze.io.data import load_data

    x, y, _, _ = arrays("mnist")
    size = STUDENT_BATCH * count
    big = network((1200, 1200), dropout=True)
    training = FineTune(epochs=4, batch=STUDENT_BATCH, jit=True)
    loaded = load_data({"x_train": x[:size], "y_train": y[:size], "x_test": x[:8], "y_test": y[:8]})

    def trained(way: str) -> float:
        model = network((800, 800))
        data = loaded.fitted_to(flavors.input_specs(model))
        clock, config = _Clock(keras, count), Distill()
        taught, answers = model, None
        if way != "student":
            teachers = teachers_of(big, model)
            if way == "cached":
                kept = folder / "step_answers"
                answers, _ = known_answers(model, teachers, config, data, 2, kept)
            taught = distiller_of(model, teachers, config, live=answers is None)
        train(model, taught, data, training, [clock.callback], answers=answers)
        return clock.fastest()

    infer = tf.function(lambda batch: big(batch, training=False), jit_compile=True)
    batches = [tf.constant(x[i : i + STUDENT_BATCH]) for i in range(0, size, STUDENT_BATCH)]

    def inference() -> float:
        infer(batches[0])
        started = time.process_time()
        for batch in batches:
            infer(batch)
        return (time.process_time() - started) / count

    rows: list[dict[str, float]] = []
    for _ in range(repetitions):
        row = {way: trained(way) for way in ("student", "live", "cached")}
        row["teacher"] = min(inference() for _ in range(3))
        rows.append(row)
    fastest = {name: min(row[name] for row in rows) for name in rows[0]}
    live = fastest["live"] / (fastest["student"] + fastest["teacher"])
    cached = fastest["cached"] / fastest["student"]
    write(folder, "steps", {"cpu_ms": {k: 1e3 * v for k, v in fastest.items()}, "live": live,
                            "cached": cached})  # fmt: skip


def results(folder: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """The results that are there."""
    paths = [folder / f"{name}.json" for name in names]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def shown(values: list[float], form: Callable[[float], str] = "{:.2%}".format) -> str:
    """The mean and each."""
    return f"{form(statistics.mean(values))} ({', '.join(map(form, values))})" if values else "-"


@main.command()
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
                ("800-800: gap closed >= 60 %", complete and statistics.mean(closed) >= 0.6)
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


if __name__ == "__main__":
    main()
