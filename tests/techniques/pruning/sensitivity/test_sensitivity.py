"""Sensitivity curves: what is measured, kept, resumed, refused."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze.data.data import load_data
from tflite_squeeze.errors import InputError, OutputError, UsageError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.pruning.sensitivity.curves import measure_curves
from tflite_squeeze.techniques.pruning.sensitivity.record import SensitivityRecord
from tflite_squeeze.techniques.pruning.sensitivity.sensitivity import load_curves, sensitivity
from tflite_squeeze.techniques.pruning.sensitivity.tables import sensitivity_plot
from tflite_squeeze.training.record import lost


@pytest.fixture(autouse=True)
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three points a curve are enough to tell them apart, and one test draws them."""
    import tflite_squeeze.techniques.pruning.sensitivity.curves as room
    import tflite_squeeze.techniques.pruning.sensitivity.sensitivity as verb

    monkeypatch.setattr(verb, "SPARSITIES", (0.25, 0.5, 0.75))
    monkeypatch.setitem(room.measure_curves.__kwdefaults__, "sparsities", (0.25, 0.5, 0.75))
    monkeypatch.setattr(verb, "sensitivity_plot", lambda record: b"a plot")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "curves"


def _labelled(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Samples with the labels that the model itself finds."""
    x = examples(64, 8)
    return x, np.argmax(np.asarray(model(x)), axis=1)


def _stopping_after(count: int) -> Any:
    def told(done: int, _total: int) -> None:
        if done == count:
            raise KeyboardInterrupt

    return told


def test_lost_is_counted_by_hand() -> None:
    assert lost("accuracy", 0.75, 0.5) == 0.25
    assert lost("accuracy", 0.5, 0.75) == -0.25
    assert lost("loss", 0.5, 0.75) == 0.5
    assert lost("loss", 0.5, 0.25) == -0.5
    assert lost("loss", 0.0, 1e-12) == 1.0


def test_points_are_what_pruning_one_weight_gives(library: Any, folder: Path) -> None:
    model = tiny_models.dense(library)
    before = model.get_weights()
    x, y = _labelled(model)
    record = sensitivity(model, (x, y), folder)
    assert record.complete
    assert record.metric == "accuracy"
    assert record.whole == 1.0
    assert record.samples == len(x) < 1000  # those that there are, not those asked for
    assert record.sizes == {"hidden/kernel": 128, "scores/kernel": 48}
    for name, only in (("hidden/kernel", "hidden"), ("scores/kernel", "scores")):
        for sparsity, value in record.points[name]:
            pruned, _ = prune(model, Prune(sparsity=sparsity, only=(only,)))
            found = np.argmax(np.asarray(pruned(x)), axis=1)
            assert value == pytest.approx(np.mean(found == y))
    assert min(value for _, value in record.points["hidden/kernel"]) < 1.0
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_three_files_that_say_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tflite_squeeze.techniques.pruning.sensitivity.sensitivity as verb

    monkeypatch.setattr(verb, "sensitivity_plot", sensitivity_plot)
    model = tiny_models.dense(keras)
    record = sensitivity(model, _labelled(model), folder)
    names = ["sensitivity.json", "sensitivity.md", "sensitivity.png"]
    assert sorted(file.name for file in folder.iterdir()) == names
    text = (folder / "sensitivity.json").read_text()
    assert SensitivityRecord.model_validate_json(text) == record
    assert record.model_dump_json(indent=2) + "\n" == text
    assert "hidden/kernel" in (folder / "sensitivity.md").read_text()
    assert (folder / "sensitivity.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_what_is_not_finite_round_trips() -> None:
    record = SensitivityRecord(
        model="net", sha256="0", metric="loss", whole=1.0, granularity="element", samples=32,
        data="d", sizes={"a": 4}, points={"a": ((0.5, float("inf")),)}, complete=True,
    )  # fmt: skip
    text = record.model_dump_json()
    json.loads(text, parse_constant=pytest.fail)  # plain JSON has no Infinity
    assert SensitivityRecord.model_validate_json(text) == record
    assert record.losses() == {"a": ((0.5, float("inf")),)}


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(folder: Path) -> None:
    model = tiny_models.dense(keras)
    data = _labelled(model)
    whole = sensitivity(model, data, folder.with_name("whole"))
    with pytest.raises(KeyboardInterrupt):
        sensitivity(model, data, folder, on_progress=_stopping_after(2))
    path = folder / "sensitivity.json"
    stopped = SensitivityRecord.model_validate_json(path.read_text())
    assert not stopped.complete
    assert stopped.points == {"hidden/kernel": whole.points["hidden/kernel"][:2]}
    assert [file.name for file in folder.iterdir()] == [path.name]
    # A mark in what was measured shows that it is not measured again.
    marked = {"hidden/kernel": ((0.25, 0.125), whole.points["hidden/kernel"][1])}
    path.write_text(stopped.model_copy(update={"points": marked}).model_dump_json())
    told: list[tuple[int, int]] = []
    record = sensitivity(model, data, folder, on_progress=lambda *step: told.append(step))
    assert told == [(2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]
    expected = (marked["hidden/kernel"][0], *whole.points["hidden/kernel"][1:])
    assert record.points == {**whole.points, "hidden/kernel": expected}
    assert record.complete


def test_a_finished_run_measures_nothing_again(folder: Path) -> None:
    model = tiny_models.dense(keras)
    data = _labelled(model)
    record = sensitivity(model, data, folder)
    told: list[tuple[int, int]] = []
    assert sensitivity(model, data, folder, on_progress=lambda *step: told.append(step)) == record
    assert told == [(6, 6)]


@pytest.mark.slow
def test_results_of_something_else_stay_unless_forced(folder: Path) -> None:
    model = tiny_models.dense(keras)
    data = _labelled(model)
    sensitivity(model, data, folder)
    before = (folder / "sensitivity.json").read_bytes()
    other = tiny_models.dense(keras)
    other.set_weights([2 * weight for weight in other.get_weights()])
    for changed in (
        lambda **force: sensitivity(other, data, folder, **force),
        lambda **force: sensitivity(model, data, folder, granularity="1x4", **force),
        lambda **force: sensitivity(model, data, folder, samples=32, **force),
    ):
        with pytest.raises(OutputError, match="holds results of another model, data or granul"):
            changed()
        assert (folder / "sensitivity.json").read_bytes() == before
    assert sensitivity(other, data, folder, force=True).complete
    assert (folder / "sensitivity.json").read_bytes() != before


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", "not JSON"])
def test_a_file_that_is_no_record(folder: Path, content: str) -> None:
    folder.mkdir()
    (folder / "sensitivity.json").write_text(content)
    model = tiny_models.dense(keras)
    with pytest.raises(InputError, match="is not a record of sensitivity: pass --force") as caught:
        sensitivity(model, _labelled(model), folder)
    assert "\n" not in str(caught.value)
    assert (folder / "sensitivity.json").read_text() == content
    with pytest.raises(InputError, match="is not a record of sensitivity: make one"):
        load_curves(load_model(model), folder / "sensitivity.json")


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    model = tiny_models.dense(keras)
    (tmp_path / "file").write_text("precious")
    with pytest.raises(OutputError, match=r"cannot make folder .*: name another"):
        sensitivity(model, _labelled(model), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"
    (tmp_path / "taken" / "sensitivity.json").mkdir(parents=True)
    with pytest.raises(InputError, match="is a folder"):
        sensitivity(model, _labelled(model), tmp_path / "taken")


def test_what_cannot_be_measured_leaves_no_folder(library: Any, folder: Path) -> None:
    model = tiny_models.dense(library)
    x, y = _labelled(model)
    with pytest.raises(UsageError, match="has no labels to measure quality by"):
        sensitivity(model, x, folder)
    with pytest.raises(UsageError, match="granularity is '4:2': use element, filter"):
        sensitivity(model, (x, y), folder, granularity="4:2")
    flat = library.Sequential([library.Input((8,)), library.layers.Softmax()])
    with pytest.raises(UsageError, match="has no weight that can be pruned"):
        sensitivity(flat, (x, y), folder)
    with pytest.raises(InputError, match="damaged"):
        sensitivity(b"\0\0\0\0TFL3", (x, y), folder)
    module = tiny_models.TwoSignatures()
    with pytest.raises(UsageError, match=r"function comes without its layers \(functions\)"):
        sensitivity(module.functions(), (x, y), folder)
    assert not folder.exists()


@pytest.mark.slow
def test_curves_are_losses_in_points(library: Any, folder: Path, tmp_path: Path) -> None:
    model = tiny_models.dense(library)
    model.save(tmp_path / "net.keras")
    data = _labelled(model)
    record = sensitivity(tmp_path / "net.keras", data, folder)
    source = load_model(tmp_path / "net.keras")
    curves = load_curves(source, folder / "sensitivity.json")
    assert curves == {
        name: tuple((sparsity, 1.0 - value) for sparsity, value in points)
        for name, points in record.points.items()
    }
    fitted = load_data(data).fitted_to({"x": _spec()})
    assert curves == measure_curves(model, fitted, select(model))
    # What was measured before leads to the same zeros as what is measured on the way.
    config = Prune(sparsity=0.7, budget="sensitivity")
    by_file, _ = prune(source.model, config, curves=curves)
    on_the_way, _ = prune(source.model, config, data, one_shot=True)
    for one, two in zip(by_file.get_weights(), on_the_way.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def _spec() -> Any:
    import tensorflow as tf

    return tf.TensorSpec((None, 8), tf.float32, name="x")


def test_curves_decide_what_is_pruned(library: Any) -> None:
    dear, cheap = ((0.5, 0.5), (0.9, 0.9)), ((0.5, 0.0), (0.9, 0.0))
    config = Prune(sparsity=0.25, budget="sensitivity")
    pruned, _ = prune(
        tiny_models.dense(library), config, curves={"hidden/kernel": dear, "scores/kernel": cheap}
    )
    hidden, scores = (float(np.mean(pruned.get_weights()[index] == 0)) for index in (0, 2))
    assert scores > 0.85 > 0.1 > hidden
    with pytest.raises(UsageError, match="curves lack scores/kernel: measure those of this model"):
        prune(tiny_models.dense(library), config, curves={"hidden/kernel": dear})


def test_curves_of_something_else_are_refused(folder: Path) -> None:
    model = tiny_models.dense(keras)
    sensitivity(model, _labelled(model), folder, granularity="1x4")
    path, source = folder / "sensitivity.json", load_model(model)
    assert set(load_curves(source, path, granularity="1x4")) == {"hidden/kernel", "scores/kernel"}
    with pytest.raises(InputError, match="was measured with granularity 1x4, not element"):
        load_curves(source, path)
    with pytest.raises(InputError, match="belongs to another model than nested"):
        load_curves(load_model(tiny_models.nested(keras)), path)
    record = SensitivityRecord.model_validate_json(path.read_text())
    path.write_text(record.model_copy(update={"complete": False}).model_dump_json())
    with pytest.raises(InputError, match="is not complete: run sensitivity again"):
        load_curves(source, path, granularity="1x4")
    with pytest.raises(InputError, match="does not exist"):
        load_curves(source, folder / "missing.json")


def test_a_regression_is_measured_by_its_loss(library: Any, folder: Path) -> None:
    model = tiny_models.dense(library)
    model.compile(loss="mse")
    x = examples(16, 8)
    y = x[:, :3]
    record = sensitivity(model, (x, y), folder)
    assert record.metric == "loss"
    error = float(np.mean((np.asarray(model(x)) - y) ** 2))
    assert record.whole == pytest.approx(error, rel=1e-4)
    sparsity, value = record.points["hidden/kernel"][-1]
    assert record.losses()["hidden/kernel"][-1] == (
        sparsity, pytest.approx((value - error) / error, rel=1e-3)
    )  # fmt: skip
