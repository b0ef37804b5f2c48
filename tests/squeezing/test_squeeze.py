"""`squeeze` where no numbers are given: it searches, with defaults or by a recipe that ships."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command_runs import Run, run  # noqa: F401  # a fixture
from tests.conftest import REPOSITORY
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.errors import UsageError
from tflite_squeeze.recipes.files import load_recipe, recipe_names
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search import tune as module
from tflite_squeeze.search.tune import Tuned
from tflite_squeeze.squeezing.squeeze import squeeze

X = examples(240, 12)
Y = np.argmax(X[:, :3], axis=1)
DATA = {"x_train": X[:120], "y_train": Y[:120], "x_test": X[120:], "y_test": Y[120:]}
SHIPPED = {
    "fast-cpu": ("latency", "cpu", 0.005),
    "small-download": ("download", "cpu", 0.003),
    "microcontroller": ("raw", "micro", 0.02),
    "label-free": ("download", "cpu", 0.01),
}


@pytest.fixture(scope="module")
def model() -> Any:
    """Right nearly always."""
    library = LIBRARIES["keras"]
    layers = library.layers
    model = library.Sequential(
        [library.Input((12,), name="x"), layers.Dense(24, "relu"), layers.Dense(3, "softmax")]
    )
    model.compile(library.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(X[:120], Y[:120], epochs=25, batch_size=32, verbose=0)
    return model


def _asked(monkeypatch: pytest.MonkeyPatch, *given: Any, **settings: Any) -> Tune:
    """What is searched for, without a search."""
    asked: list[Tune] = []
    monkeypatch.setattr(module, "tune", lambda _model, one, *_more, **_options: asked.append(one))
    squeeze("net.keras", *given, **settings)
    return asked[0]


def test_without_a_recipe_it_is_tune_with_its_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _asked(monkeypatch, data=DATA).model_dump() == Tune().model_dump()
    given = Tune(minimize="macs", trials=1)
    assert _asked(monkeypatch, given, DATA, seed=5) == given.model_copy(update={"seed": 5})


def test_what_ships_is_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(recipe_names()) == set(SHIPPED)
    for name, expected in SHIPPED.items():
        asked = _asked(monkeypatch, name, DATA)
        assert (*asked.minimize, asked.target, asked.max_drop) == expected
        assert asked.seconds == 3600
    assert _asked(monkeypatch, "label-free", DATA).min_agreement == 0.93


def test_the_fixed_recipes_of_the_benchmarks_can_still_be_run() -> None:
    files = sorted((REPOSITORY / "tools/benchmarks/fixed_recipes").glob("*.yaml"))
    assert [path.stem for path in files] == sorted(SHIPPED)
    assert all(load_recipe(path).steps for path in files)


def test_a_search_needs_data() -> None:
    with pytest.raises(UsageError, match=r"trains and judges on samples.*pass data"):
        squeeze("net.keras")


@pytest.mark.slow
def test_a_recipe_that_ships_makes_a_file(model: Any, tmp_path: Path) -> None:
    recipe = load_recipe("microcontroller")
    assert recipe.tune is not None
    quick = recipe.model_copy(update={"tune": recipe.tune.model_copy(update={"trials": 0})})
    tuned = squeeze(model, quick, DATA, tmp_path / "out")
    assert isinstance(tuned, Tuned)
    tuned.check()
    best = tuned.record.trial(tuned.record.best)
    assert best.candidate.quantize == "int8"
    assert (tmp_path / "out/best.tflite").read_bytes() == tuned.tflite


@pytest.mark.slow
def test_the_command_asks_nothing(
    run: Run,  # noqa: F811
    model: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    model.save("net.keras")
    np.savez("data.npz", **DATA)
    limits = ("--minimize", "download", "--trials", "0", "--time", "30m", "--max-drop", "0.1")
    outcome = run("squeeze", "net.keras", "--data", "data.npz", *limits)
    assert outcome.code == 0
    assert outcome.err.splitlines()[0] == (
        "tune: searches for the least download with at most 10 points lost, 30 min, 0 trials at "
        "most; best so far: net-squeezed/best.tflite"
    )
    names = {path.name for path in Path("net-squeezed").iterdir()}
    assert {"best.tflite", "best.yaml", "best.keras", "report.html"} <= names
    assert "best.tflite passes every check" in outcome.out
    # The numbers that are given take the place of those of a recipe that ships.
    again = run("squeeze", "net.keras", "--data", "data.npz", "--recipe", "fast-cpu", *limits)
    assert "fast-cpu: searches for the least download with at most 10 points" in again.err
    assert again.code == 2
    assert "pass --resume to continue" in again.err.splitlines()[-1]
