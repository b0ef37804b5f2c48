"""A `.tflite` file with a branch, which no layer has: recipes and searches change it as it is."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_models import examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.search.choice import Choice
from tflite_squeeze.search.tune import tune
from tflite_squeeze.squeezing.squeeze import squeeze

X = examples(600, 12)
Y = np.argmax(X[:, :3], axis=1)
DATA = {"x_train": X[:300], "y_train": Y[:300], "x_test": X[300:], "y_test": Y[300:]}
HALF: dict[str, Any] = {"prune": {"sparsity": 0.5, "budget": "global"}, "finetune": False}
SHARED: dict[str, Any] = {"cluster": {"clusters": 16}, "finetune": False}


def _recipe(*steps: Any, **more: Any) -> Recipe:
    return Recipe.model_validate({"name": "given", "steps": steps, **more})


def _report(*given: Any, **more: Any) -> Any:
    result: Any = squeeze(*given, **more)
    return result.report


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network, which answers with zeros where its input is far below what it knows."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(96, "relu"),
            keras.layers.Dense(96, "relu"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(X[:300], Y[:300], epochs=20, batch_size=32, verbose=0)

    @tf.function(input_signature=[tf.TensorSpec([1, 12], tf.float32, name="x")])
    def branching(x: Any) -> Any:
        answers = model(x)
        return tf.cond(tf.reduce_mean(x) > -50.0, lambda: answers + 0.0, lambda: answers * 0.0)

    file = tmp_path_factory.mktemp("alone") / "branching.tflite"
    file.write_bytes(convert(branching.get_concrete_function(), verification=None).tflite)
    return file


def test_the_steps_of_a_recipe_are_applied_at_once(path: Path, tmp_path: Path) -> None:
    recipe = _recipe(HALF, SHARED, convert={"quantize": "int8"})
    result: Any = squeeze(path, recipe, DATA, tmp_path / "run")
    report = result.report
    assert report.failures == ()
    assert "branching.tflite stays a file" in report.notes[0]
    assert report.baseline.quality > 0.9
    assert [step.status for step in report.steps] == ["done", "done"]
    assert [step.model_file for step in report.steps] == [
        "step_1_prune.tflite", "step_2_cluster.tflite",
    ]  # fmt: skip
    zeros = sum(one.zeros for one in report.steps[-1].claims.values())
    assert zeros == pytest.approx(0.5 * (12 * 96 + 96 * 96 + 96 * 3), abs=1)
    assert {one.kind for one in report.outcome.claims} == {"zeros", "distinct values"}
    again = squeeze(path, recipe, DATA, tmp_path / "run", resume=True)
    assert again.tflite == result.tflite


def test_a_step_that_ruins_it_is_softened_or_dropped(path: Path) -> None:
    ruins = {**HALF, "prune": {"sparsity": 0.98, "budget": "global"}, "max_drop": 0.05}
    step = _report(path, _recipe(ruins), DATA).steps[0]
    assert step.softened
    assert "accuracy is worse than at the beginning" in step.softened[0]


def test_agreement_counts_without_labels(path: Path) -> None:
    ruins = {**HALF, "prune": {"sparsity": 0.98, "budget": "global"}, "min_agreement": 0.95}
    recipe = _recipe(ruins, on_refusal="stop")
    step = _report(path, recipe, {"x": X}).steps[0]
    assert step.status == "stopped"
    assert "predicts the same class" in step.reasons[0]


def test_what_needs_layers_is_refused(path: Path) -> None:
    recipe = _recipe({"narrow": {"ratio": 0.5}}, on_refusal="stop")
    (step,) = _report(path, recipe, DATA).steps
    assert step.reasons == (
        "narrow needs layers, and branching.tflite stays a file, in which prune and cluster work",
    )


@pytest.mark.slow
def test_a_search_prunes_and_shares_without_training(path: Path, tmp_path: Path) -> None:
    asked = Tune(minimize="download", max_drop=0.03, trials=2, seconds=None)
    tuned = tune(path, asked, DATA, tmp_path / "best")
    record = tuned.record
    tried = [one for one in record.trials if one.stage != "free"]
    assert {one.stage for one in tried} == {"whole"}
    assert {one.candidate.steps for one in tried} == {0}
    assert len({one.candidate for one in tried}) == len(tried) == 2
    best = record.trial(record.best)
    assert best.passed
    assert best.costs["download"] < record.trial(0).costs["download"] / 3
    assert any("stays a file" in note for note in record.notes)
    assert not (tmp_path / "best" / "best.keras").exists()
    assert squeeze(path, tmp_path / "best" / "best.yaml", DATA).tflite == tuned.tflite


def test_where_nothing_is_trained_the_first_candidates_are_gentle() -> None:
    class Alone:
        study = type("Study", (), {"sampler": None})()
        alone = True

    techniques = frozenset({"prune", "cluster"})
    first = [
        Choice(Tune(minimize="download"), techniques, None, Alone(), trains=trains)._way[0]  # type: ignore[arg-type]
        for trains in (True, False)
    ]
    assert first[0]["left"] == pytest.approx(0.2)
    assert first[1]["left"] == pytest.approx(0.7)
