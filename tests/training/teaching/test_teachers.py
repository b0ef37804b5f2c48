"""Teachers of every form answer alike: both Kerases, SavedModel, functions, .tflite files."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.training.config import Distill
from tflite_squeeze.training.teaching.distiller import Distiller
from tflite_squeeze.training.teaching.teachers import teachers_of
from tflite_squeeze.training.teaching.tflite_teacher import TfliteRunner

pytestmark = [pytest.mark.xdist_group("teachers"), pytest.mark.slow]

X = examples(21, 8)


@pytest.fixture(scope="module")
def teacher() -> Any:
    return tiny_models.dense(keras)


@pytest.fixture(scope="module")
def forms(teacher: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("forms")
    teacher.save(folder / "net.keras")
    teacher.export(folder / "saved", verbose=False)
    call = tf.function(teacher, input_signature=[tf.TensorSpec([None, 8], tf.float32, name="x")])
    calibration = {"x": examples(64, 8)}
    return {
        "file": folder / "net.keras",
        "saved_model": folder / "saved",
        "function": call.get_concrete_function(),
        "tflite": convert(teacher, verification=None).tflite,
        "open": convert(teacher, Convert(batch="dynamic"), verification=None).tflite,
        "int8": convert(
            teacher, Convert(quantize="int8", io_dtype="int8"), calibration, verification=None
        ).tflite,
    }


@pytest.mark.parametrize("form", ["file", "saved_model", "function", "tflite", "open", "int8"])
def test_they_answer_alike(teacher: Any, forms: dict[str, Any], form: str) -> None:
    (found,) = teachers_of(forms[form], tiny_models.dense(keras))
    (answer,) = found.answer([tf.constant(X)])
    tolerance = 0.05 if form == "int8" else 1e-5
    np.testing.assert_allclose(answer, teacher(X), atol=tolerance)
    assert found.kinds == ("softmax",)
    # An int8 softmax knows steps of 1/256: smaller probabilities are half a step.
    assert found.smallest == ((1 / 512,) if form == "int8" else (1e-30,))
    assert len(found.sha256) == 64


@pytest.mark.parametrize("form", ["saved_model", "int8"])
def test_they_teach(library: Any, teacher: Any, forms: dict[str, Any], form: str) -> None:
    student = tiny_models.dense(library)
    student.set_weights([0.3 * weight for weight in student.get_weights()])
    distiller = Distiller(student, forms[form])
    distiller.compile(library.optimizers.Adam(0.02))
    losses = distiller.fit(X, epochs=12, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


def test_xla_cannot_call_a_file(library: Any, forms: dict[str, Any]) -> None:
    distiller = Distiller(tiny_models.dense(library), forms["tflite"])
    with pytest.raises(UsageError, match=r"XLA cannot call a \.tflite teacher"):
        distiller.compile("sgd", jit_compile=True)


def test_an_ensemble_of_forms(forms: dict[str, Any], teacher: Any) -> None:
    many = [forms["tflite"], forms["saved_model"], teacher]
    distiller = Distiller(tiny_models.dense(keras), many)
    distiller.compile("sgd", jit_compile=False)
    # All are the student's equals.
    assert distiller.evaluate(X, verbose=0, return_dict=True)["loss"] == pytest.approx(0, abs=1e-5)


def test_a_file_runs_batches_of_any_size(forms: dict[str, Any], teacher: Any) -> None:
    for form in ("tflite", "open"):
        runner = TfliteRunner(forms[form], form)
        for count in (1, 7, 3, 21):
            (found,) = runner.run(X[:count])
            np.testing.assert_allclose(found, np.asarray(teacher(X[:count])), atol=1e-5)


def test_logits_of_a_file_are_told_by_their_values(forms: dict[str, Any]) -> None:
    logits = keras.Sequential([keras.Input((8,), name="x"), keras.layers.Dense(3)])
    (found,) = teachers_of(convert(logits, verification=None).tflite, tiny_models.dense(keras))
    assert found.kinds == ("logits",)


def test_inputs_are_matched_by_name(library: Any) -> None:
    a, b = library.Input((4,), name="b"), library.Input((4,), name="a")  # the other way round
    other = library.Model({"b": a, "a": b}, library.layers.Subtract()([a, b]))
    x, y = (tf.constant(examples(5, 4, seed=s)) for s in (0, 1))
    (found,) = teachers_of(other, tiny_models.keyed(library), "values")
    np.testing.assert_allclose(found.answer([x, y])[0], y - x)  # the student's order is a, b
    c, d = library.Input((4,), name="c"), library.Input((4,), name="d")
    stranger = library.Model([c, d], library.layers.Subtract()([c, d]))
    with pytest.raises(InputError, match="give them the same names"):
        teachers_of(stranger, tiny_models.keyed(library))


def test_what_is_no_teacher(forms: dict[str, Any]) -> None:
    student = tiny_models.dense(keras)
    broken = bytearray(forms["tflite"])
    broken[200:] = b"\0" * (len(broken) - 200)
    with pytest.raises(InputError, match="cannot be loaded by LiteRT"):
        teachers_of(bytes(broken), student)
    with pytest.raises(InputError, match="does not exist"):
        teachers_of("nowhere.keras", student)
    functions = {"first": forms["function"], "second": forms["function"]}
    with pytest.raises(UsageError, match="none is called serving_default"):
        teachers_of(functions, student)


def test_flavours_do_not_matter() -> None:
    for library in LIBRARIES.values():
        for other in LIBRARIES.values():
            distiller = Distiller(tiny_models.dense(library), tiny_models.dense(other), Distill())
            assert isinstance(distiller, library.Model)
