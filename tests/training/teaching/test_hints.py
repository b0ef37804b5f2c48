"""Hints: hidden layers of the student that come closer to the teacher's."""

from typing import Any

import keras
import pytest

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze.errors import UsageError
from tflite_squeeze.training.config import Distill, Hint
from tflite_squeeze.training.teaching.distiller import Distiller


def image_model(library: Any, channels: int, size: int, name: str) -> Any:
    library.utils.set_random_seed(1)
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8, 8, 1), name="image"),
            layers.Conv2D(channels, size, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(3, name="logits"),
        ],
        name=name,
    )


@pytest.mark.slow
@pytest.mark.parametrize("compare", ["features", "attention"])
def test_hidden_layers_come_closer(library: Any, compare: str) -> None:
    x = examples(64, 8, 8, 1)
    teacher = image_model(library, 6, 3, "teacher")
    student = image_model(library, 2, 3 if compare == "features" else 5, "student")
    hint = Hint(student="conv", teacher="conv", compare=compare, weight=2.0)
    distiller = Distiller(student, teacher, Distill(lam=0.0, hints=(hint,)))
    distiller.compile(library.optimizers.Adam(0.02), jit_compile=False)
    losses = distiller.fit(x, epochs=15, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (Hint(student="nowhere", teacher="conv"), "name student layer 'nowhere', which is none"),
        (Hint(student="conv", teacher="nowhere"), "name teacher layer 'nowhere', which is none"),
        (Hint(student="conv", teacher="logits"), "different positions"),
        (Hint(student="logits", teacher="logits", compare="attention"), "no positions"),
    ],
)
def test_hints_that_cannot_be_compared(library: Any, hint: Hint, said: str) -> None:
    models = image_model(library, 2, 3, "student"), image_model(library, 6, 3, "teacher")
    with pytest.raises(UsageError, match=said):
        Distiller(*models, Distill(hints=(hint,)))


def test_hints_need_a_graph() -> None:
    student, teacher = tiny_models.subclassed(keras), tiny_models.subclassed(keras)
    with pytest.raises(UsageError, match="subclassed and has no graph"):
        Distiller(student, teacher, Distill(hints=(Hint(student="first", teacher="first"),)))
    both = [tiny_models.dense(keras), tiny_models.dense(keras)]
    config = Distill(hints=(Hint(student="hidden", teacher="hidden"),))
    with pytest.raises(UsageError, match="exactly one teacher, which must be a Keras model"):
        Distiller(tiny_models.dense(keras), both, config)
