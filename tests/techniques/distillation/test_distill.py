"""The verb `distill`: labels or none, the cache of answers, augmentation, and its record."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.errors import InputError, OutputError, UsageError
from tflite_squeeze.network.flavors import input_specs
from tflite_squeeze.techniques.distillation.distill import distill
from tflite_squeeze.techniques.distillation.record import DistillRecord
from tflite_squeeze.training.config import Distill, FineTune, Hint
from tflite_squeeze.training.teaching.teacher_answers import known_answers
from tflite_squeeze.training.teaching.teachers import teachers_of

pytestmark = pytest.mark.slow

X = examples(160, 8)
Y = np.argmax(X[:, :3], axis=1)
LABELLED = {"x_train": X[:96], "y_train": Y[:96], "x_test": X[96:], "y_test": Y[96:]}
TRAINING = FineTune(epochs=20, batch=16, learning_rate=0.02)
SHORT = FineTune(epochs=2, batch=32)


@pytest.fixture(scope="module")
def teacher() -> Any:
    library = LIBRARIES["tf_keras"]
    model = tiny_models.dense(library)
    model.compile(library.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
    model.fit(X, Y, epochs=30, batch_size=32, verbose=0)
    return model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tflite_squeeze" / "teachers"


def test_with_labels(library: Any, teacher: Any, folder: Path) -> None:
    student = tiny_models.dense(library)
    before = student.get_weights()
    model, record = distill(student, Distill(), LABELLED, teacher, TRAINING)
    for old, new in zip(before, student.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert type(model) is type(student)
    assert record.labelled
    assert record.reached
    assert record.metric == "accuracy"
    assert record.after == pytest.approx(np.mean(np.argmax(model(X[96:]), 1) == Y[96:]))
    assert record.teacher_quality == pytest.approx(np.mean(np.argmax(teacher(X[96:]), 1) == Y[96:]))
    assert record.agreement_after > max(record.agreement_before, 0.9)
    assert record.distance_after < record.distance_before / 4
    assert {"accuracy", "distillation", "loss"} <= set(record.history)
    assert (record.teachers[0].form, record.teachers[0].outputs) == ("tf_keras", ("softmax",))
    assert record.student_outputs == ("softmax",)
    assert DistillRecord.model_validate_json(record.model_dump_json()) == record


def test_without_labels_and_into_a_file(library: Any, teacher: Any, folder: Path) -> None:
    model, record = distill(tiny_models.dense(library), Distill(), X, teacher, TRAINING)
    assert not record.labelled
    assert record.reached
    assert (record.before, record.after, record.teacher_quality) == (None, None, None)
    assert record.agreement_after > 0.9
    converted = convert(model, data=X)
    assert converted.record.passed


def test_labels_can_be_left_aside(teacher: Any, folder: Path) -> None:
    wrong = {**LABELLED, "y_train": np.zeros(96, np.int64)}
    config = Distill(label_weight=0.0)
    _, record = distill(tiny_models.dense(keras), config, wrong, teacher, TRAINING)
    assert not record.labelled
    assert record.after > 0.85


def test_answers_are_kept_and_found_again(teacher: Any, folder: Path) -> None:
    student = tiny_models.dense(keras)
    _, first = distill(student, Distill(), LABELLED, teacher, SHORT)
    assert (first.cache.used, first.cache.reason) == (True, "computed once")
    (file,) = folder.iterdir()
    np.testing.assert_allclose(np.load(file), teacher(X[:96]), atol=1e-6)
    assert first.cache.size_bytes == 96 * 3 * 4
    _, again = distill(student, Distill(), LABELLED, teacher, SHORT)
    assert again.cache.reason == "read from disk"
    # The same numbers as with a teacher that answers in each step.
    _, live = distill(student, Distill(cache=False), LABELLED, teacher, SHORT)
    assert (live.cache.used, live.cache.reason) == (False, "not wanted")
    for record in (again, live):
        np.testing.assert_allclose(record.history["loss"], first.history["loss"], rtol=1e-4)


def test_answers_are_told_apart_by_model_and_data(teacher: Any, folder: Path) -> None:
    student, other = tiny_models.dense(keras), tiny_models.dense(keras)
    few = X[:32]
    for data, by in ((few, teacher), (few[:-1], teacher), (few, other), (few[::-1], teacher)):
        samples = load_data(data.copy()).fitted_to(input_specs(student))
        teachers = teachers_of(by, student)
        answers, _ = known_answers(student, teachers, Distill(), samples, 2, folder)
        assert answers.record.reason == "computed once"
    assert len(list(folder.iterdir())) == 4
    _, both = distill(student, Distill(), few, [teacher, other], SHORT)
    assert both.cache.reason == "read from disk"


def test_a_damaged_file_is_written_anew(teacher: Any, folder: Path) -> None:
    student = tiny_models.dense(keras)
    distill(student, Distill(), X, teacher, SHORT)
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert distill(student, Distill(), X, teacher, SHORT)[1].cache.reason == "computed once"
    assert [path.name for path in folder.iterdir()] == [file.name]
    assert len(np.load(file)) == 160


def random_examples() -> Any:
    """Data that is augmented where nobody is told of it."""
    generator = np.random.default_rng(0)
    noisy = tf.data.Dataset.from_generator(
        lambda: iter(X + generator.normal(size=X.shape)),
        output_signature=tf.TensorSpec((8,), tf.float32),
    )
    return {"train": noisy.apply(tf.data.experimental.assert_cardinality(160))}


def test_data_that_changes_is_noticed(teacher: Any, folder: Path) -> None:
    student = tiny_models.dense(keras)
    _, record = distill(student, Distill(), random_examples(), teacher, SHORT)
    assert not record.cache.used
    assert record.cache.reason.startswith("two passes over the data differ: it is augmented")
    assert list(folder.iterdir()) == []
    with pytest.raises(UsageError, match="cache is True, but two passes over the data differ"):
        distill(student, Distill(cache=True), random_examples(), teacher, SHORT)


def test_with_augmentation_the_teacher_answers_in_each_step(
    library: Any, teacher: Any, folder: Path
) -> None:
    seen = []

    def doubled(inputs: Any) -> Any:
        seen.append(inputs)
        return 2 * inputs

    student = tiny_models.dense(library)
    _, record = distill(student, Distill(), X, teacher, SHORT, augment=doubled)
    assert seen
    assert not record.cache.used
    assert "augmented" in record.cache.reason
    # Both see the changed examples: as if they had been given.
    _, given = distill(student, Distill(cache=False), 2 * X, teacher, SHORT)
    np.testing.assert_allclose(record.history["loss"], given.history["loss"], rtol=1e-4)
    with pytest.raises(UsageError, match="cache is True, but examples are augmented"):
        distill(student, Distill(cache=True), X, teacher, SHORT, augment=doubled)


def test_hints_and_single_epochs_need_no_cache(teacher: Any, folder: Path) -> None:
    hints = (Hint(student="hidden", teacher="hidden"),)
    _, record = distill(tiny_models.dense(keras), Distill(hints=hints), X, teacher, SHORT)
    assert "hidden layers" in record.cache.reason
    once = FineTune(epochs=1, batch=32)
    _, record = distill(tiny_models.dense(keras), Distill(), X, teacher, once)
    assert record.cache.reason == "each example is used only once"
    assert not folder.exists()


def test_a_file_teaches_with_xla_through_its_cache(teacher: Any, folder: Path) -> None:
    tflite = convert(teacher, verification=None).tflite
    jit = SHORT.model_copy(update={"jit": True})
    _, record = distill(tiny_models.dense(keras), Distill(), X, tflite, jit)
    assert record.teachers[0].form == "tflite"
    with pytest.raises(UsageError, match="XLA cannot call"):
        distill(tiny_models.dense(keras), Distill(cache=False), X, tflite, jit)


def test_in_place(teacher: Any, folder: Path) -> None:
    student = tiny_models.dense(keras)
    model, _ = distill(student, Distill(), X, teacher, SHORT, in_place=True)
    assert model is student


def test_refusals(teacher: Any, folder: Path, tmp_path: Path) -> None:
    student = tiny_models.dense(keras)
    with pytest.raises(InputError, match="student takes"):
        distill(tiny_models.convolutional(keras), Distill(), examples(4, 8, 8, 1), teacher)
    with pytest.raises(UsageError, match="leave teacher out of FineTune"):
        distill(student, Distill(), X, teacher, FineTune(teacher="original"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="pass another cache_dir, or cache=False"):
        distill(student, Distill(cache_dir=str(tmp_path / "file")), X, teacher, SHORT)


def test_it_is_not_reached_where_nothing_was_gained(teacher: Any, folder: Path) -> None:
    perfect = tiny_models.dense(LIBRARIES["tf_keras"])
    perfect.set_weights(teacher.get_weights())
    ruin = FineTune(epochs=3, batch=8, learning_rate=5.0, optimizer="sgd")
    _, record = distill(perfect, Distill(), X, teacher, ruin)
    assert record.distance_before == pytest.approx(0, abs=1e-4)
    assert not record.reached


def test_statistics_and_notes_of_augmentation(library: Any, teacher: Any, folder: Path) -> None:
    layers = library.layers
    student = library.Sequential(
        [library.Input((8,), name="x"), layers.GaussianNoise(0.1), layers.Dense(8),
         layers.BatchNormalization(), layers.Dense(3, activation="softmax")]
    )  # fmt: skip
    how = FineTune(epochs=1, batch=32, augment=("noise",))
    _, record = distill(student, Distill(), LABELLED, teacher, how)
    told = "\n".join(record.notes)
    assert "augment 'noise' is left to the layer of the model" in told
    assert "statistics of 1 normalisation layer estimated again on 96 samples" in told
    _, plain = distill(student, Distill(), LABELLED, teacher, FineTune(epochs=1, reestimate=False))
    assert "statistics" not in "\n".join(plain.notes)
    with pytest.raises(UsageError, match="flip"):
        distill(student, Distill(), LABELLED, teacher, FineTune(augment=("flip",)))
