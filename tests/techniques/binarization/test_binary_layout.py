"""The order of layers around binary ones, as pure changes of graphs."""

from typing import Any

import keras

from tflite_squeeze.network.graph import Graph, graph_of
from tflite_squeeze.techniques.binarization.binary_layout import projections, rearranged

layers = keras.layers


def order(graph: Graph) -> list[str]:
    """The kinds of the nodes; a chain is read from the front."""
    return [node.kind for node in graph.nodes.values() if node.kind != "InputLayer"]


def chain(*parts: Any) -> Graph:
    return graph_of(keras.Sequential([keras.Input((16, 16, 3), name="image"), *parts]))


def test_pooling_goes_before_normalisation_and_no_relu_before_a_sign() -> None:
    graph = chain(
        layers.Conv2D(4, 3, name="one"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="relu"),
        layers.MaxPooling2D(name="pool"),
        layers.Conv2D(4, 3, use_bias=False, name="two"),
        layers.BatchNormalization(name="end"),
    )
    changes = rearranged(graph, {"one", "two"}, {"two"})
    assert order(graph) == [
        "Conv2D", "MaxPooling2D", "BatchNormalization", "Conv2D", "BatchNormalization",
    ]  # fmt: skip
    said = {one.layer: one.change for one in changes}
    assert "a sign follows" in said["relu"]
    assert said["norm"] == "moved after pool: pooling comes before normalisation"
    assert "bias removed" in said["one"]
    assert set(said) == {"relu", "norm", "one"}
    assert graph.nodes["one"].config["use_bias"] is False


def test_a_norm_is_added_and_a_fused_relu_before_something_in_float_is_kept() -> None:
    graph = chain(
        layers.Conv2D(4, 3, activation="relu", name="one"),
        layers.Flatten(),
        layers.Dense(2, name="scores"),
    )
    changes = rearranged(graph, {"one"})
    assert order(graph) == [
        "BatchNormalization", "Conv2D", "BatchNormalization", "Activation", "Flatten", "Dense",
    ]  # fmt: skip
    assert [one.layer for one in changes] == ["one_norm", "one", "one_input_norm"]


def test_what_a_float_layer_in_front_ends_with() -> None:
    graph = chain(
        layers.Conv2D(4, 3, activation="relu", name="stem"),
        layers.Flatten(name="flat"),
        layers.Dense(8, name="hidden"),
    )
    rearranged(graph, {"hidden"})
    # The normalisation is of channels, in front of Flatten.
    assert order(graph) == ["Conv2D", "BatchNormalization", "Flatten", "Dense"]
    # With inputs in float, nothing in front of it changes.
    graph = chain(layers.Conv2D(4, 3, activation="relu", name="stem"), layers.Dense(8, name="b"))
    assert rearranged(graph, {"b"}, set()) == []


def residual(*, projected: bool) -> Graph:
    x = keras.Input((8, 8, 4), name="image")
    y = layers.BatchNormalization(name="in_norm")(x)
    z = layers.Conv2D(4, 3, strides=2 if projected else 1, padding="same", name="a")(y)
    z = layers.ReLU(name="a_relu")(layers.BatchNormalization(name="a_norm")(z))
    z = layers.BatchNormalization(name="b_norm")(layers.Conv2D(4, 3, padding="same", name="b")(z))
    short = layers.Conv2D(4, 1, strides=2, name="short")(y) if projected else y
    total = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([z, short]))
    end = layers.Conv2D(4, 3, name="c")(total)
    return graph_of(keras.Model(x, layers.BatchNormalization(name="c_norm")(end)))


def test_shortcuts_stay_in_float() -> None:
    kernels = {"a", "b", "c", "short"}
    assert projections(residual(projected=True), kernels) == {"short"}
    assert projections(residual(projected=False), kernels) == set()
    graph = residual(projected=False)
    changes = rearranged(graph, {"a", "b", "c"})
    assert {one.layer for one in changes if "removed: a sign follows" in one.change} == {
        "a_relu", "sum_relu",
    }  # fmt: skip
    assert graph.nodes["c"].inputs == ("sum",)
    assert set(graph.nodes["sum"].inputs) == {"b_norm", "in_norm"}


def test_a_bottleneck_end_is_no_projection() -> None:
    x = keras.Input((8, 8, 4), name="image")
    y = layers.Conv2D(4, 3, padding="same", name="wide")(x)
    y = layers.Conv2D(4, 1, name="narrow")(y)
    graph = graph_of(keras.Model(x, layers.Add()([x, y])))
    assert projections(graph, {"wide", "narrow"}) == set()
