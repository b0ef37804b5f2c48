"""Graphs with chains in them: branches, shared and nested layers, layers of one's own."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.flavors import walk_layers
from tflite_squeeze.network.rewriting import (
    LayerSpec,
    copy_of,
    graph_layers,
    rewritten,
)


def _identity_before(layer: Any) -> tuple[LayerSpec, ...]:
    """A Dense without effect, then the layer: the outputs must not change."""
    width = int(layer.kernel.shape[0])
    first = {"name": f"{layer.name}_factor_1", "units": width, "use_bias": False}
    return (
        LayerSpec(kind="Dense", config=first, weights=(np.eye(width),)),
        LayerSpec(kind="Dense", config=layer.get_config(), weights=tuple(layer.get_weights())),
    )


def _all_dense(model: Any) -> dict[int, tuple[LayerSpec, ...]]:
    layers, _ = graph_layers(model)
    return {
        id(layer): _identity_before(layer) for layer in layers if type(layer).__name__ == "Dense"
    }


def _outputs(library: Any, model: Any) -> list[np.ndarray]:
    inputs = [
        tiny_models.examples(3, *tensor.shape[1:], seed=seed)
        for seed, tensor in enumerate(model.inputs)
    ]
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [np.asarray(one) for one in (outputs if isinstance(outputs, list) else [outputs])]


@pytest.mark.parametrize("build", ["dense", "convolutional", "two_ended", "nested", "shared"])
def test_outputs_stay(library: Any, build: str) -> None:
    model = getattr(tiny_models, build)(library)
    model.compile(loss="mse")
    replacements = _all_dense(model)
    made = rewritten(model, replacements)
    for before, after in zip(_outputs(library, model), _outputs(library, made), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-6)
    assert made.loss == "mse"
    assert len(made.get_weights()) == len(model.get_weights()) + len(replacements)
    assert [out.shape for out in made.outputs] == [out.shape for out in model.outputs]
    # The model that was given has its own weights still.
    made.set_weights([0 * weight for weight in made.get_weights()])
    assert any(np.any(weight) for weight in model.get_weights())


def test_branches_that_join_again_and_a_nested_model_called_twice(library: Any) -> None:
    layers = library.layers
    block = library.Sequential(
        [library.Input((4,)), layers.Dense(4, activation="relu", name="deep")], name="block"
    )
    x = library.Input((4,), name="x")
    left = block(layers.Dense(4, name="left")(x))
    joined = layers.Add(name="add")([block(x), left, x])
    model = library.Model(x, layers.Dense(2, name="out")(joined), name="branches")
    made = rewritten(model, _all_dense(model))
    np.testing.assert_allclose(_outputs(library, made)[0], _outputs(library, model)[0], atol=1e-6)
    assert [layer.name for layer in made.get_layer("block").layers][-2:] == [
        "deep_factor_1",
        "deep",
    ]


def test_a_layer_called_on_its_own_output(library: Any) -> None:
    layer, x = library.layers.Dense(4, name="again"), library.Input((4,), name="x")
    model = library.Model(x, layer(layer(layer(x))))
    made = rewritten(model, _all_dense(model))
    np.testing.assert_allclose(_outputs(library, made)[0], _outputs(library, model)[0], atol=1e-5)
    assert len(made.get_weights()) == 3


def test_layers_that_keras_does_not_know_come_along(library: Any) -> None:
    class Doubling(library.layers.Layer):  # type: ignore[misc,name-defined]
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    x = library.Input((4,), name="x")
    model = library.Model(x, Doubling(name="twice")(library.layers.Dense(3, name="d")(x)))
    made = rewritten(model, _all_dense(model))
    np.testing.assert_allclose(_outputs(library, made)[0], _outputs(library, model)[0], atol=1e-6)


def test_lambdas_of_a_model_in_memory_keep_their_function(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [library.Input((4,)), layers.Dense(3, name="d"), layers.Lambda(lambda x: 2 * x)]
    )
    made = rewritten(model, _all_dense(model))
    np.testing.assert_allclose(_outputs(library, made)[0], _outputs(library, model)[0], atol=1e-6)


def test_lambdas_that_refer_to_what_is_outside_are_kept_too(library: Any) -> None:
    # No configuration holds such a function, so that Keras itself could not make it again.
    model = tiny_models.odd(library, operation="sin")
    made = rewritten(model, _all_dense(model))
    np.testing.assert_allclose(_outputs(library, made)[0], _outputs(library, model)[0], atol=1e-6)


def test_what_cannot_be_replaced_is_named(library: Any) -> None:
    layers = library.layers
    x = library.Input((5, 4), name="x")
    inner = layers.Dense(3, name="inner")
    y = layers.TimeDistributed(inner, name="each")(x)
    model = library.Model(x, layers.LSTM(2, name="lstm")(y))
    found, reasons = graph_layers(model)
    assert inner not in found
    assert "inside 'each' (TimeDistributed)" in reasons[id(inner)]


def test_subclassed_models_are_refused(library: Any) -> None:
    with pytest.raises(UsageError, match="is subclassed"):
        graph_layers(tiny_models.subclassed(library))


def test_a_name_that_is_taken_is_refused(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [library.Input((4,)), layers.Dense(4, name="a_factor_1"), layers.Dense(4, name="a")]
    )
    with pytest.raises(UsageError, match="named 'a_factor_1' already"):
        rewritten(model, {id(model.layers[1]): _identity_before(model.layers[1])})


def test_what_a_copy_keeps(library: Any) -> None:
    layers = library.layers
    inner = library.Sequential(
        [library.Input((4,)), layers.Dense(4, name="deep"), layers.BatchNormalization(name="bn")],
        name="inner",
    )
    inner.get_layer("deep").trainable = False
    x = library.Input((4,), name="x")
    y = layers.Dense(3, name="y", dtype="mixed_float16")(layers.Dropout(0.5)(inner(x)))
    model = library.Model(x, y, name="kept")
    model.compile("adam", "mse", loss_weights=[2.0], metrics=["mae"])
    made = copy_of(model)
    assert made.name == "kept"
    assert [layer.name for layer in made.layers] == [layer.name for layer in model.layers]
    assert type(made.get_layer("inner")) is type(inner)
    flags = [[one.trainable for one in walk_layers(each)] for each in (model, made)]
    assert flags[0] == flags[1]
    assert not made.get_layer("inner").get_layer("deep").trainable
    assert made.get_layer("y").compute_dtype == "float16"
    assert (made.loss, type(made.optimizer)) == ("mse", type(model.optimizer))
    assert made.optimizer is not model.optimizer
    settings = [each._compile_config.config for each in (model, made)]
    assert settings[0]["loss_weights"] == settings[1]["loss_weights"] == [2.0]
    assert settings[1]["metrics"] == ["mae"]


def test_a_copy_draws_the_same_random_numbers() -> None:
    library = tiny_models.LIBRARIES["keras"]
    model = library.Sequential([library.Input((64,)), library.layers.Dropout(0.5)])
    x = np.ones((1, 64), np.float32)
    model(x, training=True)
    made = copy_of(model)
    np.testing.assert_array_equal(model(x, training=True), made(x, training=True))


def test_keyed_inputs_and_outputs_stay_keyed(library: Any) -> None:
    model = tiny_models.keyed(library)
    made = copy_of(model)
    data = {"a": np.ones((2, 4), np.float32), "b": np.zeros((2, 4), np.float32)}
    assert set(made(data)) == {"difference"}
    np.testing.assert_allclose(made(data)["difference"], np.ones((2, 4)))


def test_a_layer_in_two_models_stays_one(library: Any) -> None:
    layers = library.layers
    both = layers.Dense(4, name="both")
    inner = library.Sequential([library.Input((4,)), both], name="inner")
    x = library.Input((4,), name="x")
    model = library.Model(x, layers.Add()([both(x), inner(x)]))
    made = rewritten(model, _all_dense(model))
    assert made.get_layer("both") is made.get_layer("inner").get_layer("both")
    np.testing.assert_allclose(_outputs(library, made)[0], _outputs(library, model)[0], atol=1e-6)


def test_losses_of_tensors_stay() -> None:
    library = tiny_models.LIBRARIES["tf_keras"]
    x = library.Input((4,), name="x")
    hidden = library.layers.Dense(3, name="hidden")(x)
    model = library.Model(x, library.layers.Dense(2)(hidden))
    model.add_loss(tf.reduce_mean(hidden**2))
    made, data = copy_of(model), tiny_models.examples(3, 4)
    model(data)
    made(data)
    np.testing.assert_allclose(made.losses[0], model.losses[0])
    assert len(made.losses) == 1


def test_a_class_of_models_of_ones_own_stays(library: Any) -> None:
    class Doubled(library.Model):  # type: ignore[misc,name-defined]
        def predict_step(self, data: Any) -> Any:
            return 2 * super().predict_step(data)

    x = library.Input((4,), name="x")
    model = Doubled(x, library.layers.Dense(2)(x))
    assert type(copy_of(model)) is Doubled


def test_a_layer_without_a_configuration_is_named(library: Any) -> None:
    class Odd(library.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, factor: Any) -> None:
            super().__init__(name="odd")
            self.factor = factor

        def call(self, inputs: Any) -> Any:
            return inputs * 2

    x = library.Input((4,), name="x")
    with pytest.raises(UsageError, match=r"cannot be copied \(layer 'odd' \(Odd\).*get_config"):
        copy_of(library.Model(x, Odd(object())(x)))


def test_functions_of_ones_own_stay_themselves(library: Any) -> None:
    layers, factor = library.layers, 0.25

    def relu(x: Any) -> Any:  # named as one of Keras's own
        return factor * tf.nn.relu(x)

    x = library.Input((5, 4), name="x")
    y = layers.Dense(3, activation=lambda x: factor * tf.nn.tanh(x))(x)
    y = layers.TimeDistributed(layers.Dense(3, activation=relu))(layers.Dense(3, "relu")(y))
    model = library.Model(x, layers.LSTM(2, activation=relu)(y))
    data = tiny_models.examples(3, 5, 4)
    np.testing.assert_allclose(copy_of(model)(data), model(data), atol=1e-6)
