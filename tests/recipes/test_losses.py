"""What a step may not lose, computed by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES
from tflite_squeeze.data.data import load_data
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.recipes.form import form_of
from tflite_squeeze.recipes.losses import guessing, losses_of
from tflite_squeeze.recipes.recipe import Step
from tflite_squeeze.techniques.pruning.config import Prune

X = np.zeros((10, 4), np.float32)
Y = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])


@pytest.mark.parametrize("labels", [Y, Y[:, None], np.eye(3)[Y]])
def test_guessing_is_the_share_of_the_most_frequent_class(labels: Any) -> None:
    assert guessing(labels) == 0.4


def _found(given: float | None, after: float | None, **limits: Any) -> tuple[str, ...]:
    library = LIBRARIES["keras"]
    model = library.Sequential([library.Input((4,), name="x"), library.layers.Dense(3, "softmax")])
    labels = {} if given is None else {"y": Y}
    record: Any = SimpleNamespace(metric="accuracy", after=after, broken=False)
    before: Any = SimpleNamespace(form=form_of(load_model(model)), given=given)
    step = Step(prune=Prune(sparsity=0.5), **limits)
    return losses_of(step, record, before, model, load_data({"x": X, **labels}))


def test_what_is_lost_against_the_given_model() -> None:
    assert _found(0.9, 0.85, max_drop=0.1) == ()
    assert _found(0.9, 0.85, max_drop=0.01) == (
        "accuracy is worse than at the beginning by 0.0500, more than 0.01",
    )


def test_a_model_that_guesses_is_never_good_enough() -> None:
    said = "accuracy fell from 0.9000 to 0.4000, and always answering the most frequent class gets"
    assert _found(0.9, 0.4)[0].startswith(said)
    assert _found(0.9, 0.5) == ()  # a tenth of what was above guessing would be 0.45
    assert _found(0.45, 0.4) == ()  # it was hardly better before


def test_without_labels_answers_are_compared_with_the_given_model() -> None:
    library = LIBRARIES["keras"]
    inputs = library.Input((4,), name="x")
    outputs = library.layers.Dense(2, "softmax", kernel_initializer="ones")(inputs)
    original = library.Model(inputs, outputs)
    changed = library.models.clone_model(original)
    changed.layers[-1].set_weights([np.array([[0.0, 1.0]] * 4), np.array([0.0, -2.0])])
    # 0 for class 0 and the sum less 2 for class 1: 6 of 10 rows of ones are class 1 now.
    x = np.repeat([[1.0], [0.0]], [6, 4], axis=0) * np.ones((1, 4))
    record: Any = SimpleNamespace(metric="accuracy", after=None, broken=False)
    before: Any = SimpleNamespace(form=form_of(load_model(original)), given=None)
    data = load_data({"x": x.astype(np.float32)})
    enough, more = (Step(prune=Prune(sparsity=0.5), min_agreement=most) for most in (0.4, 0.5))
    assert losses_of(enough, record, before, changed, data) == ()
    assert losses_of(more, record, before, changed, data) == (
        "the model predicts the same class as at the beginning for 0.4000 of the examples, fewer "
        "than 0.5",
    )


def test_a_broken_model_has_lost_everything() -> None:
    record: Any = SimpleNamespace(broken=True)
    before: Any = SimpleNamespace(form=None, given=None)
    said = losses_of(Step(prune=Prune(sparsity=0.5)), record, before, None, None)
    assert said == ("after prune the model answers with what is no number",)
