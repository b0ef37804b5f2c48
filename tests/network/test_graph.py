"""Models of both Kerases as graphs, changed, and rebuilt in tf_keras."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.crossing import copy_weights, rebuilt
from tflite_squeeze.network.graph import Node, graph_of


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


def test_edits() -> None:
    graph = graph_of(tiny_models.dense(tiny_models.LIBRARIES["keras"]))
    relu = Node(name="relu", kind="ReLU", config={}, layer="relu")
    graph.insert_after("hidden", relu)
    assert graph.nodes["scores"].inputs == ("relu",)
    assert graph.ancestors("scores") == {"relu", "hidden", "x"}
    assert [node.name for node in graph.consumers("hidden")] == ["relu"]
    graph.remove("relu")
    assert graph.nodes["scores"].inputs == ("hidden",)
    graph.insert_after("scores", relu)
    assert graph.outputs == ("relu",)


def test_refusals(library: Any) -> None:
    with pytest.raises(UsageError, match="'subclassed' is subclassed"):
        graph_of(tiny_models.subclassed(library))
    graph = graph_of(tiny_models.dense(library))
    graph.nodes["hidden"] = replace(graph.nodes["hidden"], kind="Hologram")
    with pytest.raises(InputError, match=r"layer 'hidden' \(Hologram\) does not exist in tf_keras"):
        rebuilt(graph)
