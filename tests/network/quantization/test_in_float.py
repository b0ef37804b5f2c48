"""Which entries of a plan the patterns of layers in float mean."""

from typing import Any

import pytest

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.in_float import without_layers
from tflite_squeeze.network.quantization.twin import plan_for


def gone(model: Any, *patterns: str) -> set[str]:
    """The entries that patterns take out of the plan for 8 bits."""
    network = folded(model)
    plan = plan_for(network)
    left = without_layers(plan, model, network, patterns)
    return {*plan.weights, *plan.activations} - {*left.weights, *left.activations}


def several_kinds(library: Any) -> Any:
    """A separable convolution with an activation, a normalization, a join; the output is "out"."""
    layers = library.layers
    image = library.Input((4, 4, 2), name="image")
    x = layers.SeparableConv2D(2, 1, activation="gelu", name="apart")(image)
    x = layers.Conv2D(2, 1, name="conv")(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.Flatten(name="flat")(x)
    boxes, scores = layers.Dense(4, name="boxes")(x), layers.Dense(2, name="scores")(x)
    joined = layers.Concatenate(name="join")([boxes, scores])
    return library.Model(image, {"out": joined}, name="several")


@pytest.mark.parametrize(
    ("patterns", "entries"),
    [
        (["image"], {"image"}),
        # The ReLU behind it is applied by its operator, which rounds the output.
        (["conv"], {"conv/kernel", "relu"}),
        (["norm"], {"conv/kernel", "relu"}),
        (["relu"], {"relu"}),
        (["flat"], {"relu"}),
        # A concatenation and its operands have one range.
        (["scores"], {"scores/kernel", "join"}),
        (["out"], {"join"}),
        (["type:SeparableConv2D"], {"apart_depthwise/kernel", "apart_linear/kernel",
                                    "apart_depthwise", "apart_linear", "apart"}),
        (["apart_linear"], {"apart_linear/kernel", "apart_linear"}),
        (["boxes", "ima*"], {"boxes/kernel", "join", "image"}),
    ],
)  # fmt: skip
def test_layers_inputs_and_outputs(library: Any, patterns: list[str], entries: set[str]) -> None:
    assert gone(several_kinds(library), *patterns) == entries


def test_a_nested_model_means_all_in_it(library: Any) -> None:
    model = tiny_models.nested(library)
    assert gone(model, "inner") == gone(model, "deep") == {"deep/kernel", "deep"}
    assert gone(model, "*") == {"deep/kernel", "y/kernel", "x", "deep", "y"}


def test_operations_and_what_nothing_rounds(library: Any) -> None:
    layers = library.layers
    x = library.Input((4, 3), name="x")
    y = layers.LSTM(3, name="memory")(x) * 2.0
    model = library.Model(x, y, name="operations")
    operation = next(name for name in gone(model, "*") if name != "x")
    assert gone(model, operation) == {operation}
    assert gone(model, "memory") == set()


def test_a_pattern_that_matches_nothing_is_one_line_with_names() -> None:
    model = tiny_models.nested(tiny_models.LIBRARIES["keras"])
    with pytest.raises(UsageError, match="keep_float names 'depp', which matches none of deep"):
        gone(model, "deep", "depp")
    with pytest.raises(UsageError, match="'type:Dnse', which matches none of type:Dense"):
        gone(model, "type:Dnse")
