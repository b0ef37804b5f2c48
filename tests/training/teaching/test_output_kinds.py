"""Probabilities and logits told apart: by the graph, by the answers, or not at all."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze.errors import UsageError
from tflite_squeeze.training.config import Distill
from tflite_squeeze.training.teaching.distiller import Distiller
from tflite_squeeze.training.teaching.output_kinds import as_logits, kind_by_values, kinds_by_graph


def ending(library: Any, *layers: Any) -> Any:
    return library.Sequential([library.Input((8,), name="x"), *layers])


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (lambda k: [k.Dense(3, activation="softmax")], "softmax"),
        (lambda k: [k.Dense(3)], "logits"),
        (lambda k: [k.Dense(3, activation="sigmoid")], "sigmoid"),
        (lambda k: [k.Dense(3), k.Softmax()], "softmax"),
        (lambda k: [k.Dense(3), k.Activation("softmax")], "softmax"),
        (lambda k: [k.Dense(3), k.Activation("linear"), k.Dropout(0.5)], "logits"),
        (lambda k: [k.Dense(6, activation="softmax"), k.Reshape((2, 3)), k.Flatten()], "softmax"),
        (lambda k: [k.Dense(3, activation="relu")], None),
        (lambda k: [k.Dense(3), k.LayerNormalization()], None),
        (lambda k: [k.Dense(1)], None),
    ],
)
def test_by_the_last_layer(library: Any, build: Any, kind: str | None) -> None:
    assert kinds_by_graph(ending(library, *build(library.layers))) == [kind]


def test_the_loss_tells_what_the_layer_does_not(library: Any) -> None:
    for loss, kind in (
        (library.losses.BinaryCrossentropy(from_logits=True), "sigmoid-logits"),
        (library.losses.SparseCategoricalCrossentropy(from_logits=True), "logits"),
        ("mse", "values"),
    ):
        model = ending(library, library.layers.Dense(1 if kind == "values" else 3))
        model.compile("sgd", loss)
        assert kinds_by_graph(model) == [kind]


def test_through_nested_models(library: Any) -> None:
    inner = ending(library, library.layers.Dense(3, activation="softmax"))
    x = library.Input((8,))
    assert kinds_by_graph(library.Model(x, inner(x))) == ["softmax"]
    assert kinds_by_graph(tiny_models.subclassed(library)) == [None]


def test_by_answers() -> None:
    p = tf.nn.softmax(examples(16, 5)).numpy()
    assert kind_by_values(p) == "softmax"
    assert kind_by_values(np.log(p)) == "logits"
    assert kind_by_values(1 / (1 + np.exp(-examples(16, 5)))) is None  # sigmoids, or anything
    assert kind_by_values(p[:, :1]) is None
    # Quantized probabilities add up to 1 but for half a step each.
    rounded = np.round(p * 256) / 256
    assert kind_by_values(rounded, 1 / 256) == "softmax"


def test_logits_and_back() -> None:
    z = tf.constant(examples(6, 4))
    back = tf.nn.softmax(as_logits(tf.nn.softmax(z), "softmax"))
    np.testing.assert_allclose(back, tf.nn.softmax(z), rtol=1e-5)
    no_yes = tf.nn.softmax(as_logits(tf.sigmoid(z), "sigmoid"))
    np.testing.assert_allclose(no_yes[..., 1], tf.sigmoid(z), rtol=1e-5)
    np.testing.assert_allclose(
        tf.nn.softmax(as_logits(z, "sigmoid-logits"))[..., 1], tf.sigmoid(z), rtol=1e-5
    )
    certain = as_logits(tf.constant([[1.0, 0.0]]), "softmax", smallest=1 / 512)
    np.testing.assert_allclose(certain, [[0.0, np.log(1 / 512)]], atol=1e-6)


class Answering:
    """Builds subclassed models, whose graph nobody can look into."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def __call__(self, activation: Any, units: int = 3) -> Any:
        library = self.library

        class Network(library.Model):  # type: ignore[misc,name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.inner = library.layers.Dense(units)

            def call(self, inputs: Any) -> Any:
                return activation(self.inner(inputs))

        library.utils.set_random_seed(2)
        model = Network()
        model(np.zeros((2, 8), np.float32))
        return model


def test_a_softmax_and_its_logits_teach_the_same(library: Any) -> None:
    """The same network, with its softmax and without, seen through its graph and not."""
    build = Answering(library)
    teachers = {
        "softmax": build(tf.nn.softmax),
        "logits": build(lambda z: 5 * z),  # logits do not lie in [0, 1]
    }
    teachers["softmax"].inner.set_weights([5 * w for w in teachers["logits"].inner.get_weights()])
    x = examples(32, 8)
    found = {}
    for name, teacher in teachers.items():
        distiller = Distiller(tiny_models.dense(library), teacher, Distill(temperature=3.0))
        distiller.compile("sgd", jit_compile=False)
        found[name] = distiller.evaluate(x, batch_size=32, verbose=0, return_dict=True)["loss"]
    assert found["softmax"] == pytest.approx(found["logits"], rel=1e-3)
    # What a silent guess would have cost: probabilities taken for logits are another lesson.
    wrong = Distill(temperature=3.0, teacher_outputs="logits")
    distiller = Distiller(tiny_models.dense(library), teachers["softmax"], wrong)
    distiller.compile("sgd", jit_compile=False)
    loss = distiller.evaluate(x, batch_size=32, verbose=0, return_dict=True)["loss"]
    assert abs(loss - found["softmax"]) > 0.1


def test_what_cannot_be_told_is_asked_for(library: Any) -> None:
    build = Answering(library)
    student = ending(library, library.layers.Dense(3, activation="sigmoid"))
    with pytest.raises(UsageError, match="pass teacher_outputs='softmax', 'logits', 'sigmoid'"):
        Distiller(student, build(tf.sigmoid))
    told = Distill(teacher_outputs="sigmoid")
    assert Distiller(student, build(tf.sigmoid), told).student is student
    with pytest.raises(UsageError, match="outputs 'softmax', the student 'sigmoid'"):
        Distiller(student, build(tf.nn.softmax))
    with pytest.raises(UsageError, match="'dist' does not compare the probabilities of single"):
        Distiller(student, build(tf.sigmoid), told.model_copy(update={"distance": "dist"}))
