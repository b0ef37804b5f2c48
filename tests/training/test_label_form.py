"""One-hot labels, which data holds as class ids, and losses that want rows."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze.techniques.distillation.distill import distill
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.training.label_form import label_form
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
        form = label_form(compiled(library, loss))
        np.testing.assert_array_equal(form(IDS), ROWS)
        np.testing.assert_array_equal(form(IDS[:, np.newaxis]), ROWS)
        assert form(ROWS) is ROWS


def test_other_labels_stay(library: Any) -> None:
    assert label_form(tiny_models.dense(library))(IDS) is IDS
    assert label_form(compiled(library, "sparse_categorical_crossentropy"))(IDS) is IDS
    one = library.Sequential([library.Input((8,)), library.layers.Dense(1)])
    one.compile("adam", "mse")
    assert label_form(one)(X[:, 0]) is not None
    assert label_form(one)(X[:, 0]).shape == (48,)


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
