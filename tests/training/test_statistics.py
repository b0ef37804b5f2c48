"""Statistics of batch normalization, estimated again: by hand, where it is kept, and where not."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_models import examples
from tflite_squeeze import Narrow, Prune, narrow, prune
from tflite_squeeze.data.data import load_data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.rewriting import copy_of
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.statistics import (
    Settling,
    normalizations,
    reestimate,
    set_statistics,
    statistics_of,
)


def normalized(library: Any, *, around: Any = lambda layer: layer) -> Any:
    """x → Dense of known weights → BatchNormalization, which has seen nothing."""
    layers = library.layers
    x = library.Input((2,), name="x")
    dense = layers.Dense(2, use_bias=False, name="dense")
    model = library.Model(x, around(layers.BatchNormalization(name="norm"))(dense(x)))
    dense.set_weights([np.array([[1.0, 0.0], [0.0, 2.0]], np.float32)])
    return model


X = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]], np.float32)
# of the Dense layer's answers (0, 2), (2, 2) and (4, 8)
MEAN, VARIANCE = [2.0, 4.0], [8 / 3, 8.0]


@pytest.mark.parametrize("batches", [[X], [X[:1], X[1:]]], ids=["one batch", "two batches"])
def test_mean_and_variance_by_hand(library: Any, batches: list[Any]) -> None:
    model = normalized(library)
    assert reestimate(model, batches) == 1
    ((mean, variance),) = statistics_of(model)
    np.testing.assert_allclose(mean, MEAN, rtol=1e-6)
    np.testing.assert_allclose(variance, VARIANCE, rtol=1e-6)


def test_each_layer_sees_those_before_it_corrected(library: Any) -> None:
    layers = library.layers
    names = ["first", "second"]
    inner = library.Sequential(
        [library.Input((3,)), *(layers.BatchNormalization(name=name) for name in names)]
    )
    x = library.Input((3,), name="x")
    model = library.Model(x, inner(x))
    assert [layer.name for layer in normalizations(model)] == names
    reestimate(model, [5 + 3 * examples(200, 3)])
    _, (mean, variance) = statistics_of(model)
    np.testing.assert_allclose(mean, 0, atol=1e-5)
    np.testing.assert_allclose(variance, 1, rtol=1e-3)


def test_wrapped_layers_masks_and_other_axes(library: Any) -> None:
    layers = library.layers
    x = library.Input((4, 3), name="x")
    masked = layers.Masking()(x)
    wrapped = layers.TimeDistributed(layers.BatchNormalization(name="wrapped"))(x)
    first = layers.BatchNormalization(axis=1, name="by_step")(x)
    model = library.Model(x, [layers.BatchNormalization(name="masked")(masked), wrapped, first])
    values = examples(50, 4, 3)
    values[:30, 2:] = 0
    assert reestimate(model, [values]) == 3
    found = {layer.name: layer for layer in normalizations(model)}
    shown = values[(values != 0).any(axis=-1)]
    np.testing.assert_allclose(found["masked"].moving_mean, shown.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found["wrapped"].moving_mean, values.mean(axis=(0, 1)), atol=1e-5)
    np.testing.assert_allclose(found["by_step"].moving_variance, values.var(axis=(0, 2)), rtol=1e-4)


def test_nothing_else_changes(library: Any) -> None:
    layers = library.layers
    norm = layers.BatchNormalization(momentum=0.9, trainable=False)
    adapted = layers.Normalization(mean=[1.0, 2.0], variance=[3.0, 4.0], name="adapted")
    model = library.Sequential([library.Input((2,), name="x"), adapted, layers.Dense(2), norm])
    statistics = {id(norm.moving_mean), id(norm.moving_variance)}
    others = [one for one in model.weights if id(one) not in statistics]
    kept = [np.array(one) for one in others]
    assert reestimate(model, [X]) == 1
    assert not norm.trainable
    assert norm.momentum == 0.9
    assert "call" not in vars(norm)
    for value, other in zip(kept, others, strict=True):
        np.testing.assert_array_equal(value, other)


def test_a_dead_channel_is_not_scaled_up(library: Any) -> None:
    model = normalized(library)
    model.get_layer("dense").set_weights([np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)])
    reestimate(model, [X])
    ((_, variance),) = statistics_of(model)
    np.testing.assert_allclose(variance[1], 1e-4)


def test_no_samples_are_refused_and_no_layers_are_none(library: Any) -> None:
    with pytest.raises(UsageError, match="no samples"):
        reestimate(normalized(library), [])
    assert reestimate(library.Sequential([library.Input((2,)), library.layers.Dense(1)]), [X]) == 0


def classifier(library: Any) -> Any:
    """8 features to 3 classes by way of a normalization."""
    layers = library.layers
    library.utils.set_random_seed(0)
    model = library.Sequential(
        [
            library.Input((8,), name="x"),
            layers.Dense(32, use_bias=False, name="wide"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Dense(3, activation="softmax", name="scores"),
        ]
    )
    wide = model.get_layer("wide")  # of one sign: what is pruned moves all means
    wide.set_weights([np.abs(np.asarray(wide.kernel))])
    reestimate(model, [FEATURES])
    return model


FEATURES = 10 + examples(120, 8)


def data(library: Any, *, labels: bool) -> dict[str, Any]:
    """Examples whose labels are what the model answers."""
    known = np.argmax(np.asarray(classifier(library)(FEATURES)), axis=1)
    some = {"x_calibration": FEATURES[:60], "x_test": FEATURES[60:]}
    return {**some, "y_test": known[60:]} if labels else some


@pytest.mark.parametrize("labels", [True, False], ids=["labels", "none"])
def test_pruned_at_once_and_settled(library: Any, labels: bool) -> None:
    model, given = classifier(library), data(library, labels=labels)
    config = Prune(sparsity=0.5, protect=("scores",))
    _, off = prune(model, config, given, FineTune(reestimate=False), one_shot=True)
    settled, on = prune(model, config, given, one_shot=True)
    assert not any("statistics" in note for note in off.notes)
    measure = "accuracy" if labels else "divergence"
    said = f"statistics of 1 normalisation layer estimated again on 60 samples: {measure}"
    assert on.notes[-1].startswith(said)
    assert on.agreement > off.agreement
    ((mean, _),) = statistics_of(settled)
    np.testing.assert_allclose(
        mean, (FEATURES[:60] @ np.asarray(settled.get_layer("wide").kernel)).mean(0), rtol=1e-4
    )


def test_a_narrowed_model_has_new_statistics_too(library: Any) -> None:
    model = classifier(library)
    _, record = narrow(model, Narrow(ratio=0.5), data(library, labels=False), one_shot=True)
    assert "estimated again" in record.notes[-1]


@pytest.mark.parametrize("labels", [True, False], ids=["labels", "none"])
def test_worse_statistics_are_not_kept(library: Any, labels: bool) -> None:
    model = classifier(library)
    misleading = {**data(library, labels=labels), "x_calibration": 50 * FEATURES[:9] - 300}
    fitted = load_data(misleading).fitted_to({"x": _spec()})
    settling, before = Settling(model, fitted), statistics_of(model)
    done = settling.settle(model)
    assert done is not None
    assert not done.kept
    assert "not kept" in done.note
    np.testing.assert_array_equal(before[0], statistics_of(model)[0])


def test_one_part_is_divided(library: Any) -> None:
    model = classifier(library)
    fitted = load_data({"x_test": FEATURES[:21]}).fitted_to({"x": _spec()})
    settling = Settling(model, fitted)
    changed = copy_of(model)
    set_statistics(changed, [(np.zeros(32), np.ones(32))])
    done = settling.settle(changed)
    assert done is not None
    assert done.kept
    assert done.samples == 11


def test_inputs_of_open_length_are_taken_as_the_samples_have_them(library: Any) -> None:
    layers = library.layers
    x = library.Input((None, 2), name="x")
    five = layers.Reshape((5, 2))(x)  # of any other length it does not run
    model = library.Model(x, layers.BatchNormalization()(five))
    steps = {"x_test": 3 + examples(12, 5, 2)}
    settling = Settling(model, load_data(steps).fitted_to(flavors.input_specs(model)))
    set_statistics(model, [(np.full(2, 9.0), np.ones(2))])
    done = settling.settle(model)
    assert done is not None
    assert done.after != done.before


def _spec() -> Any:
    return tf.TensorSpec((None, 8), tf.float32)
