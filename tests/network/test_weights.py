"""Which weights are found in which layers, of both Kerases, and why others are left out."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import NOT_BUILT, Target, matches, select


def names(model: Any, **options: Any) -> list[str]:
    return [target.name for target in select(model, **options).targets]


def reasons(model: Any, **options: Any) -> dict[str, str]:
    return {item.layer: item.reason for item in select(model, **options).skipped}


def single(library: Any, layer: Any, *shape: int) -> Any:
    x = library.Input(shape)
    return library.Model(x, layer(x))


KINDS = [
    ("Dense", (4,), (8,), ["kernel"]),
    ("Conv1D", (4, 3), (8, 2), ["kernel"]),
    ("Conv2D", (4, 3), (6, 6, 2), ["kernel"]),
    ("Conv3D", (4, 2), (4, 4, 4, 2), ["kernel"]),
    ("Conv1DTranspose", (4, 3), (8, 2), ["kernel"]),
    ("Conv2DTranspose", (4, 3), (6, 6, 2), ["kernel"]),
    ("Conv3DTranspose", (4, 2), (4, 4, 4, 2), ["kernel"]),
    ("DepthwiseConv1D", (3,), (8, 2), ["kernel"]),
    ("DepthwiseConv2D", (3,), (6, 6, 2), ["kernel"]),
    ("SeparableConv1D", (4, 3), (8, 2), ["depthwise_kernel", "pointwise_kernel"]),
    ("SeparableConv2D", (4, 3), (6, 6, 2), ["depthwise_kernel", "pointwise_kernel"]),
    ("Embedding", (9, 4), (5,), ["embeddings"]),
    ("LSTM", (4,), (5, 3), ["kernel", "recurrent_kernel"]),
    ("GRU", (4,), (5, 3), ["kernel", "recurrent_kernel"]),
    ("SimpleRNN", (4,), (5, 3), ["kernel", "recurrent_kernel"]),
    ("ConvLSTM2D", (2, 3), (2, 6, 6, 2), ["kernel", "recurrent_kernel"]),
]


@pytest.mark.parametrize(("kind", "arguments", "shape", "expected"), KINDS)
def test_every_kind_of_layer_has_its_kernels(
    library: Any, kind: str, arguments: tuple, shape: tuple, expected: list[str]
) -> None:
    layer = getattr(library.layers, kind)(*arguments, name="it")
    selection = select(single(library, layer, *shape))
    assert [target.name for target in selection.targets] == [f"it/{name}" for name in expected]
    assert selection.skipped == ()
    chosen = {id(target.variable) for target in selection.targets}
    left = [weight for weight in layer.trainable_weights if id(weight) not in chosen]
    # Nothing but biases is left.
    assert all("bias" in weight.name for weight in left)
    for target in selection.targets:
        values = np.arange(target.size, dtype=np.float32).reshape(target.shape)
        matrix = target.matrix(values)
        assert matrix.shape == target.matrix_shape
        np.testing.assert_array_equal(target.from_matrix(matrix), values)


def test_a_row_of_the_matrix_is_what_one_output_multiplies_by(library: Any) -> None:
    rows = {
        "Dense": ((5,), (8,), (5, 8)),
        "Conv2D": ((5, 3), (6, 6, 2), (5, 18)),
        "Conv2DTranspose": ((5, 3), (6, 6, 2), (5, 18)),
        "DepthwiseConv2D": ((3,), (6, 6, 2), (2, 9)),
    }
    for kind, (arguments, shape, expected) in rows.items():
        model = single(library, getattr(library.layers, kind)(*arguments), *shape)
        assert select(model).targets[0].matrix_shape == expected, kind


def test_a_matrix_by_hand() -> None:
    target = Target(
        name="c/kernel", layer=None, layer_type="Conv1D", variable=None, shape=(2, 2, 1),
        output_axes=(-1,),
    )  # fmt: skip
    kernel = np.array([[[1], [2]], [[3], [4]]])
    assert target.matrix(kernel).tolist() == [[1, 2, 3, 4]]  # taps, then channels
    dense = Target(
        name="d/kernel", layer=None, layer_type="Dense", variable=None, shape=(2, 3),
        output_axes=(-1,),
    )  # fmt: skip
    assert dense.matrix(np.array([[1, 2, 3], [4, 5, 6]])).tolist() == [[1, 4], [2, 5], [3, 6]]


def test_einsum_rows_are_the_axes_of_the_result(library: Any) -> None:
    dense = library.layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), name="heads")
    target = select(single(library, dense, 5, 4)).targets[0]
    assert target.shape == (4, 2, 3)
    assert target.matrix_shape == (6, 4)
    back = library.layers.EinsumDense("...bcd,cde->...be", output_shape=(None, 7), name="back")
    assert select(single(library, back, 5, 2, 3)).targets[0].matrix_shape == (7, 6)


def test_attention_is_pruned_in_its_inner_layers(library: Any) -> None:
    x = library.Input((4, 6))
    model = library.Model(
        x, library.layers.MultiHeadAttention(num_heads=2, key_dim=3, name="mha")(x, x)
    )
    found = select(model)
    assert len(found.targets) == 4
    assert {target.layer_type for target in found.targets} == {"EinsumDense"}
    assert sorted(target.matrix_shape for target in found.targets) == [(6, 6)] * 4
    assert found.skipped == ()


def test_cells_of_ones_own_recurrence(library: Any) -> None:
    layers = library.layers
    model = single(library, layers.RNN(layers.LSTMCell(4, name="cell")), 5, 3)
    assert names(model) == ["cell/kernel", "cell/recurrent_kernel"]
    wrapped = single(library, layers.Bidirectional(layers.GRU(2, name="gru")), 5, 3)
    assert len(names(wrapped)) == 4
    timed = single(library, layers.TimeDistributed(layers.Dense(2, name="inside")), 5, 3)
    assert names(timed) == ["inside/kernel"]


def test_normalisation_and_the_unknown_are_skipped_with_a_reason(library: Any) -> None:
    class Scale(library.layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")
            super().build(shape)

        def call(self, x: Any) -> Any:
            return x * self.scale

    layers = library.layers
    model = library.Sequential(
        [
            library.Input((6,)),
            layers.Dense(4, name="dense"),
            layers.BatchNormalization(name="batch"),
            layers.LayerNormalization(name="layer"),
            layers.ReLU(),
            Scale(name="scale"),
        ]
    )
    assert names(model) == ["dense/kernel"]
    expected = {
        "batch": "normalisation is never changed",
        "layer": "normalisation is never changed",
        "scale": "layers of type Scale are not known to have a kernel",
    }
    assert reasons(model) == expected
    model.trainable = False
    assert reasons(model) == expected


def test_weights_of_the_model_itself_are_named(library: Any) -> None:
    class Network(library.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.dense = library.layers.Dense(3, name="dense")

        def build(self, shape: Any) -> None:
            self.dense.build(shape)
            self.gain = self.add_weight(shape=(3,), name="gain")
            self.built = True

        def call(self, x: Any) -> Any:
            return self.dense(x) * self.gain

    model = Network()
    model(np.zeros((1, 4), np.float32))
    assert names(model) == ["dense/kernel"]
    assert reasons(model) == {"own": "weights of the model itself are not known to be a kernel"}


def test_subclasses_of_known_layers_are_known(library: Any) -> None:
    class Mine(library.layers.Dense):
        pass

    target = select(single(library, Mine(3, name="mine"), 4)).targets[0]
    assert (target.name, target.layer_type) == ("mine/kernel", "Mine")


def test_nested_subclassed_and_shared_models(library: Any) -> None:
    assert names(tiny_models.nested(library)) == ["deep/kernel", "y/kernel"]
    assert names(tiny_models.subclassed(library)) == ["first/kernel", "second/kernel"]
    assert names(tiny_models.shared(library)) == ["both/kernel"]


def test_a_weight_that_two_layers_have_is_pruned_once(library: Any) -> None:
    layers = library.layers
    first, second = layers.Dense(4, name="one"), layers.Dense(4, name="two")
    first.build((None, 4))
    second.build((None, 4))
    attribute = "_kernel" if hasattr(second, "_kernel") else "kernel"
    if attribute == "_kernel":
        second._tracker.unlock()
    setattr(second, attribute, getattr(first, attribute))
    x = library.Input((4,))
    model = library.Model(x, second(first(x)))
    assert names(model) == ["one/kernel"]
    assert reasons(model) == {"two": "its weights belong to a layer that was seen before"}


def test_an_unbuilt_layer_is_named(library: Any) -> None:
    model = tiny_models.subclassed(library, called=False)
    assert names(model) == []
    assert reasons(model) == {"first": NOT_BUILT, "second": NOT_BUILT}


def test_names_of_two_layers_inside_others_differ(library: Any) -> None:
    inner = [
        library.Sequential([library.Input((4,)), library.layers.Dense(4, name="d")], name=name)
        for name in ("left", "right")
    ]
    x = library.Input((4,))
    model = library.Model(x, inner[1](inner[0](x)))
    assert names(model) == ["d/kernel", "d/kernel#2"]


def test_only_and_protect(library: Any) -> None:
    model = tiny_models.convolutional(library)
    assert names(model) == ["conv/kernel", "scores/kernel"]
    assert names(model, only=["conv*"]) == ["conv/kernel"]
    assert names(model, only=["type:Dense"]) == names(model, only=["Dense"]) == ["scores/kernel"]
    assert names(model, protect=["first"]) == ["scores/kernel"]
    assert names(model, protect=["last"]) == ["conv/kernel"]
    assert names(model, protect=["first", "last"]) == []
    assert names(model, protect=["Conv2D"]) == ["scores/kernel"]
    assert reasons(model, protect=["last"]) == {"scores": "protected"}
    assert reasons(model, only=["conv"]) == {"scores": "not among the layers that were asked for"}


@pytest.mark.parametrize("option", ["only", "protect"])
def test_a_pattern_that_means_nothing_is_an_error(library: Any, option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} names 'cnov', which matches none of conv"):
        select(tiny_models.convolutional(library), **{option: ["conv", "cnov"]})


def test_a_type_is_no_name(library: Any) -> None:
    layer = library.layers.Dense(2, name="Conv2D_like")
    assert matches(layer, "Dense")
    assert matches(layer, "Conv2D*")
    assert not matches(layer, "type:Conv2D*")
