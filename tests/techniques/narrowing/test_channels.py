"""What keeps its width, and why: by name, for what channels cannot be followed through."""

from typing import Any

import keras
import numpy as np
import pytest

from tests.techniques.narrowing.cases import SIGNAL, Body, Case, every_second, model_of, names_of
from tflite_squeeze.techniques.narrowing.channels import channels_of
from tflite_squeeze.techniques.narrowing.cutting import cut


class Doubled(keras.layers.Layer):
    """A layer of someone's own."""

    def call(self, x: Any) -> Any:
        return 2 * x


def _layer(kind: str, *arguments: Any, **options: Any) -> Body:
    return lambda layers, x: getattr(layers, kind)(*arguments, name="b", **options)(x)


REFUSED: dict[str, tuple[Body, str, tuple[int, ...]]] = {
    "lambda": (_layer("Lambda", lambda x: x * 2), "layer b (Lambda) mixes or fixes", (6, 6, 3)),
    "softmax": (_layer("Softmax"), "layer b (Softmax) mixes channels", (6, 6, 3)),
    "activation": (
        _layer("Activation", "softmax"), "(Activation) computes softmax over", (6, 6, 3),
    ),
    "activation of someone's own": (
        _layer("Activation", lambda x: x - x[..., :1]),
        "(Activation) has an activation that is not known (<lambda>)", SIGNAL,
    ),
    "gates": (
        _layer("GRU", 4, recurrent_activation="softmax"), "(GRU) computes softmax over", SIGNAL,
    ),
    "batch norm": (_layer("BatchNormalization", axis=1), "normalises another axis", (6, 6, 3)),
    "permute": (_layer("Permute", (3, 1, 2)), "moves channels to another axis", (6, 6, 3)),
    "reshape": (_layer("Reshape", (36, 8, 1)), "moves channels to another axis", (6, 6, 3)),
    "dot": (lambda layers, x: layers.Dot(2, name="b")([x, x]), "layer b (Dot) mixes", SIGNAL),
    "rescaling": (_layer("Rescaling", [2.0] * 8), "has a constant for each channel", SIGNAL),
    "einsum": (
        _layer("EinsumDense", "abc,bd->adc", output_shape=(4, 8)), "computes abc,bd->adc", SIGNAL
    ),
    "recurrent": (
        lambda layers, x: layers.RNN(layers.LSTMCell(3), name="b")(x), "layer b (RNN)", SIGNAL
    ),
    "inside": (
        lambda layers, x: layers.TimeDistributed(layers.Softmax(), name="b")(x),
        "layer b (TimeDistributed) mixes channels", SIGNAL,
    ),
    "inside, not known": (
        lambda layers, x: layers.TimeDistributed(layers.Lambda(abs), name="b")(x),
        "has a layer inside that is not known (Lambda)", SIGNAL,
    ),
    "steps": (lambda layers, x: x[..., ::2], "(GetItem) takes channels in steps", SIGNAL),
    "one": (lambda layers, x: x[..., 3], "(GetItem) mixes channels", SIGNAL),
    "another axis": (lambda layers, x: x[..., None], "moves channels to another axis", SIGNAL),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(library: Any, name: str) -> None:
    body, said, shape = REFUSED[name]
    channels = channels_of(model_of(library, Case(body, {}, shape)))
    (first, *_) = channels.groups
    assert names_of(first) == "a"
    assert said in first.fixed


def test_a_layer_of_someones_own() -> None:
    model = model_of(keras, Case(lambda layers, x: Doubled(name="b")(x), {}))
    assert channels_of(model).groups[0].fixed == "layer b (Doubled) mixes or fixes channels"

    class Dense(keras.layers.Dense):
        pass

    model = model_of(keras, Case(lambda layers, x: Dense(4, name="b")(x), {}))
    first, second, _ = channels_of(model).groups
    assert first.fixed == second.fixed == "layer b (Dense) is of a class of its own"


def test_ends_are_fixed(library: Any) -> None:
    channels = channels_of(model_of(library, Case(_layer("Activation", "relu"), {})))
    assert channels.groups[-1].fixed == "its channels are the model's outputs"
    (start,) = [value for value in channels.units if value.node == "x"]
    assert (channels.group_of[channels.units[start]] == -1).all()


def test_activations_of_all_channels(library: Any) -> None:
    """What a layer takes can go all the same."""
    body = _layer("Conv2D", 4, 1, activation="softmax")
    first, second, _ = channels_of(model_of(library, Case(body, {}))).groups
    assert (first.fixed, second.fixed) == (
        "",
        "layer b (Conv2D) computes softmax over all channels",
    )
    body = _layer("Conv2D", 4, 1, activation=library.layers.LeakyReLU())
    assert not any(
        group.fixed for group in channels_of(model_of(library, Case(body, {}))).groups[:2]
    )


@pytest.mark.parametrize(
    ("kind", "options"),
    [("LayerNormalization", {}), ("GroupNormalization", {"groups": 2}), ("RMSNormalization", {})],
)
def test_statistics_over_channels_are_inexact(
    library: Any, kind: str, options: dict[str, Any]
) -> None:
    """They can be cut, and that the outputs change even where channels are zero is said."""
    if not hasattr(library.layers, kind):
        kind, options = "LayerNormalization", {"axis": [1, 2]}
    model = model_of(library, Case(_layer(kind, **options), {}, SIGNAL))
    channels = channels_of(model)
    group = channels.groups[0]
    assert not group.fixed
    assert group.inexact.startswith(f"layer b ({kind}) has statistics over")
    narrower = cut(model, channels, every_second(channels))
    assert narrower.get_layer("b").weights[0].shape[-1] == 4
    assert np.isfinite(np.asarray(narrower(np.ones((2, *SIGNAL), np.float32)))).all()
