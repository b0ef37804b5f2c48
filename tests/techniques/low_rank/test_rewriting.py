"""Graphs with chains in them: branches, shared and nested layers, layers of one's own."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.flavors import flavor_of
from tflite_squeeze.network.rewriting import (
    LayerSpec,
    graph_layers,
    rewritten,
)
from tflite_squeeze.techniques.low_rank.splitting import standing_alone


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


def test_alone(library: Any) -> None:
    import tensorflow as tf

    model = tiny_models.dense(library)
    spec = tf.TensorSpec((1, 8), tf.float32)
    alone = standing_alone(_identity_before(model.layers[0]), spec, flavor_of(model))
    x = tiny_models.examples(3, 8)
    np.testing.assert_allclose(alone(x), model.layers[0](x), atol=1e-6)
