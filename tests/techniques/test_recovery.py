"""Fine-tuning by the original model: with labels and without, of prune and L0, in both flavours."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tests.trained_models import in_turn
from tflite_squeeze.data.data import load_data
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.l0.config import L0
from tflite_squeeze.techniques.l0.l0 import l0_prune
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.training.finetune import finetune

pytestmark = pytest.mark.slow

X = examples(160, 8)
RECOVERY = FineTune(epochs=40, batch=32, learning_rate=0.02, teacher="original")


@pytest.fixture(scope="module")
def trained() -> dict[str, Any]:
    """A network of each flavour that tells which of three numbers is the largest."""
    models = {}
    for name, library in LIBRARIES.items():
        model = tiny_models.dense(library)
        model.compile(
            library.optimizers.Adam(0.03), "sparse_categorical_crossentropy", jit_compile=False
        )
        model.fit(X, np.argmax(X[:, :3], axis=1), epochs=30, batch_size=32, verbose=0)
        models[name] = tiny_models.dense(library)  # as loaded from a file: not compiled
        models[name].set_weights(model.get_weights())
    return models


@pytest.fixture
def model(library: Any, trained: dict[str, Any]) -> Any:
    return trained[library.__name__]


def agreement(a: Any, b: Any) -> float:
    return float(np.mean(np.argmax(np.asarray(a(X)), 1) == np.argmax(np.asarray(b(X)), 1)))


def zeros(model: Any) -> list[float]:
    return [float(np.mean(weight == 0)) for weight in model.get_weights()]


@in_turn("in_place", {"new": [False], "in_place": [True]})
def test_pruning_recovers_without_labels(library: Any, model: Any, in_place: bool) -> None:
    config = Prune(sparsity=0.75, budget="uniform")
    at_once, _ = prune(model, config)
    given = model
    if in_place:
        given = library.models.clone_model(model)
        given.set_weights(model.get_weights())
    pruned, record = prune(given, config, {"x_calibration": X}, RECOVERY, in_place=in_place)
    assert zeros(pruned) == [0.75, 0.0, 0.75, 0.0]
    assert agreement(pruned, model) > max(0.93, agreement(at_once, model))
    assert type(pruned) is type(model)
    assert (record.finetune.epochs, record.finetune.teacher) == (RECOVERY.epochs, "original")
    assert len(record.history["distillation"]) == 40
    assert (record.before, record.after) == (None, None)
    assert type(record).model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize("library", ["keras"], indirect=True)
def test_with_labels_it_learns_from_both(model: Any) -> None:
    data = {"x_train": X, "y_train": np.argmax(X[:, :3], axis=1)}
    training = RECOVERY.model_copy(update={"epochs": 2})
    _, record = prune(model, Prune(sparsity=0.5), data, training)
    assert {"accuracy", "distillation", "loss"} <= set(record.history)
    # Wrong labels show that they count: without weight they do not.
    wrong = {"x_train": X, "y_train": np.zeros(160, np.int64)}
    deaf = RECOVERY.model_copy(update={"distill": Distill(label_weight=0.0)})
    pruned, _ = prune(model, Prune(sparsity=0.5), wrong, deaf)
    assert agreement(pruned, model) > 0.9
    misled = RECOVERY.model_copy(update={"distill": Distill(label_weight=50.0)})
    pruned, _ = prune(model, Prune(sparsity=0.5), wrong, misled)
    assert agreement(pruned, model) < 0.7


def test_l0_recovers_without_labels(trained: dict[str, Any]) -> None:
    model = trained["keras"]
    training = RECOVERY.model_copy(update={"epochs": 30})
    config = L0(lam=4.0, gate_learning_rate=0.5)
    pruned, record = l0_prune(model, config, {"x_calibration": X}, training)
    assert 0.2 < record.sparsity < 1.0
    assert agreement(pruned, model) > 0.8
    assert [type(layer) for layer in pruned.layers] == [type(layer) for layer in model.layers]


@pytest.mark.parametrize(
    ("verb", "config"),
    [
        (cluster, Cluster(clusters=4)),
        (factorize, Factorize(rank=2, only=("hidden",))),
        (binarize, Binarize(weights="ternary", inputs="float", protect=())),
    ],
)
def test_the_other_techniques_take_it_too(trained: dict[str, Any], verb: Any, config: Any) -> None:
    model = trained["tf_keras" if verb is cluster else "keras"]
    training = RECOVERY.model_copy(update={"epochs": 12})
    changed, record = verb(model, config, {"x_calibration": X}, training)
    assert (record.finetune.epochs, record.finetune.learning_rate) == (12, training.learning_rate)
    distances = record.history["distillation"]
    assert len(distances) == 12
    assert distances[-1] < distances[0]
    assert changed is not model


@pytest.mark.parametrize("library", ["tf_keras"], indirect=True)
def test_labelled_test_data_measures_what_unlabelled_data_recovered(model: Any) -> None:
    data = {"x_calibration": X[:96], "x_test": X[96:], "y_test": np.argmax(X[96:, :3], axis=1)}
    _, record = prune(model, Prune(sparsity=0.5), data, RECOVERY)
    assert record.before is not None
    assert record.after is not None
    assert record.after > record.before - 0.1
    assert "accuracy" not in record.history  # the labels of the test part trained nothing


def test_refusals(model: Any) -> None:
    data = load_data(X).fitted_to(flavors.input_specs(model))
    with pytest.raises(UsageError, match="this step keeps no original"):
        finetune(model, data, RECOVERY)
    with pytest.raises(InputError, match="or teacher='original' to recover without labels"):
        prune(model, Prune(sparsity=0.5), X, FineTune())
    with pytest.raises(UsageError, match="fine-tuning needs data: pass some"):
        prune(model, Prune(sparsity=0.5), None, RECOVERY)
    with pytest.raises(ValidationError, match='distill is given without a teacher: pass teacher="'):
        FineTune(distill=Distill())


def test_the_config_round_trips() -> None:
    training = FineTune(teacher="original", distill=Distill(distance="mse", label_weight=0.5))
    assert FineTune.model_validate_json(training.model_dump_json()) == training
    assert FineTune.model_json_schema()["properties"]["teacher"]
