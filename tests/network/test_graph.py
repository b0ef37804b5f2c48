"""Graphs of models of both versions of Keras, read and changed."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.flavors import walk_layers
from tflite_squeeze.network.graph import Node, Value, graph_of


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


def test_nested_models_stand_where_the_data_goes_through_them(library: Any) -> None:
    layers = library.layers
    given = library.Input((8, 3))
    answer = given
    for name in ("front", "middle", "back"):
        answer = layers.Conv1D(4, 2, name=name)(answer)
    backbone = library.Model(given, answer, name="backbone")
    x = library.Input((8, 3), name="x")
    model = library.Model(x, layers.Dense(2, name="head")(layers.ReLU(name="relu")(backbone(x))))
    graph = graph_of(model)
    assert list(graph.nodes) == ["x", "front", "middle", "back", "relu", "head"]
    assert graph.nodes["front"].inputs == ("x",)
    assert graph.nodes["relu"].inputs == ("back",)
    assert graph.nodes["middle"].path == ("backbone",)
    assert graph.nodes["head"].shapes == ((None, 5, 2),)
    assert list(graph_of(model, opened=False).nodes) == ["x", "backbone", "relu", "head"]
    names = [layer.name for layer in walk_layers(model)]
    assert names.index("front") < names.index("middle") < names.index("back")
    assert names.index("back") < names.index("head")


def test_calls_of_one_layer_and_of_one_model(library: Any) -> None:
    layers = library.layers
    inner = library.Sequential([library.Input((4,)), layers.Dense(4, name="deep")], name="inner")
    a, b = library.Input((4,), name="a"), library.Input((4,), name="b")
    model = library.Model([a, b], layers.Subtract(name="minus")([inner(a), inner(b)]))
    graph = graph_of(model)
    assert [node.layer for node in graph.nodes.values() if node.kind == "Dense"] == ["deep"] * 2
    assert graph.nodes["minus"].inputs == ("deep", "deep_2")
    assert [len(nodes) for nodes in graph.calls().values()] == [1, 1, 2, 1]


def test_operations_of_keras_3() -> None:
    library = tiny_models.LIBRARIES["keras"]
    x = library.Input((6, 4), name="x")
    halves = library.ops.split(x + 1.0, 2, axis=-1)
    model = library.Model(x, [library.ops.maximum(*halves), halves[1][:, 0]])
    graph = graph_of(model)
    kinds = {node.kind: node for node in graph.nodes.values()}
    assert set(kinds) == {"InputLayer", "Add", "Split", "Maximum", "GetItem"}
    assert all(node.operation for kind, node in kinds.items() if kind != "InputLayer")
    assert kinds["Add"].args == ("x", 1.0)
    second = Value(kinds["Split"].name, 1)
    assert kinds["Maximum"].inputs == (kinds["Split"].name, second)
    assert kinds["GetItem"].args[0] == second
    assert kinds["Split"].shapes == ((None, 6, 2), (None, 6, 2))
    assert graph.outputs == (kinds["Maximum"].name, kinds["GetItem"].name)


def test_operations_of_tensorflow() -> None:
    library = tiny_models.LIBRARIES["tf_keras"]
    x = library.Input((6, 4), name="x")
    model = library.Model(x, tf.math.cumsum(tf.nn.relu(x + x)[:, 1:], axis=1))
    kinds = [node.kind for node in graph_of(model).nodes.values()]
    assert kinds == ["InputLayer", "Add", "Relu", "GetItem", "tf.math.cumsum"]


def test_arguments_beside_tensors(library: Any) -> None:
    layers = library.layers
    x = library.Input((6, 4), name="x")
    normal = layers.BatchNormalization(name="bn")
    nodes = graph_of(library.Model(x, layers.Dense(2, name="d")(normal(x, training=False)))).nodes
    assert nodes["bn"].kwargs == {"training": False}
    assert not nodes["bn"].plain_call
    assert nodes["d"].plain_call


@pytest.mark.parametrize("built", ["list", "add", "called on a tensor"])
def test_sequentials(library: Any, built: str) -> None:
    chain = [library.layers.Dense(3, name="a"), library.layers.Dense(2, name="b")]
    model = library.Sequential([library.Input((4,), name="x"), *(chain if built != "add" else [])])
    if built == "add":
        for layer in chain:
            model.add(layer)
    if built == "called on a tensor":
        model(library.Input((4,)))
    assert list(graph_of(model).nodes) == ["x", "a", "b"]


def test_a_sequential_that_was_built_by_data(library: Any) -> None:
    model = library.Sequential([library.layers.Dense(3, name="a")])
    with pytest.raises(UsageError, match=r"was never built.*give it an input shape"):
        graph_of(model)
    model(np.zeros((2, 4), np.float32))
    assert [node.name for node in graph_of(model).nodes.values()][1:] == ["a"]


def test_subclassed_models_are_refused_by_name(library: Any) -> None:
    with pytest.raises(UsageError, match=r"'subclassed' is subclassed \(Network\), so it has no g"):
        graph_of(tiny_models.subclassed(library))
