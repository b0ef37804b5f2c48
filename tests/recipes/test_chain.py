"""Steps that lose too much: numbers that fitted a reference model ruin a small one on few examples.

The step is the first of the recipe small-download as it was: 95.7 % zeros.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.network.loading import LoadedModel, load_model
from tflite_squeeze.recipes.chain import Chain
from tflite_squeeze.recipes.files import load_recipe
from tflite_squeeze.recipes.report import StepReport
from tflite_squeeze.recipes.step import Stepped
from tflite_squeeze.training.quality import validation_quality

pytestmark = pytest.mark.slow
FIXED = REPOSITORY / "tools/benchmarks/fixed_recipes/small-download.yaml"


class _InMemory:
    """What is kept of steps whose models nobody asks for again."""

    latest: Path | None = None

    def __init__(self) -> None:
        self.steps: tuple[StepReport, ...] = ()

    def keep(self, stepped: Stepped) -> None:
        self.steps = (*self.steps, stepped.report)


@pytest.fixture(scope="module")
def given() -> tuple[LoadedModel, Data, float]:
    """A network that 500 examples have taught, and how good it is."""
    x = examples(1000, 20)
    y = np.argmax(x @ np.random.default_rng(0).normal(size=(20, 5)), axis=1)
    library = LIBRARIES["keras"]
    library.utils.set_random_seed(1)
    dense = library.layers.Dense
    model = library.Sequential(
        [library.Input((20,), name="x"), dense(64, "relu"), dense(64, "relu"), dense(5, "softmax")]
    )
    model.compile(library.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x[:500], y[:500], epochs=20, batch_size=32, verbose=0)
    arrays = {"x_train": x[:500], "y_train": y[:500], "x_test": x[500:], "y_test": y[500:]}
    data = load_data(arrays)
    quality = validation_quality(model, data)
    assert quality is not None
    assert quality > 0.8
    return load_model(model), data, quality


def _ran(
    given: tuple[LoadedModel, Data, float], max_drop: float, **changes: Any
) -> tuple[StepReport, bool, list[str]]:
    """What became of the step, whether it stopped the run, and what was told."""
    source, data, quality = given
    step = load_recipe(FIXED).steps[0].model_copy(update={"max_drop": max_drop, **changes})
    recipe = load_recipe(FIXED).model_copy(update={"steps": (step,)}).resolved()
    kept, told = _InMemory(), list[str]()
    chain = Chain(recipe, source, data, kept, given=quality, allow_unsafe=False)
    stopped = chain.finish(lambda _number, what, _done, of: told.append(what) if not of else None)
    (report,) = kept.steps
    return report, stopped, told


def test_without_a_limit_the_fixed_numbers_ruin_it(given: Any) -> None:
    report, _, _ = _ran(given, max_drop=0.99)
    assert report.status == "done"
    assert report.after is not None
    assert report.after < given[2] - 0.3


def test_it_is_softened_until_it_loses_little_enough(given: Any) -> None:
    report, stopped, told = _ran(given, max_drop=0.06)
    assert (report.status, stopped) == ("done", False)
    assert report.after is not None
    assert report.after >= given[2] - 0.06
    assert report.softened[0].startswith("sparsity 0.957 → 0.7926: accuracy is worse than at the ")
    assert report.settings["prune"]["sparsity"] in (0.7926, 0.5446, 0.3252)
    assert told[:2] == ["prune", "prune, softened (sparsity 0.957 → 0.7926)"]
    assert any(claim.zeros for claim in report.claims.values())


def test_it_is_dropped_where_three_times_less_is_too_much(given: Any) -> None:
    """One pass with scores at random, which no trained network survives."""
    step = load_recipe(FIXED).steps[0]
    hopeless = {
        "prune": step.prune.model_copy(update={"sparsity": 0.999, "score": "random"}),
        "finetune": step.finetune.model_copy(update={"epochs": 1}),
    }
    report, stopped, told = _ran(given, max_drop=0.0, **hopeless)
    assert (report.status, stopped) == ("skipped", False)
    assert len(report.softened) == 3
    assert len(told) == 4
    assert report.claims == {}
    assert "worse than at the beginning" in report.reasons[0]


def test_it_is_not_softened_where_it_shall_stop(given: Any) -> None:
    once = load_recipe(FIXED).steps[0].finetune.model_copy(update={"epochs": 1})
    report, stopped, told = _ran(given, max_drop=0.06, on_refusal="stop", finetune=once)
    assert (report.status, stopped, told) == ("stopped", True, ["prune"])
    assert report.softened == ()
