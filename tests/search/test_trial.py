"""A candidate's file is the one that `squeeze` makes of its recipe, whatever its steps are."""

from typing import Any

import numpy as np
import pytest

from tests.recipes.squeeze_runs import recipe_of
from tests.tiny_models import dense
from tflite_squeeze.data.data import load_data
from tflite_squeeze.network import flavors
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.search.trial import made_by
from tflite_squeeze.squeezing.squeeze import squeeze

STEPS = (
    {"prune": {"sparsity": 0.5, "budget": "uniform"}, "finetune": False},
    {"cluster": {"clusters": 8}, "finetune": False},
)


@pytest.mark.slow
@pytest.mark.usefixtures("fixed_times")
@pytest.mark.parametrize("library", ["keras"], indirect=True)
def test_two_steps_make_the_bytes_that_squeeze_makes(
    library: Any, ranked: dict[str, np.ndarray]
) -> None:
    model, told = dense(library), list[str]()
    data = load_data(ranked).fitted_to(flavors.input_specs(model))
    recipe = recipe_of(*STEPS, on_refusal="stop").resolved()
    made = made_by(
        recipe, load_model(model), data, lambda name, *_: told.append(name), allow_unsafe=False
    )
    assert made.failures == ()
    assert told == ["prune", "cluster"]
    assert made.tflite == squeeze(model, recipe, data).tflite


@pytest.mark.slow
@pytest.mark.parametrize("library", ["tf_keras"], indirect=True)
def test_a_step_that_stops_makes_no_file(library: Any, ranked: dict[str, np.ndarray]) -> None:
    recipe = recipe_of({"narrow": {"ratio": 0.0}, "finetune": False}, on_refusal="stop")
    data = load_data(ranked)
    model = load_model(dense(library))
    made = made_by(recipe.resolved(), model, data, lambda *_: None, allow_unsafe=False)
    assert made.tflite is None
    assert "nothing to narrow" in made.failures[0]
