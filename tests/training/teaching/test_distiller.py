"""The Distiller as a Keras model: both flavours, labels or none, callbacks, saving."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.projections import MaskProjection, attach
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.schedules import Constant
from tflite_squeeze.training.config import Distill, Hint
from tflite_squeeze.training.teaching import losses as distill_losses
from tflite_squeeze.training.teaching.distiller import Distiller

X = examples(96, 8)
Y = np.argmax(X[:, :3], axis=1)
LOSS = "sparse_categorical_crossentropy"


@pytest.fixture(scope="module")
def teachers() -> dict[str, Any]:
    """A network of each flavour that has learnt what `Y` is."""
    trained = {}
    for name, library in LIBRARIES.items():
        model = tiny_models.dense(library)
        model.compile(library.optimizers.Adam(0.03), LOSS, jit_compile=False)
        model.fit(X, Y, epochs=25, batch_size=32, verbose=0)
        trained[name] = model
    return trained


@pytest.fixture
def teacher(library: Any, teachers: dict[str, Any]) -> Any:
    return teachers[library.__name__]


def agreement(a: Any, b: Any) -> float:
    return float(np.mean(np.argmax(np.asarray(a(X)), 1) == np.argmax(np.asarray(b(X)), 1)))


def taught(library: Any, teacher: Any, config: Distill | None = None, **fit: Any) -> Any:
    """A student after a training without labels."""
    distiller = Distiller(tiny_models.dense(library), teacher, config)
    distiller.compile(library.optimizers.Adam(0.03), jit_compile=False)
    distiller.fit(X, epochs=25, batch_size=32, verbose=0, **fit)
    return distiller


@pytest.mark.slow
@pytest.mark.parametrize("other", LIBRARIES)
def test_it_learns_without_labels_from_a_teacher_of_either_flavour(
    library: Any, teachers: dict[str, Any], other: str
) -> None:
    teacher = teachers[other]
    weights = [np.array(weight) for weight in teacher.get_weights()]
    untrained = tiny_models.dense(library)
    assert agreement(untrained, teacher) < 0.7
    distiller = taught(library, teacher)
    assert isinstance(distiller, library.Model)
    assert agreement(distiller.student, teacher) > 0.95
    for before, after in zip(weights, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    # What is trained is the student, nothing of the teacher.
    assert len(distiller.trainable_weights) == len(untrained.trainable_weights)


@pytest.mark.slow
def test_labels_metrics_and_validation(library: Any, teacher: Any) -> None:
    distiller = Distiller(tiny_models.dense(library), teacher)
    distiller.compile(
        library.optimizers.Adam(0.03), LOSS, metrics=["accuracy"], jit_compile=library is keras
    )
    history = distiller.fit(
        X, Y, epochs=20, batch_size=32, verbose=0, validation_data=(X, Y)
    ).history
    assert set(history) == {
        f"{part}{name}" for part in ("", "val_") for name in ("loss", "accuracy", "distillation")
    }
    assert history["val_accuracy"][-1] > 0.9
    assert history["distillation"][-1] < history["distillation"][0] / 4
    assert distiller.predict(X, verbose=0).shape == (96, 3)


def test_the_objective_is_the_weighted_sum(library: Any, teacher: Any) -> None:
    student = tiny_models.dense(library)
    config = Distill(temperature=2.0, lam=0.5, label_weight=0.25)
    distiller = Distiller(student, teacher, config)
    distiller.compile("sgd", LOSS, jit_compile=False)
    found = distiller.evaluate(X, Y, batch_size=96, verbose=0, return_dict=True)
    p, q = np.asarray(teacher(X)), np.asarray(student(X))
    distance = float(tf.reduce_mean(distill_losses.kl(np.log(p), np.log(q), 2.0)))
    labels = -np.mean(np.log(q[np.arange(96), Y]))
    assert found["distillation"] == pytest.approx(distance, rel=1e-3)
    assert found["loss"] == pytest.approx(0.25 * labels + 0.5 * distance, rel=1e-3)


def test_regularisation_is_neither_lost_nor_scaled(library: Any, teacher: Any) -> None:
    def penalised(factor: float) -> float:
        library.utils.set_random_seed(7)
        layers = library.layers
        student = library.Sequential(
            [
                library.Input((8,), name="x"),
                layers.Dense(3, activation="softmax", kernel_regularizer=_L2(library, factor)),
            ]
        )
        distiller = Distiller(student, teacher, Distill(label_weight=0.5))
        distiller.compile("sgd", LOSS, jit_compile=False)
        loss = distiller.evaluate(X, Y, batch_size=96, verbose=0, return_dict=True)["loss"]
        return float(loss) - factor * float(np.sum(np.square(student.get_weights()[0])))

    assert penalised(0.5) == pytest.approx(penalised(0.0), rel=1e-4)


def _L2(library: Any, factor: float) -> Any:  # noqa: N802
    return library.regularizers.L2(factor)


def test_sample_weights_choose_whom_to_learn_from(library: Any, teacher: Any) -> None:
    distiller = Distiller(tiny_models.dense(library), teacher)
    distiller.compile("sgd", LOSS, jit_compile=False)
    weights = np.zeros(96)
    weights[:8] = 12.0  # eight examples that count as all
    some = distiller.evaluate(
        X, Y, sample_weight=weights, batch_size=96, verbose=0, return_dict=True
    )
    alone = distiller.evaluate(X[:8], Y[:8], batch_size=8, verbose=0, return_dict=True)
    assert some["distillation"] == pytest.approx(alone["distillation"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("distance", ["mse", "cosine", "dkd", "dist"])
def test_every_distance_teaches(teachers: dict[str, Any], distance: str) -> None:
    library = keras if distance in ("mse", "dkd") else tf_keras
    teacher = teachers[library.__name__]
    assert agreement(taught(library, teacher, Distill(distance=distance)).student, teacher) > 0.9


def absolute(teacher: Any, student: Any) -> Any:
    """A distance of the user's own."""
    return tf.reduce_mean(tf.abs(teacher - student), axis=-1)


@pytest.mark.parametrize("distance", [absolute, f"{__name__}:absolute"])
def test_a_function_teaches(
    teachers: dict[str, Any], distance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").ModuleType("m"))
    setattr(__import__("sys").modules[__name__], "absolute", absolute)  # noqa: B010
    config = Distill(distance=distance)
    assert agreement(taught(tf_keras, teachers["keras"], config).student, teachers["keras"]) > 0.9


@pytest.mark.slow
def test_pruning_inside_its_fit_prunes_the_student(library: Any, teacher: Any) -> None:
    hints = (Hint(student="hidden", teacher="hidden"),)
    callback = PruningCallback(Prune(sparsity=0.5, budget="uniform", schedule=Constant()))
    distiller = taught(library, teacher, Distill(hints=hints), callbacks=[callback])
    zeros = [float(np.mean(weight == 0)) for weight in distiller.student.get_weights()]
    assert zeros == [0.5, 0.0, 0.5, 0.0]
    # The projection of a hint is no weight of the student.
    projection = np.asarray(distiller.trainable_weights[-1])
    projections = [w for w in distiller.trainable_weights if tuple(w.shape) == (16, 16)]
    assert len(projections) == 1, projection.shape
    assert np.all(np.asarray(projections[0]) != 0)


def test_a_projection_set_on_the_student_holds(library: Any, teacher: Any) -> None:
    student = tiny_models.dense(library)
    kernel = student.layers[-2].kernel
    kernel.assign(np.where(np.arange(128).reshape(8, 16) % 2, np.asarray(kernel), 0))
    attach([(kernel, MaskProjection(kernel))])
    before = np.asarray(kernel).copy()
    distiller = Distiller(student, teacher)
    distiller.compile(library.optimizers.Adam(0.03), jit_compile=False)
    distiller.fit(X, epochs=2, batch_size=32, verbose=0)
    after = np.asarray(kernel)
    np.testing.assert_array_equal(after == 0, before == 0)
    assert not np.array_equal(after, before)


def test_early_stopping_reaches_the_training(library: Any, teacher: Any) -> None:
    stopping = library.callbacks.EarlyStopping("loss", min_delta=1e9, patience=1)
    distiller = Distiller(tiny_models.dense(library), teacher)
    distiller.compile("sgd", jit_compile=False)
    history = distiller.fit(X, epochs=9, verbose=0, callbacks=[stopping]).history
    assert len(history["loss"]) == 2


@pytest.mark.slow
def test_the_student_alone_is_saved(library: Any, teacher: Any, tmp_path: Any) -> None:
    path = tmp_path / "best.keras"
    checkpoint = library.callbacks.ModelCheckpoint(str(path))
    distiller = taught(library, teacher, callbacks=[checkpoint])
    loaded = library.models.load_model(path)
    assert loaded.count_params() == distiller.student.count_params()
    np.testing.assert_allclose(loaded.predict(X, verbose=0), distiller.predict(X, verbose=0), 1e-5)
    assert [type(layer).__name__ for layer in loaded.layers][-2:] == ["Dense", "Dense"]


def test_an_ensemble_is_the_geometric_mean(library: Any) -> None:
    def constant(scores: list[float]) -> Any:
        model = library.Sequential([library.Input((8,)), library.layers.Dense(3, "softmax")])
        model.set_weights([np.zeros((8, 3)), np.array(scores)])
        return model

    first, second = [3.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    student = constant([1.5, 0.5, 0.0])  # the mean of both
    distiller = Distiller(student, [constant(first), constant(second)])
    distiller.compile("sgd", jit_compile=False)
    assert distiller.evaluate(X, verbose=0, return_dict=True)["loss"] == pytest.approx(0, abs=1e-5)
    alone = Distiller(student, constant(first))
    alone.compile("sgd", jit_compile=False)
    assert alone.evaluate(X, verbose=0, return_dict=True)["loss"] > 0.1


def test_two_inputs_and_two_outputs(library: Any) -> None:
    teacher, student = tiny_models.two_ended(library), tiny_models.two_ended(library)
    student.set_weights([0.5 * weight for weight in student.get_weights()])
    inputs = [examples(32, 6), examples(32, 2, 2, 1)]
    with pytest.raises(UsageError, match="its output 1: pass teacher_outputs="):
        Distiller(student, teacher)  # one number: a value, or the logit of a probability
    kinds = ("softmax", "values")
    wanted = Distill(distance="dkd", student_outputs=kinds, teacher_outputs=kinds)
    with pytest.raises(UsageError, match="'dkd' does not compare plain numbers: use kl or mse"):
        Distiller(student, teacher, wanted)
    with pytest.raises(UsageError, match="has 2 outputs: give one for each"):
        Distiller(student, teacher, Distill(teacher_outputs=("softmax",)))
    config = Distill(distance="mse", student_outputs=kinds, teacher_outputs=kinds)
    distiller = Distiller(student, teacher, config)
    distiller.compile("sgd", jit_compile=False)
    (p, v), (q, w) = ([np.asarray(y) for y in model(inputs)] for model in (teacher, student))
    classes = np.log(p) - np.log(p).mean(1, keepdims=True)
    others = np.log(q) - np.log(q).mean(1, keepdims=True)
    expected = np.mean((classes - others) ** 2) + np.mean((v - w) ** 2)
    found = distiller.evaluate(inputs, batch_size=32, verbose=0, return_dict=True)
    assert found["distillation"] == pytest.approx(float(expected), rel=1e-3)


def test_models_that_do_not_fit(library: Any, teacher: Any) -> None:
    with pytest.raises(InputError, match=r"takes examples of shape \(8,\), but the student takes"):
        Distiller(tiny_models.convolutional(library), teacher)
    wide = library.Sequential([library.Input((8,)), library.layers.Dense(5, "softmax")])
    with pytest.raises(InputError, match=r"outputs \(3,\) per example, the student \(5,\)"):
        Distiller(wide, teacher)
    with pytest.raises(UsageError, match="list of teachers is empty"):
        Distiller(tiny_models.dense(library), [])


def test_a_teacher_of_another_shape_with_as_many_numbers(library: Any, teacher: Any) -> None:
    layers = library.layers
    student = library.Sequential(
        [library.Input((2, 4, 1)), layers.Flatten(), layers.Dense(3, "softmax")]
    )
    distiller = Distiller(student, teacher)
    distiller.compile("sgd", jit_compile=False)
    assert distiller.fit(X.reshape(-1, 2, 4, 1), verbose=0).history["loss"][0] > 0
