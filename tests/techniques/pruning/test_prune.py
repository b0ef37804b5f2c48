"""The verb `prune`: with data and without, every budget, and what the .tflite file holds."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.pruning.record import PruneRecord
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.tensor_values import tensor_values
from tflite_squeeze.training.config import FineTune


@pytest.fixture
def data() -> dict[str, np.ndarray]:
    """Rows of 8 numbers, and the class that the largest of the first three is."""
    x = tiny_models.examples(96, 8)
    y = np.argmax(x[:, :3], axis=1)
    return {"x_train": x[:64], "y_train": y[:64], "x_test": x[64:], "y_test": y[64:]}


@pytest.fixture
def npz(data: dict[str, np.ndarray], tmp_path: Any) -> str:
    np.savez(tmp_path / "data.npz", **data)
    return str(tmp_path / "data.npz")


def zeros(model: Any) -> list[int]:
    return [int(np.sum(np.asarray(t.variable) == 0)) for t in select(model).targets]


def test_at_once_without_data(library: Any) -> None:
    model = tiny_models.dense(library)
    before = model.get_weights()
    pruned, record = prune(model, Prune(sparsity=0.75))
    # Of 44 weights that stay, 24 / 43 and 19 / 43: sums of the dimensions.
    assert zeros(pruned) == [103, 29]
    # The smallest went, the others are as they were, and so is the model that was given.
    after = pruned.get_weights()[0]
    assert np.abs(before[0][after == 0]).max() <= np.abs(after[after != 0]).min()
    np.testing.assert_array_equal(after[after != 0], before[0][after != 0])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert record.sparsity == 0.75
    assert record.reached
    assert record.finetune is None
    assert [weight.zeros_before for weight in record.weights] == [0, 0]
    assert PruneRecord.model_validate_json(record.model_dump_json()) == record


def test_few_examples_are_mixed_where_the_original_teaches(
    library: Any, data: dict[str, np.ndarray]
) -> None:
    model = tiny_models.dense(library)
    for teacher, augment in (("original", ("mixup",)), (None, None)):
        how = FineTune(steps=2, teacher=teacher)
        _, record = prune(model, Prune(sparsity=0.5), data, how)
        assert record.finetune is not None
        assert record.finetune.augment == augment
        assert ("augmentation by mixup" in " ".join(record.notes)) == (augment is not None)


def test_in_place(library: Any) -> None:
    model = tiny_models.subclassed(library)
    if library is tiny_models.LIBRARIES["keras"]:
        # tf_keras copies it, by calling its class without arguments.
        with pytest.raises(UsageError, match="in_place=True"):
            prune(model, Prune(sparsity=0.5))
    pruned, _ = prune(model, Prune(sparsity=0.5, budget="uniform"), in_place=True)
    assert pruned is model
    assert zeros(model) == [8, 3]


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["uniform", "global", "erk", "sensitivity"])
def test_budgets_meet_the_target(library: Any, npz: str, budget: str) -> None:
    config = Prune(sparsity=0.7, budget=budget)
    _, record = prune(tiny_models.dense(library), config, npz, one_shot=True)
    assert record.sparsity == pytest.approx(0.7, abs=2 / 176)
    assert record.reached
    assert record.before is not None


@pytest.mark.parametrize("score", ["magnitude", "taylor", "wanda", "random"])
def test_scores_choose_differently(library: Any, npz: str, score: str) -> None:
    model = tiny_models.dense(library)
    pruned, record = prune(model, Prune(sparsity=0.5, score=score), npz, one_shot=True)
    assert zeros(pruned) == [79, 9]
    by_magnitude, _ = prune(model, Prune(sparsity=0.5))
    same = (pruned.get_weights()[0] == 0) == (by_magnitude.get_weights()[0] == 0)
    assert same.all() == (score == "magnitude")
    assert record.history == {}


def test_threshold_and_median(library: Any) -> None:
    model = tiny_models.dense(library)
    weights = model.get_weights()[0]
    pruned, record = prune(model, Prune(threshold=0.2))
    np.testing.assert_array_equal(pruned.get_weights()[0] == 0, np.abs(weights) < 0.2)
    assert record.target == 0.0
    pruned, record = prune(model, Prune(sparsity="median"))
    assert zeros(pruned) == [64, 24]
    assert record.reached


def test_layers_of_their_own_count_towards_the_target(library: Any) -> None:
    config = Prune(sparsity=0.75, layers={"scores": 0.25})
    pruned, record = prune(tiny_models.dense(library), config)
    assert zeros(pruned) == [96, 12]
    assert record.target == pytest.approx(108 / 176)
    assert record.reached


def test_a_target_that_is_not_met_is_not_called_reached(library: Any) -> None:
    config = Prune(sparsity=0.9, budget="global", max_layer_sparsity=0.5)
    _, record = prune(tiny_models.dense(library), config)
    assert record.sparsity == 0.5
    assert not record.reached


def test_a_regression_is_judged_by_its_loss(library: Any, tmp_path: Any) -> None:
    model = tiny_models.subclassed(library)
    model.compile("sgd", "mse")
    x = tiny_models.examples(32, 5)
    np.savez(tmp_path / "d.npz", x_train=x, y_train=x[:, :2], x_test=x, y_test=x[:, :2])
    pruned, record = prune(
        model, Prune(sparsity=0.5), str(tmp_path / "d.npz"), one_shot=True, in_place=True
    )
    assert record.metric == "loss"
    expected = np.mean((np.asarray(pruned(x)) - x[:, :2]) ** 2)
    assert record.after == pytest.approx(float(expected), rel=1e-4)


def test_patterns_along_the_inputs(library: Any) -> None:
    pruned, record = prune(tiny_models.dense(library), Prune(granularity="2:4"))
    for target in select(pruned).targets:
        groups = target.matrix(np.asarray(target.variable)).reshape(-1, 4)
        assert ((groups != 0).sum(axis=1) == 2).all()
    assert record.sparsity == record.target == 0.5


def test_protected_values_never_change(library: Any) -> None:
    model = tiny_models.normalized(library)
    before = {weight.name + str(i): np.array(weight) for i, weight in enumerate(model.weights)}
    pruned, record = prune(model, Prune(sparsity=0.9, protect=("last",)))
    changed = [
        index
        for index, (old, new) in enumerate(zip(before.values(), pruned.weights, strict=True))
        if not np.array_equal(old, np.asarray(new))
    ]
    assert changed == [0]  # the first kernel
    assert {item.reason for item in record.skipped} == {
        "protected",
        "normalisation is never changed",
    }


@pytest.mark.slow
def test_with_training_the_other_weights_learn(library: Any, npz: str) -> None:
    config = Prune(sparsity=0.75, schedule="constant")
    training = FineTune(epochs=30, batch=16, learning_rate=0.02)
    pruned, record = prune(tiny_models.dense(library), config, npz, training)
    assert zeros(pruned) == [103, 29]
    assert record.finetune.epochs == training.epochs
    assert record.metric == "accuracy"
    assert record.after is not None
    assert record.before is not None
    assert record.after > record.before
    assert record.history["sparsity"] == [0.75] * 30
    assert PruneRecord.model_validate_json(record.model_dump_json()) == record


def test_real_images(library: Any, samples: Any) -> None:
    layers = library.layers
    library.utils.set_random_seed(0)
    model = library.Sequential(
        [
            library.Input((28, 28, 1)),
            layers.Conv2D(4, 5, strides=3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", name="scores"),
        ]
    )
    pruned, record = prune(
        model,
        Prune(sparsity=0.8, score="wanda", budget="uniform"),
        str(samples / "fashion-mnist.npz"),
        one_shot=True,
    )
    assert zeros(pruned) == [80, 2048]
    assert record.reached


@pytest.mark.parametrize(
    ("config", "data", "said"),
    [
        ({"score": "taylor"}, None, "score 'taylor' needs samples: pass data"),
        ({"score": "wanda"}, None, "score 'wanda' needs samples: pass data"),
        ({"score": "taylor"}, "inputs", "pass labelled data"),
        ({"budget": "sensitivity"}, None, "need labelled data"),
        ({"budget": "sensitivity"}, "inputs", "need labelled data"),
        ({"layers": {"conv": 0.2}}, None, "layers names 'conv', which matches none of hidden"),
        ({"only": ("conv",)}, None, "only names 'conv', which matches none of"),
        ({"protect": ("Dense",)}, None, r"nothing to prune in model 'dense' \(hidden: protected"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    library: Any, config: dict, data: str | None, said: str, tmp_path: Any
) -> None:
    if data:
        np.savez(tmp_path / "x.npz", x=tiny_models.examples(8, 8))
        data = str(tmp_path / "x.npz")
    with pytest.raises(UsageError, match=said) as caught:
        prune(tiny_models.dense(library), Prune(sparsity=0.5, **config), data)
    assert "\n" not in str(caught.value)


def test_finetuning_needs_labels(library: Any) -> None:
    with pytest.raises(UsageError, match="fine-tuning needs data: pass some"):
        prune(tiny_models.dense(library), Prune(sparsity=0.5), None, FineTune())


@pytest.mark.slow
def test_the_zeros_are_in_the_file(library: Any) -> None:
    pruned, _ = prune(tiny_models.convolutional(library), Prune(sparsity=0.75, budget="uniform"))
    tflite = convert(pruned, verification=None).tflite
    counts = sorted(
        int(np.sum(tensor == 0)) for tensor in weights_of(tflite) if tensor.size in (36, 576)
    )
    assert counts == [27, 432]
    dense = convert(tiny_models.convolutional(library), verification=None).tflite
    assert not any((tensor == 0).any() for tensor in weights_of(dense) if tensor.size in (36, 576))


def weights_of(tflite: bytes) -> list[np.ndarray]:
    """The constants of a file."""
    model = read_model(tflite)
    values = [tensor_values(model, 0, index) for index in range(len(model.subgraphs[0].tensors))]
    return [array for array in values if array is not None]
