"""Pruning a depthwise-separable network that the original teaches on 500 examples without labels.

python tools/benchmarks/few_examples.py recover
python tools/benchmarks/few_examples.py recover --augment mixup --temperature 2 --dense-depthwise
python tools/benchmarks/few_examples.py at-once --dense-depthwise

The network tells twelve patterns of 25 x 10 numbers apart under as much noise. It is trained on
4,000 examples and judged on 2,000 others.
"""

import math
import os
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import keras
import numpy as np

from tflite_squeeze import Distill, FineTune, Prune, prune
from tflite_squeeze.techniques.pruning.budgets import erdos_renyi

CLASSES = 12
DENSE = click.option(
    "--dense-depthwise", is_flag=True, help="No zeros in depthwise kernels, more in the others."
)
Examples = tuple[Any, Any]


def sparing_depthwise(shapes: Sequence[tuple[int, ...]], sparsity: float) -> list[float]:
    """The default budget with no zeros in depthwise kernels, and as many in all."""
    depthwise = [len(shape) == 4 and shape[-1] == 1 for shape in shapes]
    rest = [shape for shape, kept in zip(shapes, depthwise, strict=True) if not kept]
    share = sum(map(math.prod, shapes)) / sum(map(math.prod, rest))
    spread = iter(erdos_renyi(rest, sparsity * share))
    return [0.0 if kept else next(spread) for kept in depthwise]


def network_and_data() -> tuple[Any, Examples, Examples]:
    """The trained network, 500 examples to recover on, and 2,000 to judge by."""
    random = np.random.default_rng(0)
    patterns = random.normal(size=(CLASSES, 25, 10, 1))

    def examples(count: int) -> Examples:
        labels = random.integers(0, CLASSES, count)
        noise = random.normal(size=(count, 25, 10, 1))
        return (patterns[labels] * 0.5 + noise).astype("float32"), labels

    x, y = examples(4000)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    body = [layers.Conv2D(32, (5, 4), 2, "same"), layers.BatchNormalization(), layers.ReLU()]
    for _ in range(4):
        for layer in (layers.DepthwiseConv2D(3, padding="same"), layers.Conv2D(32, 1)):
            body += [layer, layers.BatchNormalization(), layers.ReLU()]
    tail = [layers.GlobalAveragePooling2D(), layers.Dense(CLASSES, "softmax")]
    model = keras.Sequential([layers.Input((25, 10, 1)), *body, *tail])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=32, epochs=6, verbose=0)
    return model, examples(500), examples(2000)


def accuracy(model: Any, judged: Examples) -> float:
    """Share of right answers."""
    return float(np.mean(model.predict(judged[0], verbose=0).argmax(axis=1) == judged[1]))


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command()
@click.option("--augment", help="As FineTune takes it.")
@click.option("--steps", type=int)
@click.option("--learning-rate", type=float)
@click.option("--temperature", type=float, default=4.0, show_default=True)
@DENSE
def recover(dense_depthwise: bool, temperature: float, **numbers: Any) -> None:
    """Half of the weights zero, taught without labels."""
    model, (x, _), judged = network_and_data()
    how = FineTune(teacher="original", distill=Distill(temperature=temperature), **numbers)
    data = {"x_train": x, "x_test": judged[0][:1000]}
    pruned, _ = prune(model, _config(0.5, dense_depthwise=dense_depthwise), data, how)
    click.echo(f"{accuracy(model, judged):.2%} whole, {accuracy(pruned, judged):.2%} recovered")


@main.command()
@DENSE
def at_once(dense_depthwise: bool) -> None:
    """Pruned without training; statistics estimated again on the 500 examples."""
    model, (x, _), judged = network_and_data()
    for zeros in (0.3, 0.5, 0.7):
        config = _config(zeros, dense_depthwise=dense_depthwise)
        data = {"x_train": x, "x_test": judged[0][:1000]}
        pruned, _ = prune(model, config, data, one_shot=True)
        click.echo(f"{zeros:.0%} zeros: {accuracy(pruned, judged):.2%}")


def _config(zeros: float, *, dense_depthwise: bool) -> Prune:
    return Prune(sparsity=zeros, budget=sparing_depthwise if dense_depthwise else "erk")


if __name__ == "__main__":
    main()
