"""What a step of distillation costs; `python tools/benchmarks/distill.py steps`."""

import time
from pathlib import Path
from typing import Any

import click
from distill_networks import STUDENT_BATCH, network
from distill_report import FOLDER, write
from named_arrays import arrays


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


@click.command()
@click.option("--repetitions", type=int, default=3, show_default=True)
@click.option("--steps", "count", type=int, default=100, show_default=True)
@FOLDER
def steps(repetitions: int, count: int, folder: Path) -> None:
    """Processor time of a step of an 800-800 student of a 1200-1200 teacher, over its parts."""
    import keras
    import tensorflow as tf

    from tflite_squeeze.data.data import load_data
    from tflite_squeeze.network import flavors
    from tflite_squeeze.training.config import Distill, FineTune
    from tflite_squeeze.training.finetune import train
    from tflite_squeeze.training.teaching.distiller import Distiller
    from tflite_squeeze.training.teaching.teacher_answers import known_answers
    from tflite_squeeze.training.teaching.teachers import teachers_of

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
            taught = Distiller(model, teachers, config, live=answers is None)
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
