"""A search whole: the best file, on disk at any moment; its recipe; what is refused; resuming."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests.command_runs import Run, run  # noqa: F401  # a fixture
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.errors import OutputError, UsageError
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search import limits
from tflite_squeeze.search import tune as module
from tflite_squeeze.search.record import TuneRecord
from tflite_squeeze.search.tables import tune_tables
from tflite_squeeze.search.tune import tune
from tflite_squeeze.search.workshop import Workshop
from tflite_squeeze.squeezing.squeeze import squeeze

pytestmark = pytest.mark.xdist_group("tune")  # they share a search

X = examples(800, 12)
Y = np.argmax(X[:, :3], axis=1)
DATA = {"x_train": X[:400], "y_train": Y[:400], "x_test": X[400:], "y_test": Y[400:]}
ASKED = Tune(max_drop=0.1, trials=5, seconds=None, minimize="macs", without=("factorize",))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials run in this process: the search that is shared has shown the other way."""
    monkeypatch.setattr(module, "inputs_for", lambda *_given, **_allowed: None)


def _model(library: Any) -> Any:
    """Too wide for what it does, and right nearly always; a third of its units never fire."""
    layers = library.layers
    model = library.Sequential(
        [library.Input((12,), name="x"), layers.Dense(48, "relu"), layers.Dense(3, "softmax")]
    )
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([kernel, np.where(np.arange(48) % 3, bias, -100.0)])
    model.compile(library.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(X[:400], Y[:400], epochs=25, batch_size=32, verbose=0)
    return model


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tune") / "best"
    model = _model(LIBRARIES["keras"])
    path = folder.parent / "net.keras"
    model.save(path)
    said: list[str] = []
    return path, folder, tune(path, ASKED, DATA, folder, on_progress=said.append), said


@pytest.mark.slow
def test_the_best_file_is_smaller_and_within_the_limit(searched: Any) -> None:
    _, folder, tuned, said = searched
    record = tuned.record
    first, best = record.trial(record.first), record.trial(record.best)
    tuned.check()
    assert first.candidate.tidied
    assert first.costs["macs"] == 32 * (12 + 3)
    assert "16 dead channels removed: 720 → 480" in record.notes
    assert best.costs["macs"] < 0.7 * first.costs["macs"]
    assert best.predicted["macs"] == pytest.approx(best.costs["macs"])
    assert record.prediction_error == pytest.approx(0)
    assert not any("own process" in note for note in record.notes)
    assert best.judged is not None
    assert best.judged.drop <= 0.1
    assert best.judged.examples == 200
    assert best.loss is not None
    assert best.loss.examples == 200
    assert (folder / "best.tflite").read_bytes() == tuned.tflite
    assert TuneRecord.model_validate_json((folder / "report.json").read_bytes()) == record
    assert b"tuned for macs" in (folder / "report.html").read_bytes()
    assert any("of 5 trials" in line for line in said)
    assert best in record.front
    titles = [table.title for table in tune_tables(record)]
    assert titles == ["The best file of net by macs", "Candidates"]


@pytest.mark.slow
def test_squeeze_makes_the_same_file_of_its_recipe(searched: Any) -> None:
    path, folder, tuned, _ = searched
    assert squeeze(path, folder / "best.yaml", DATA).tflite == tuned.tflite


@pytest.mark.slow
def test_a_killed_search_goes_on(
    searched: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _, tuned, _ = searched
    folder = tmp_path / "best"
    known = module.Workshop.trial

    def killed(shop: Any, candidate: Any, stage: Any, number: int) -> Any:
        if number == 4:
            raise KeyboardInterrupt
        return known(shop, candidate, stage, number)

    monkeypatch.setattr(module.Workshop, "trial", killed)
    with pytest.raises(KeyboardInterrupt):
        tune(path, ASKED, DATA, folder)
    assert (folder / "best.tflite").exists()  # at any moment
    monkeypatch.undo()
    with pytest.raises(OutputError, match="--resume"):
        tune(path, ASKED, DATA, folder)
    fewer = ASKED.model_copy(update={"trials": 2})  # which makes no other search of it
    again = tune(path, fewer, DATA, folder, resume=True)
    assert [one.candidate for one in again.record.trials[:4]] == [
        one.candidate for one in tuned.record.trials[:4]
    ]
    assert again.record.trial(again.record.best).passed


@pytest.mark.slow
def test_what_leads_to_the_same_widths_is_trained_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen units may be eight, and nothing else. Steps that take long are fewer."""
    monkeypatch.setattr(Workshop, "_estimated", 10.0)
    library = LIBRARIES["keras"]
    layers = library.layers
    model = library.Sequential(
        [library.Input((12,), name="x"), layers.Dense(16, "relu"), layers.Dense(3, "softmax")]
    )
    asked = Tune(minimize="macs", max_drop=0.0, trials=5, seconds=3000, only=("narrow",))
    record = tune(model, asked, DATA, tmp_path / "best").record
    looks = [one for one in record.trials if one.stage == "short"]
    assert len(looks) == 1
    assert looks[0].costs["macs"] == 8 * (12 + 3)
    assert looks[0].candidate.steps == 60
    assert any("in a row led to nothing better" in line for line in record.notes)


@pytest.mark.slow
def test_two_costs_give_a_front(searched: Any, tmp_path: Path) -> None:
    path, *_ = searched
    folder = tmp_path / "best"
    changed = {"minimize": ("download", "macs"), "trials": 0, "only": ("narrow",), "without": ()}
    asked = ASKED.model_copy(update=changed)
    tune(path, asked, DATA, folder)
    tuned = tune(path, asked.model_copy(update={"trials": 2}), DATA, folder, resume=True)
    record = tuned.record
    front = {one.number: one for one in record.front}
    assert record.best in front
    assert len([one for one in record.trials if one.stage != "free"]) == 2
    there = sorted(one.name for one in (folder / "front").iterdir())
    assert there == sorted(
        f"{number:03d}.{kind}" for number in front for kind in ("tflite", "yaml")
    )
    for number, one in front.items():
        content = (folder / "front" / f"{number:03d}.tflite").read_bytes()
        assert content == (folder / one.folder / "file.tflite").read_bytes()
        assert one.judged is not None
    best = record.trial(record.best)
    assert asked.price(best.costs) == min(asked.price(one.costs) for one in front.values())
    page = (folder / "report.html").read_text()
    assert "tuned for download and macs" in page
    assert "the least product of both" in page
    study = optuna.load_study(
        study_name=None, storage=JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    )
    assert len(study.directions) == 2


@pytest.mark.slow
def test_factors_meet_limits_that_no_type_of_file_meets(tmp_path: Path) -> None:
    """A model with nothing to narrow, whose one kernel is nearly of rank 4; without labels."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(48, 4)) @ random.normal(size=(4, 48)) / 7
    library, path = LIBRARIES["tf_keras"], tmp_path / "net.keras"
    model = library.Sequential([library.Input((48,), name="x"), library.layers.Dense(48)])
    model.set_weights([kernel + random.normal(size=(48, 48)) / 1000, np.zeros(48)])
    model.save(path)
    data = {"x": random.normal(size=(400, 48)).astype(np.float32)}
    known = {"minimize": "raw", "without": ("entropy", "prune"), "seconds": None}
    asked = Tune(limits={"macs": 1_500}, trials=1, **known)
    tuned = tune(path, asked, data, tmp_path / "best")
    first, best = (tuned.record.trial(one) for one in (tuned.record.first, tuned.record.best))
    assert first.costs["macs"] == 48 * 48
    assert not first.passed
    tuned.check()
    assert best.candidate.factorizes
    assert not best.candidate.narrows
    assert best.costs["macs"] <= 1_500
    assert squeeze(path, tmp_path / "best" / "best.yaml", data).tflite == tuned.tflite


def test_zeros_of_the_model_are_stored_sparse_where_bytes_count(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    library, path = LIBRARIES["keras"], tmp_path / "pruned.keras"
    model = library.Sequential([library.Input((96,), name="x"), library.layers.Dense(96)])
    kernel = random.normal(size=(96, 96)) * (random.random((96, 96)) < 0.04)
    model.set_weights([kernel, np.zeros(96)])
    model.save(path)
    data = {"x": random.normal(size=(200, 96)).astype(np.float32)}
    tuned = tune(path, Tune(minimize="raw", trials=0), data, tmp_path / "best")
    best = tuned.record.trial(tuned.record.best)
    assert best.candidate.sparse
    dense = best.candidate.model_copy(update={"sparse": False})
    (other,) = [one for one in tuned.record.trials if one.candidate == dense]
    assert best.costs["raw"] < 0.7 * other.costs["raw"]
    assert squeeze(path, tmp_path / "best" / "best.yaml", data).tflite == tuned.tflite


@pytest.mark.slow
def test_a_limit_that_nothing_meets(tmp_path: Path) -> None:
    asked = Tune(limits={"raw": 100}, trials=0, minimize="macs")
    tuned = tune(_model(LIBRARIES["tf_keras"]), asked, DATA, tmp_path / "best")
    best = tuned.record.trial(tuned.record.best)
    assert not best.passed
    assert any("100 is the limit" in line for line in best.failures)
    with pytest.raises(Exception, match="no file meets everything"):
        tuned.check()
    assert not (tmp_path / "best" / "best.tflite").exists()


def test_layers_that_are_not_there_cannot_be_protected() -> None:
    with pytest.raises(UsageError, match="protect names 'zzz', which matches none of"):
        tune(_untrained(), ASKED.model_copy(update={"protect": ("zzz",)}), DATA)


def test_without_data_it_is_refused() -> None:
    with pytest.raises(UsageError, match=r"trains and judges on samples.*pass data"):
        tune(_untrained(), ASKED, None)


def _untrained() -> Any:
    library = LIBRARIES["keras"]
    return library.Sequential([library.Input((12,)), library.layers.Dense(3, "softmax")])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit", "speed=3"], "COST=MOST"),
        (["--time", "soon"], "30m, 2h, 90s or none"),
        (["--resume", "--force"], "pass one of them"),
        (["--minimize", "ram"], "target to micro"),
        ([], "pass --data"),
    ],
)
def test_wrong_use_is_one_line(run: Run, tmp_path: Path, options: list[str], said: str) -> None:  # noqa: F811
    path = tmp_path / "net.keras"
    _untrained().save(path)
    assert said in run("tune", path, "-o", tmp_path / "best", *options).refused()
    assert not (tmp_path / "best").exists()


def test_a_loss_is_that_of_the_worst_labelled_output() -> None:
    assert limits.failures_of(
        {"download": 2_000.0},
        limits.Loss(measure="agreement", drop=0.03, examples=50),
        Tune(limits={"download": 1_000}),
    ) == (
        "agreement: 3.00% lost, and 2.00% is the limit",
        "download: 2,000, and 1,000 is the limit",
    )
