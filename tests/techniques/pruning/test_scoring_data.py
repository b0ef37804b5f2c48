"""Gradients and norms as the layers see them."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.scoring_data import ScoringData, gradients_of, input_norms


def linear(library: Any) -> Any:
    model = library.Sequential(
        [library.Input((2,)), library.layers.Dense(1, use_bias=False, name="y")]
    )
    model.layers[-1].kernel.assign([[2.0], [3.0]])
    return model


def test_gradients_by_hand(library: Any) -> None:
    model = linear(library)
    targets = select(model).targets
    examples = [np.array([values], np.float32) for values in ([1.0, 4.0], [-3.0, 0.0])]
    batches = [(example, 0.0) for example in examples]
    # d/dw of the output is the input; those of either sign do not cancel.
    found = gradients_of(model, targets, batches, lambda _, y: tf.reduce_sum(y))
    np.testing.assert_allclose(found[0], [[2.0], [2.0]])
    with pytest.raises(InputError, match="gradients need labelled data"):
        gradients_of(model, targets, [], lambda _, y: tf.reduce_sum(y))


def test_gradients_of_an_embedding(library: Any) -> None:
    layers = library.layers
    model = library.Sequential([library.Input((2,)), layers.Embedding(4, 3, name="e")])
    ids = np.array([[1, 1], [3, 1]])
    found = gradients_of(model, select(model).targets, [(ids, 0.0)], lambda _, y: tf.reduce_sum(y))
    assert found[0].tolist() == [[0.0] * 3, [3.0] * 3, [0.0] * 3, [1.0] * 3]


def test_norms_of_a_dense_layer(library: Any) -> None:
    model = linear(library)
    batches = [np.array([[1.0, 4.0]], np.float32), np.array([[2.0, 3.0]], np.float32)]
    norms = input_norms(model, select(model).targets, batches)
    np.testing.assert_allclose(norms["y/kernel"], [np.sqrt(5), 5.0])
    with pytest.raises(InputError, match="inputs need samples"):
        input_norms(model, select(model).targets, [])
    # The layer is as it was.
    assert "call" not in vars(model.layers[-1])


def test_norms_repeat_tap_by_tap(library: Any) -> None:
    layers = library.layers
    model = library.Sequential([library.Input((2, 2, 2)), layers.Conv2D(1, 2, name="c")])
    x = np.zeros((1, 2, 2, 2), np.float32)
    x[..., 0], x[..., 1] = 1.0, 3.0
    norms = input_norms(model, select(model).targets, [x])["c/kernel"]
    np.testing.assert_allclose(norms, [2.0, 6.0] * 4)


@pytest.mark.parametrize("kind", ["depthwise", "embedding", "recurrent", "separable"])
def test_weights_that_do_not_multiply_the_input_get_norm_one(library: Any, kind: str) -> None:
    layers = library.layers
    # Sizes that would fit by chance: 9 taps and 3 channels, 4 values and 2 ids, 6 units and 3.
    layer, shape = {
        "depthwise": (layers.DepthwiseConv2D(3, name="it"), (4, 4, 3)),
        "embedding": (layers.Embedding(5, 4, name="it"), (2,)),
        "recurrent": (layers.LSTM(6, name="it"), (2, 3)),
        "separable": (layers.SeparableConv2D(2, 3, name="it"), (4, 4, 3)),
    }[kind]
    model = library.Sequential([library.Input(shape), layer])
    x = np.full((2, *shape), 2.0, np.float32)
    norms = input_norms(model, select(model).targets, [x])
    seen = norms.pop("it/kernel") if kind == "recurrent" else None
    for found in norms.values():
        assert (found == 1.0).all()
    if seen is not None:
        np.testing.assert_allclose(seen, [4.0] * 3)  # 2 samples, 2 steps, of 2.0


def test_norms_inside_nested_and_subclassed_models(library: Any) -> None:
    for model, name in (
        (tiny_models.nested(library), "deep/kernel"),
        (tiny_models.subclassed(library), "first/kernel"),
    ):
        count = model.get_weights()[0].shape[0]
        x = np.ones((4, count), np.float32)
        norms = input_norms(model, select(model).targets, [x])
        np.testing.assert_allclose(norms[name], np.full(count, 2.0))


def test_scoring_data_is_cut_into_batches() -> None:
    data = ScoringData.from_arrays(np.zeros((5, 2)), np.arange(5), batch=2)
    assert [len(batch) for batch in data.inputs] == [2, 2, 1]
    assert data.labels[-1].tolist() == [4]
    assert ScoringData.from_arrays({"a": np.zeros((3, 1))}).labels == ()


def test_scores_say_what_they_lack(library: Any) -> None:
    model = linear(library)
    targets = select(model).targets
    with pytest.raises(UsageError, match="pass labelled data"):
        ScoringData.from_arrays(np.zeros((2, 2), np.float32)).gradients(model, targets, "taylor")


def test_gradients_of_several_losses(library: Any) -> None:
    two = tiny_models.two_ended(library)
    two.compile(loss=["sparse_categorical_crossentropy", "mse"])
    names, shapes = two.output_names, two.output_shape
    labels = {names[0]: np.zeros(2), names[1]: np.ones((2, *shapes[1][1:]), np.float32)}
    inputs = [np.ones((2, 6), np.float32), np.ones((2, 2, 2, 1), np.float32)]
    data = ScoringData(inputs=(inputs,), labels=(labels,))
    targets = select(two).targets
    found = data.gradients(two, targets, "taylor")
    assert [gradient.shape for gradient in found] == [target.matrix_shape for target in targets]
    assert all(np.any(gradient) for gradient in found)
