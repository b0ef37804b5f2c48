"""Models of both versions of Keras, rebuilt in tf_keras."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.crossing import compile_across, copy_weights, rebuilt
from tflite_squeeze.network.graph import graph_of


def answers(model: Any, *inputs: np.ndarray) -> list[np.ndarray]:
    given = inputs[0] if len(inputs) == 1 else list(inputs)
    found = model(given)
    return [np.asarray(one) for one in (found if isinstance(found, list | tuple) else [found])]


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("dense", [(8,)]),
        ("convolutional", [(8, 8, 1)]),
        ("two_ended", [(6,), (2, 2, 1)]),
        ("nested", [(6,)]),
        ("shared", [(4,), (4,)]),
    ],
)
def test_rebuilt_models_answer_alike(library: Any, name: str, shapes: list[Any]) -> None:
    model = getattr(tiny_models, name)(library)
    graph = graph_of(model)
    again = rebuilt(graph)
    assert copy_weights(graph, again) == ()
    assert type(again).__module__.startswith("tf_keras")
    inputs = [tiny_models.examples(3, *shape, seed=at) for at, shape in enumerate(shapes)]
    for one, other in zip(answers(model, *inputs), answers(again, *inputs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_residual_network_with_every_common_layer(library: Any) -> None:
    layers = library.layers
    x = library.Input((8, 8, 3), name="image")
    y = layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2", name="conv")(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    z = layers.SeparableConv2D(4, 3, padding="same")(layers.DepthwiseConv2D(3, padding="same")(y))
    y = layers.Add()([y, layers.Dropout(0.2)(z)])
    y = layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Activation("relu")(y)))
    model = library.Model(x, y, name="residual")
    graph = graph_of(model)
    again = rebuilt(graph)
    copy_weights(graph, again)
    image = tiny_models.examples(2, 8, 8, 3)
    np.testing.assert_allclose(answers(model, image)[0], answers(again, image)[0], atol=1e-5)


def test_operations_of_keras_3_become_those_of_tensorflow() -> None:
    library = tiny_models.LIBRARIES["keras"]
    layers, ops = library.layers, library.ops
    x = library.Input((6, 6, 3), name="image")
    y = layers.Conv2D(4, 3, padding="same")(x)
    y = ops.relu(y + layers.Conv2D(4, 1)(y)) * 2.0
    y = ops.concatenate([y[:, 1:, :, :2], -y[:, 1:, :, 2:]], axis=-1)
    model = library.Model(x, layers.Dense(2)(layers.Flatten()(y)))
    graph = graph_of(model)
    again = rebuilt(graph)
    copy_weights(graph, again)
    image = tiny_models.examples(2, 6, 6, 3)
    np.testing.assert_allclose(answers(model, image)[0], answers(again, image)[0], atol=1e-5)
    # What was rebuilt is read with the same kinds, though its operations are TensorFlow's.
    kinds = {node.kind for node in graph_of(again).nodes.values()}
    assert {"Add", "Relu", "Multiply", "GetItem", "Concatenate"} <= kinds


def test_statistics_come_along(library: Any) -> None:
    scale = library.layers.Normalization()
    scale.adapt(np.arange(12, dtype=np.float32).reshape(4, 3))
    model = library.Sequential([library.Input((3,), name="x"), scale])
    graph = graph_of(model)
    again = rebuilt(graph)
    copy_weights(graph, again)
    x = tiny_models.examples(2, 3)
    np.testing.assert_allclose(answers(model, x)[0], answers(again, x)[0], atol=1e-5)


def test_refusals(library: Any) -> None:
    graph = graph_of(tiny_models.dense(library))
    graph.nodes["hidden"] = replace(graph.nodes["hidden"], kind="Hologram")
    with pytest.raises(InputError, match=r"layer 'hidden' \(Hologram\) does not exist in tf_keras"):
        rebuilt(graph)


def test_an_operation_that_is_unknown_is_named() -> None:
    library = tiny_models.LIBRARIES["keras"]
    x = library.Input((6,), name="x")
    graph = graph_of(library.Model(x, library.ops.cumsum(x, axis=-1)))
    with pytest.raises(InputError, match=r"operation 'cumsum\S*' \(keras.ops, Cumsum\) does not"):
        rebuilt(graph)


def test_compile_settings_cross_over() -> None:
    library = tiny_models.LIBRARIES["keras"]
    model = tiny_models.dense(library)
    graph = graph_of(model)
    losses = library.losses
    crossed = []
    for loss in (losses.BinaryCrossentropy(from_logits=True), losses.mean_squared_error, "mse"):
        metrics = [library.metrics.SparseCategoricalAccuracy(name="right")]
        model.compile(library.optimizers.Adam(), loss, metrics=metrics)
        again = rebuilt(graph)
        compile_across(model, again)
        crossed.append(again.loss)
        assert again.compiled_metrics._user_metrics[0].name == "right"
    assert type(crossed[0]) is tiny_models.LIBRARIES["tf_keras"].losses.BinaryCrossentropy
    assert crossed[0].get_config()["from_logits"]
    assert crossed[1:] == [tiny_models.LIBRARIES["tf_keras"].losses.mean_squared_error, "mse"]
    model.compile("adam", losses.Tversky())
    with pytest.raises(InputError, match="loss Tversky does not exist in tf_keras"):
        compile_across(model, rebuilt(graph))
