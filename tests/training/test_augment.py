"""Augmentation: each change by hand, what it is refused for, and that it trains."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze import Prune, prune
from tflite_squeeze.data.data import load_data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.techniques.distillation.distill import distill
from tflite_squeeze.training.augment import (
    Augmentation,
    Spread,
    augmentation_of,
    flipped,
    mixed,
    noisy,
    shifted,
)
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.training.finetune import finetune
from tflite_squeeze.training.objective import loss_name, objective_of
from tflite_squeeze.training.training_data import training_batches

IMAGES = examples(32, 8, 8, 1)
WHOLE = FineTune(epochs=1, batch=32)
CLASSES = np.arange(32) % 4
DATA = {"x_train": IMAGES, "y_train": CLASSES, "x_test": IMAGES[:8], "y_test": CLASSES[:8]}


@pytest.mark.parametrize(("by", "expected"), [(1, [1, 1, 2]), (-1, [2, 3, 3]), (0, [1, 2, 3])])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shift_by_hand(by: int, expected: list[int], dtype: Any) -> None:
    values = np.array([[1, 2, 3]], dtype)
    for axis, shaped in ((1, values), (2, values[:, None]), (1, values[:, :, None])):
        moved = shifted(shaped, np.array([by]), axis)
        assert np.asarray(moved).dtype == dtype
        np.testing.assert_array_equal(np.ravel(moved), expected)


def test_flip_by_hand() -> None:
    values = np.array([[[1, 2], [3, 4]]] * 2, np.uint8)[..., None]
    first, second = np.asarray(flipped(values, np.array([True, False])))[..., 0]
    np.testing.assert_array_equal(first, [[2, 1], [4, 3]])
    np.testing.assert_array_equal(second, [[1, 2], [3, 4]])


def test_mixup_and_noise_by_hand() -> None:
    values = np.array([[0.0], [8.0]], np.float32)
    np.testing.assert_allclose(mixed(values, np.array([0.75, 0.5])), [[2.0], [4.0]])
    whole = mixed(values.astype(np.uint8), np.array([0.55, 1.0]))
    np.testing.assert_array_equal(whole, np.array([[4], [8]], np.uint8))
    loud = noisy(np.array([250, 3], np.uint8), np.array([9.0, -9.0], np.float32), (2.0, 251.0))
    np.testing.assert_array_equal(loud, np.array([251, 2], np.uint8))
    np.testing.assert_allclose(noisy(values, np.float32(0.5), None), [[0.5], [8.5]])


def augmented(model: Any, *names: str, data: Any = None) -> Augmentation | None:
    given = load_data(DATA if data is None else data)
    return augmentation_of(names, model, given.fitted_to(flavors.input_specs(model)))


def test_equal_seeds_give_equal_batches_and_epochs_differ(library: Any) -> None:
    model = tiny_models.convolutional(library)
    data = load_data(DATA).fitted_to(flavors.input_specs(model))
    change = augmented(model, "shift", "flip", "noise", "mixup")
    passes = []
    for _ in range(2):
        library.utils.set_random_seed(0)
        batches, _ = training_batches(model, data, WHOLE, augmentation=change)
        passes.append([[np.asarray(x) for x, _ in batches] for _ in range(2)])
    first, again = passes
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0][0].sum() - first[1][0].sum()) > 1e-3


def test_every_change_changes_and_integers_keep_type_and_range(library: Any) -> None:
    model = tiny_models.convolutional(library)
    pixels = (100 + 20 * IMAGES).astype(np.uint8)
    change = augmented(model, "shift", "flip", "noise", "mixup")
    assert change is not None
    for kind in change.changes:
        low, high = pixels.min(), pixels.max()
        spread = Spread(std=20.0, low=low, high=high)
        one = Augmentation(changes=(kind,), spreads={"image": spread})
        inputs, _ = one({"image": tf.constant(pixels)}, None, 3)
        values = np.asarray(inputs["image"])
        assert values.dtype == np.uint8
        assert (values != pixels).any()
        assert values.min() >= low
        assert values.max() <= high


def test_time_moves_by_a_tenth_at_most(library: Any) -> None:
    model = tiny_models.recurrent(library)
    steps = np.tile(np.arange(10, dtype=np.float32)[None, :, None], (64, 1, 3))
    change = augmented(model, "time-shift", data={"x_calibration": steps})
    assert change is not None
    moved = np.asarray(change({"steps": tf.constant(steps)}, None, 1)[0]["steps"])
    assert set(np.unique(moved[:, 5, 0])) == {4.0, 5.0, 6.0}
    assert moved[:, 0].min() == 0


@pytest.mark.parametrize(
    ("build", "names", "said"),
    [
        ("dense", ["flip"], "'flip' needs an image .* input 'x' is float32 \\(8,\\): leave flip"),
        ("dense", ["time-shift"], "say time-shift:x"),
        ("convolutional", ["time-shift"], "say time-shift:image"),
        ("recurrent", ["shift"], "say shift:steps"),
        ("convolutional", ["flip:other"], "no input of the model: use one of image"),
        ("dense", ["mixup:x"], "mixes whole examples"),
    ],
)
def test_what_does_not_fit_is_refused(
    library: Any, build: str, names: list[str], said: str
) -> None:
    model = getattr(tiny_models, build)(library)
    shape = model.input_shape[1:]
    with pytest.raises(UsageError, match=said):
        augmented(model, *names, data={"x_calibration": examples(4, *shape)})


def test_what_is_said_to_fit_does(library: Any) -> None:
    model = tiny_models.convolutional(library)
    change = augmented(model, "time-shift:image")
    assert change is not None
    assert change.changes == (("time-shift", ("image",)),)


def test_ids_are_not_mixed_and_labelled_positions_not_moved(library: Any) -> None:
    layers = library.layers
    ids = library.Input((5,), dtype="int32", name="ids")
    reader = library.Model(ids, layers.Embedding(9, 2)(ids))
    with pytest.raises(UsageError, match=r"'mixup' needs numbers, not ids, .* int32 \(5,\)"):
        augmented(reader, "mixup", data={"x_calibration": np.zeros((4, 5), np.int32)})
    image = library.Input((8, 8, 1), name="image")
    segmenting = library.Model(image, layers.Conv2D(2, 3, padding="same", name="map")(image))
    maps = {"x_train": IMAGES, "y_train": examples(32, 8, 8, 2)}
    with pytest.raises(UsageError, match=r"not the labels of output 'map'.*tf\.data"):
        augmented(segmenting, "flip", data=maps)
    assert augmented(segmenting, "flip", data={"x_calibration": IMAGES}) is not None


def test_the_models_own_layers_are_not_doubled(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [library.Input((8, 8, 1), name="image"), layers.RandomFlip(), layers.Flatten(),
         layers.Dense(4, activation="softmax")]
    )  # fmt: skip
    change = augmented(model, "shift", "flip")
    assert change is not None
    assert [kind for kind, _ in change.changes] == ["shift"]
    assert change.notes == ("augment 'flip' is left to the layer of the model that does the same",)


def test_mixed_labels_are_soft_and_the_loss_stays(library: Any) -> None:
    model = tiny_models.convolutional(library)
    model.compile(loss="sparse_categorical_crossentropy")
    data = load_data(DATA).fitted_to(flavors.input_specs(model))
    batches, _ = training_batches(model, data, WHOLE, augmentation=augmented(model, "mixup"))
    labels = np.asarray(next(iter(batches))[1])
    assert labels.shape == (32, 4)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert ((labels > 0.01) & (labels < 0.99)).any()
    done = finetune(model, data, FineTune(epochs=2, batch=16, augment=("mixup", "shift")))
    assert np.isfinite(done.history["loss"]).all()
    assert not done.compiled_here
    assert loss_name(objective_of(model).goals[0].loss) == "sparsecategoricalcrossentropy"


def test_a_loss_of_ids_only_is_refused(library: Any) -> None:
    def own(labels: Any, scores: Any) -> Any:
        return tf.keras.losses.sparse_categorical_crossentropy(labels, scores)

    model = tiny_models.convolutional(library)
    model.compile(loss=own)
    with pytest.raises(UsageError, match=r"'own' of output .* is not known to take mixed"):
        augmented(model, "mixup")


def test_a_recipe_says_it_and_a_misfit_ends_before_any_work(library: Any) -> None:
    assert FineTune(augment="shift, flip").augment == ("shift", "flip")
    with pytest.raises(ValueError, match="'tilt' is unknown: use some of shift, flip"):
        FineTune(augment=["tilt"])
    model = tiny_models.dense(library)
    vectors = {"x_train": examples(8, 8), "y_train": np.arange(8) % 3}
    with pytest.raises(UsageError, match="flip"):
        prune(model, Prune(sparsity=0.5), vectors, FineTune(augment=("flip",)))


@pytest.mark.slow
def test_a_teacher_answers_live_without_labels(library: Any) -> None:
    teacher, student = (tiny_models.convolutional(library) for _ in range(2))
    student.set_weights([-one for one in student.get_weights()])
    how = FineTune(epochs=15, batch=16, learning_rate=0.02, augment=("mixup", "noise"))
    _, record = distill(student, Distill(), {"x_calibration": IMAGES}, teacher, how)
    assert not record.cache.used
    assert "augmented" in record.cache.reason
    assert record.distance_after < record.distance_before / 2
    with pytest.raises(UsageError, match="cache is True, but examples are augmented"):
        distill(student, Distill(cache=True), {"x_calibration": IMAGES}, teacher, how)
