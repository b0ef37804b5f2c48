"""One-hot labels, which data holds as class ids, and losses that want rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.techniques.distillation.distill import distill
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.training.objective import loss_name, objective_of
from tflite_squeeze.training.quality import quality

X = examples(48, 8)
IDS = np.argmax(X[:, :3], axis=1)
ROWS = np.eye(3, dtype=np.float32)[IDS]
DATA = {"x_train": X, "y_train": ROWS, "x_test": X, "y_test": ROWS}


def compiled(library: Any, loss: Any) -> Any:
    model = tiny_models.dense(library)
    model.compile(library.optimizers.Adam(0.03), loss, metrics=["accuracy"])
    return model


def test_class_ids_become_rows_where_the_loss_takes_rows(library: Any) -> None:
    for loss in ("categorical_crossentropy", "mse", library.losses.CategoricalCrossentropy()):
        form = objective_of(compiled(library, loss)).labels
        np.testing.assert_array_equal(form(IDS), ROWS)
        np.testing.assert_array_equal(form(IDS[:, np.newaxis]), ROWS)
        assert form(ROWS) is ROWS


def test_other_labels_stay(library: Any) -> None:
    assert objective_of(tiny_models.dense(library)).labels(IDS) is IDS
    assert objective_of(compiled(library, "sparse_categorical_crossentropy")).labels(IDS) is IDS


def test_numbers_are_compared_with_outputs_of_a_row_each(library: Any) -> None:
    one = library.Sequential([library.Input((8,), name="x"), library.layers.Dense(1)])
    for loss in ("mse", library.losses.MeanAbsoluteError()):
        one.compile("adam", loss)
        assert objective_of(one).labels(X[:, 0]).shape == (48, 1)
        wanted = one.evaluate(X, X[:, :1], verbose=0)
        for labels in (X[:, 0], X[:, :1]):
            assert quality(one, {"x": X}, labels) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.slow
def test_it_trains_with_its_own_loss_and_keeps_it(library: Any) -> None:
    model = compiled(library, "categorical_crossentropy")
    model.fit(X, ROWS, epochs=40, verbose=0)
    reached = quality(model, {"x": X}, IDS)
    assert reached > 0.8
    pruned, record = prune(model, Prune(sparsity=0.5), DATA, FineTune(epochs=20, batch=16))
    assert record.before == pytest.approx(reached)
    assert record.after > 0.7
    assert pruned.loss == "categorical_crossentropy"
    assert np.ravel(pruned.evaluate(X, ROWS, verbose=0))[0] < 1.0
    prune(model, Prune(sparsity=0.5, score="taylor"), DATA, one_shot=True)


@pytest.mark.slow
def test_it_is_distilled_with_labels(library: Any) -> None:
    teacher = compiled(library, "categorical_crossentropy")
    student = compiled(library, "categorical_crossentropy")
    config = Distill(label_weight=0.5)
    _, record = distill(student, config, DATA, teacher, FineTune(epochs=5, batch=16))
    assert record.after is not None


def test_a_squared_error_of_rows_is_taken_of_rows(library: Any) -> None:
    model = compiled(library, "mse")
    found = np.mean((np.asarray(model(X)) - ROWS) ** 2)
    assert quality(model, {"x": X}, IDS) == pytest.approx(found, rel=1e-5)


LABELS = {"kind": IDS, "size": X[:, :2]}


def two_headed(library: Any, structure: type, **compiled: Any) -> Any:
    given = library.Input((8,), name="x")
    hidden = library.layers.Dense(4)(given)
    kind = library.layers.Dense(3, "softmax", name="kind")(hidden)
    size = library.layers.Dense(2, name="size")(hidden)
    outputs = {"kind": kind, "size": size} if structure is dict else [kind, size]
    model = library.Model(given, outputs)
    if compiled:
        model.compile("sgd", **compiled)
    return model


def test_each_output_has_its_own_loss(library: Any) -> None:
    both = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    weights = {"kind": 2.0, "size": 0.5}
    for structure in (list, dict):
        asked = [
            {"loss": both, "loss_weights": weights},
            {"loss": {"kind": library.losses.SparseCategoricalCrossentropy(), "size": "mse"},
             "loss_weights": weights},
        ]  # fmt: skip
        if structure is list:
            asked.append({"loss": list(both.values()), "loss_weights": [2.0, 0.5]})
        for compiled in asked:
            model = two_headed(library, structure, **compiled)
            outputs = model.predict(X, verbose=0)
            kind, size = outputs.values() if structure is dict else outputs
            objective = objective_of(model)
            assert [goal.output for goal in objective.goals] == ["kind", "size"]
            expected = -2.0 * np.mean(np.log(kind[np.arange(48), IDS]))
            expected += 0.5 * np.mean((size - X[:, :2]) ** 2)
            assert float(objective.loss(LABELS, outputs)) == pytest.approx(expected, rel=1e-4)
            assert type(objective.labels(LABELS)) is (dict if structure is dict else tuple)
            assert quality(model, {"x": X}, LABELS) == pytest.approx(expected, rel=1e-4)


def test_one_name_is_for_all_outputs_and_without_any_the_outputs_tell(library: Any) -> None:
    rows = objective_of(two_headed(library, list, loss="mse")).labels(LABELS)[0]
    np.testing.assert_array_equal(rows, ROWS)
    bare = objective_of(two_headed(library, list))
    assert not bare.own
    assert bare.labels(LABELS)[0] is IDS


def test_an_output_without_loss_needs_no_labels(library: Any) -> None:
    model = two_headed(library, list, loss={"kind": "sparse_categorical_crossentropy"})
    objective = objective_of(model)
    outputs = model.predict(X, verbose=0)
    expected = -np.mean(np.log(outputs[0][np.arange(48), IDS]))
    assert float(objective.loss({"kind": IDS}, outputs)) == pytest.approx(expected, rel=1e-4)


def test_labels_that_do_not_fit_the_outputs(library: Any) -> None:
    objective = objective_of(two_headed(library, list, loss="mse"))
    with pytest.raises(InputError, match="outputs kind, size, and the data has labels for one"):
        objective.labels(IDS)
    with pytest.raises(InputError, match=r"'size' of the model is trained and has no labels.*kind"):
        objective.labels({"kind": IDS})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", ["keras", "h5", "saved"])
def test_a_file_keeps_the_losses_that_it_was_compiled_with(
    library: Any, suffix: str, tmp_path: Path
) -> None:
    if suffix == "saved" and library is not LIBRARIES["tf_keras"]:
        pytest.skip("Keras 3 writes no layers into SavedModels")
    losses = {"kind": library.losses.SparseCategoricalCrossentropy(), "size": "mae"}
    model = two_headed(library, list, loss=losses, loss_weights={"kind": 1.0, "size": 3.0})
    path = tmp_path / f"net.{suffix}" if suffix != "saved" else tmp_path / "saved"
    model.save(path, **({"save_format": "tf"} if suffix == "saved" else {}))
    data = {"x": X, "y:kind": IDS, "y:size": X[:, :2]}
    loaded = load_model(path).model
    pruned, record = prune(loaded, Prune(sparsity=0.5), data, FineTune(epochs=1))
    assert record.before == pytest.approx(quality(model, {"x": X}, LABELS), rel=1e-4)
    goals = objective_of(pruned).goals
    assert [loss_name(goal.loss) for goal in goals][1] in ("meanabsoluteerror", "mae")
    assert [goal.weight for goal in goals] == [1.0, 3.0]
    taught = FineTune(epochs=1, teacher="original")
    assert prune(loaded, Prune(sparsity=0.5), {"x": X}, taught).record.finetune.teacher


def test_a_loss_of_ones_own_is_left_out_and_told(library: Any, tmp_path: Path) -> None:
    def mine(labels: Any, outputs: Any) -> Any:
        return (labels - outputs) ** 2

    model = two_headed(library, list, loss={"kind": mine, "size": "mse"})
    model.save(tmp_path / "net.keras")
    loaded = load_model(tmp_path / "net.keras")
    assert not objective_of(loaded.model).own
    assert "the loss in the file is not used" in loaded.notes[-1]


@pytest.mark.slow
def test_inputs_of_equal_shape_stay_apart(library: Any) -> None:
    a, b = library.Input((4,), name="a"), library.Input((4,), name="b")
    layers = library.layers
    out = layers.Dense(1, "sigmoid")(layers.Concatenate()([layers.Dense(4)(a), layers.Dense(4)(b)]))
    data = {"x:a": X[:, :4], "x:b": X[:, 4:], "y": IDS % 2}
    half = Prune(sparsity=0.5, budget="uniform")
    for structure in ([a, b], {"a": a, "b": b}):
        model = library.Model(structure, {"only": out})
        for finetune in (FineTune(epochs=1), FineTune(epochs=1, teacher="original")):
            assert prune(model, half, data, finetune).record.sparsity == 0.5


def test_a_loss_fits_a_softmax_that_is_an_operation_or_stands_before_a_reshape() -> None:
    library = LIBRARIES["keras"]
    x = library.Input((4,), name="x")
    scores = library.layers.Dense(3)(x)
    as_operation = library.Model(x, library.ops.softmax(scores))
    reshaped = library.Model(x, library.layers.Reshape((3,))(library.layers.Softmax()(scores)))
    of_logits = library.Model(x, scores)
    found = [
        objective_of(model).goals[0].loss.get_config()
        for model in (as_operation, reshaped, of_logits)
    ]
    assert [config["from_logits"] for config in found] == [False, False, True]
