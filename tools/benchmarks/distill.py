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

import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import click
import numpy as np
from distill_networks import STUDENT_BATCH, accuracy, network
from distill_report import FOLDER, SEED, done, report, write
from distill_steps import steps
from named_arrays import arrays

REPOSITORY = Path(__file__).resolve().parents[2]
TEACHER_EPOCHS, TEACHER_BATCH = 40, 256
STUDENT_EPOCHS = 16
TEMPERATURE = 6.0
UNLABELLED = 2000


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


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
            keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=False
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
@click.option("--learning-rate", type=float, default=1e-3, show_default=True)
@click.option("--batch", type=int, default=STUDENT_BATCH, show_default=True)
@click.option("--augment", help="How images are changed; they are as they are if left out.")
@FOLDER
@SEED
def mnist(
    student: str, way: str, epochs: int, temperature: float, label_weight: float,
    learning_rate: float, batch: int, augment: str | None, folder: Path, seed: int,
) -> None:  # fmt: skip
    """Trains a student on MNIST, from labels alone or from the teacher too."""
    import keras

    from tflite_squeeze.data.data import load_data
    from tflite_squeeze.network import flavors
    from tflite_squeeze.techniques.distillation.distill import distill
    from tflite_squeeze.training.config import Distill, FineTune
    from tflite_squeeze.training.finetune import finetune

    name = f"mnist_{student}_{way}_{seed}"
    if done(folder, name):
        return
    x, y, x_test, y_test = arrays("mnist")
    keras.utils.set_random_seed(seed)
    model = network((800, 800) if student == "800" else (300, 100))
    training = FineTune(
        epochs=epochs, batch=batch, learning_rate=learning_rate, augment=augment, seed=seed,
        jit=True,
    )  # fmt: skip
    # Without a test part no state is chosen by it.
    data = load_data({"x_train": x, "y_train": y})
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
    from tflite_squeeze.techniques.pruning.config import Prune
    from tflite_squeeze.techniques.pruning.prune import prune
    from tflite_squeeze.training.config import FineTune

    if done(folder, f"recovery_{name}_{seed}"):
        return
    x, _, x_test, y_test = arrays("fashion-mnist")
    chosen = np.random.default_rng(seed).choice(len(x), UNLABELLED, replace=False)
    data = {"x_calibration": x[chosen], "x_test": x_test, "y_test": y_test}
    depthwise = name == "mobilenet_v1_025"
    # Kernels of nine weights a channel cannot spare nine tenths of them.
    config = Prune(sparsity=0.9, budget=budget or ("erk" if depthwise else "uniform"))
    model = reference(name)
    _, at_once = prune(model, config, data, one_shot=True)
    training = FineTune(
        epochs=epochs, batch=64, learning_rate=learning_rate, seed=seed, jit="auto",
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
    from tflite_squeeze.techniques.pruning.config import Prune
    from tflite_squeeze.techniques.pruning.prune import prune
    from tflite_squeeze.techniques.pruning.schedules import Polynomial
    from tflite_squeeze.training.config import Distill, FineTune

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


main.add_command(steps)
main.add_command(report)

if __name__ == "__main__":
    main()
