"""Whole filters taken out: by hand, exact where they were dead, in both Kerases."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.techniques.narrowing.cases import CASES, every_second, model_of, silence
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.flavors import walk_layers
from tflite_squeeze.techniques.narrowing.channels import channels_of
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.cutting import cut
from tflite_squeeze.techniques.narrowing.narrow import channel_scores, narrow
from tflite_squeeze.techniques.narrowing.record import NarrowRecord
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.tflite.footprint import footprint
from tflite_squeeze.training.config import Distill, FineTune


def residual(library: Any) -> Any:
    """A trunk of 8 channels, a block of 16 beside it, a depthwise layer, and a Flatten."""
    layers = library.layers
    library.utils.set_random_seed(5)
    x = library.Input((6, 6, 1), name="image")
    stem = layers.Conv2D(8, 3, padding="same", name="stem")(x)
    y = layers.Conv2D(16, 3, padding="same", use_bias=False, name="inner")(stem)
    y = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(y))
    y = layers.GaussianNoise(0.01, name="noise")(y)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depth")(y)
    y = layers.Conv2D(8, 1, name="back")(y)
    y = layers.MaxPooling2D(2, name="pool")(layers.Add(name="add")([stem, y]))
    y = layers.Dense(12, activation="relu", name="hidden")(layers.Flatten(name="flat")(y))
    return library.Model(
        x, layers.Dense(3, activation="softmax", name="scores")(y), name="residual"
    )


@pytest.fixture
def images() -> np.ndarray:
    return tiny_models.examples(32, 6, 6, 1)


def _groups(model: Any) -> dict[tuple[str, ...], Any]:
    return {tuple(layer.name for layer in g.makers): g for g in channels_of(model).groups}


def test_layers_that_have_to_agree(library: Any) -> None:
    groups = _groups(residual(library))
    assert set(groups) == {("stem", "back"), ("inner",), ("hidden",), ("scores",)}
    trunk, inner = groups["stem", "back"], groups["inner",]
    assert [layer.name for layer in trunk.takers] == ["inner", "hidden"]
    assert trunk.size == 8
    assert [layer.name for layer in inner.passers] == ["bn", "depth"]
    assert [layer.name for layer in inner.takers] == ["back"]
    assert not trunk.fixed
    assert groups["scores",].fixed


def test_what_a_channel_weighs(library: Any) -> None:
    """By hand: ‖makers‖ / mean · ‖takers‖ / mean."""
    model = tiny_models.dense(library)
    made, taken = np.ones((8, 16), np.float32), np.ones((16, 3), np.float32)
    made[:, 1] = 3.0
    made[:, 2] = 0.0
    taken[4] = 0.0
    model.get_layer("hidden").set_weights([made, np.zeros(16)])
    model.get_layer("scores").set_weights([taken, np.zeros(3)])
    channels = channels_of(model)
    scores = channel_scores(channels, channels.groups[0])
    mean_made, mean_taken = (14 + 3) / 16, 15 / 16
    assert scores[0] == pytest.approx(1 / mean_made / mean_taken)
    assert scores[1] == pytest.approx(3 / mean_made / mean_taken)
    assert scores[2] == scores[4] == 0
    narrower, record = narrow(model, Narrow(ratio=0.5, multiple=1))
    assert narrower.get_layer("hidden").units == 8
    assert 3.0 in narrower.get_layer("hidden").get_weights()[0]
    (group,) = record.groups
    assert (group.before, group.after, group.dead) == (16, 8, 2)


def test_dead_filters_go_and_nothing_else_changes(library: Any, images: np.ndarray) -> None:
    model = residual(library)
    config = Prune(sparsity=0.5, granularity="filter", budget="uniform", only=("inner", "hidden"))
    pruned, _ = prune(model, config)
    narrower, record = narrow(pruned, Narrow(multiple=2))
    assert {g.layers: (g.before, g.after, g.dead) for g in record.groups} == {
        ("inner",): (16, 8, 8),
        ("hidden",): (12, 6, 6),
    }
    np.testing.assert_allclose(
        narrower.predict(images, verbose=0), pruned.predict(images, verbose=0), atol=1e-6
    )
    assert record.parameters_after < record.parameters_before == model.count_params()
    assert NarrowRecord.model_validate_json(record.model_dump_json()) == record
    # The check above can fail: filters that live are missed.
    cut, _ = narrow(model, Narrow(ratio=0.5, only=("inner",)))
    assert np.abs(cut.predict(images, verbose=0) - model.predict(images, verbose=0)).max() > 1e-4


def test_a_trunk_that_is_narrowed_or_left_alone(library: Any) -> None:
    model = residual(library)
    narrower, _ = narrow(model, Narrow(ratio=0.5, multiple=4))
    widths = {layer.name: layer.filters for layer in narrower.layers if hasattr(layer, "filters")
              and layer.name != "depth"}  # fmt: skip
    assert widths == {"stem": 4, "inner": 8, "back": 4}
    assert narrower.get_layer("hidden").get_weights()[0].shape == (9 * 4, 8)
    _, record = narrow(model, Narrow(ratio=0.5, multiple=4, coupled=False))
    assert {one.layers: one.reason for one in record.refused}[("stem", "back")] == (
        "its layers are coupled, and coupled is false"
    )


def test_layers_of_their_own_and_protected_ones(library: Any) -> None:
    config = Narrow(ratio=0.5, layers={"inner": 0.25}, multiple=1, protect=("stem",))
    narrower, record = narrow(residual(library), config)
    assert narrower.get_layer("inner").filters == 12
    assert narrower.get_layer("hidden").units == 6
    assert narrower.get_layer("stem").filters == 8
    assert any("asked for" in one.reason for one in record.refused)


@pytest.mark.slow
def test_it_trains_and_keeps_zeros_and_runs_faster_shapes(library: Any, images: np.ndarray) -> None:
    model = residual(library)
    pruned, _ = prune(model, Prune(sparsity=0.5, only=("hidden",)))
    y = np.arange(32) % 3
    data = {"x_train": images, "y_train": y, "x_test": images, "y_test": y}
    training = FineTune(epochs=2, batch=8, teacher="original")
    narrower, record = narrow(pruned, Narrow(ratio=0.5, only=("inner",)), data, training)
    kernel = narrower.get_layer("hidden").get_weights()[0]
    assert np.sum(kernel == 0) == np.sum(pruned.get_layer("hidden").get_weights()[0] == 0)
    assert record.finetune is not None
    assert record.finetune.distill == Distill(temperature=2.0)
    assert (record.finetune.batch, record.finetune.learning_rate) == (8, 2e-3)
    assert len(record.history["loss"]) == 2
    before = footprint(convert(model, Convert(quantize="int8"), data, verification=None).tflite)
    after = footprint(convert(narrower, Convert(quantize="int8"), data, verification=None).tflite)
    assert after.macs < 0.8 * before.macs


@pytest.mark.parametrize(
    ("build", "config", "said"),
    [
        (tiny_models.subclassed, Narrow(ratio=0.5), "has no graph of layers"),
        (tiny_models.dense, Narrow(ratio=0.25, multiple=16), "in multiples of 16, all 16"),
        (tiny_models.dense, Narrow(), "in multiples of 8, all 16"),
        (tiny_models.shared, Narrow(ratio=0.5, multiple=1), "the model's outputs"),
        (tiny_models.dense, Narrow(ratio=0.5, only=("scores",)), "softmax over all"),
    ],
)
def test_refused(library: Any, build: Any, config: Narrow, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        narrow(build(library), config)


def _half_dead(model: Any, *names: str) -> Any:
    """A model with every second filter of some layers, nested ones too, zeroed."""
    for layer in walk_layers(model):
        if layer.name in names:
            weights = layer.get_weights()
            for one in weights:
                one[..., ::2] = 0
            layer.set_weights(weights)
    return model


def test_nested_models_are_entered_and_stay_nested(library: Any, images: np.ndarray) -> None:
    layers = library.layers
    given = library.Input((6, 6, 1))
    answer = layers.Conv2D(8, 3, padding="same", name="back")(
        layers.Conv2D(8, 3, padding="same", activation="relu", name="front")(given)
    )
    backbone = library.Model(given, answer, name="backbone")
    x = library.Input((6, 6, 1), name="image")
    pooled = layers.GlobalAveragePooling2D()(backbone(x))
    model = library.Model(x, layers.Dense(3, activation="softmax", name="head")(pooled))
    narrower, record = narrow(_half_dead(model, "front", "back"), Narrow(multiple=1))
    assert {one.layers: one.after for one in record.groups} == {("front",): 4, ("back",): 4}
    assert [layer.name for layer in narrower.layers] == [layer.name for layer in model.layers]
    assert narrower.get_layer("backbone").get_layer("front").filters == 4
    np.testing.assert_allclose(narrower(images), model(images), atol=1e-6)


def test_a_sequential_that_was_grown_layer_by_layer(library: Any) -> None:
    model = library.Sequential([library.Input((6,), name="x")])
    model.add(library.layers.Dense(8, name="wide"))
    model.add(library.layers.Dense(2, name="scores"))
    narrower, _ = narrow(model, Narrow(ratio=0.5, multiple=1))
    assert type(narrower) is type(model)
    assert [layer.units for layer in narrower.layers] == [4, 2]


def _with_operation(library: Any, operation: Any) -> Any:
    layers = library.layers
    library.utils.set_random_seed(4)
    x = library.Input((6, 6, 1), name="image")
    y = operation(layers.Conv2D(8, 3, padding="same", use_bias=False, name="first")(x))
    y = layers.Conv2D(4, 3, name="second")(y)
    return library.Model(x, layers.Dense(2, name="scores")(layers.Flatten(name="flat")(y)))


@pytest.mark.parametrize("operation", [tf.nn.relu, lambda t: t + t, lambda t: tf.maximum(t, t)])
def test_operations_that_leave_channels_alone(operation: Any, images: np.ndarray) -> None:
    # TensorFlow's on tf_keras, whose layers they become; Keras 3 has its own under the same kinds.
    model = _half_dead(_with_operation(tiny_models.LIBRARIES["tf_keras"], operation), "first")
    narrower, record = narrow(model, Narrow(multiple=1, only=("first",)))
    assert [one.after for one in record.groups] == [4]
    np.testing.assert_allclose(narrower(images), model(images), atol=1e-6)


def test_widths_are_multiples_of_what_a_kernel_computes(library: Any) -> None:
    """Of two groups of 8 channels a unit is two; heads go one by one."""
    grouped = model_of(library, CASES["grouped conv"])
    _, record = narrow(grouped, Narrow(ratio=0.5, multiple=4))
    assert {one.layers: (one.before, one.after) for one in record.groups} == {
        ("a",): (8, 4), ("b",): (8, 4),
    }  # fmt: skip
    attention = model_of(library, CASES["multi-head attention"])
    _, record = narrow(attention, Narrow(ratio=0.5, only=("b",)))
    assert [(one.what, one.before, one.after) for one in record.groups] == [("heads", 4, 2)]
    with pytest.raises(UsageError, match="b: not among the layers that were asked for"):
        narrow(attention, Narrow(ratio=0.5, multiple=1, only=("a", "b"), protect=("a", "b")))


def test_no_branch_of_a_group_gets_lost(library: Any) -> None:
    """All that "b" makes is worth least, and one of it stays all the same."""
    model = model_of(library, CASES["added concatenation"])
    branch = model.get_layer("b")
    branch.set_weights([1e-3 * one for one in branch.get_weights()])
    narrower, record = narrow(model, Narrow(ratio=0.75, multiple=1))
    assert [narrower.get_layer(name).filters for name in "abc"] == [4, 1, 5]
    assert [(one.before, one.after) for one in record.groups] == [(14, 5)]


def test_zeros_stay_where_statistics_are_over_channels(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [library.Input((5,)), layers.Dense(8, name="a"), layers.LayerNormalization(name="norm"),
         layers.Dense(2, name="b")]
    )  # fmt: skip
    with pytest.raises(UsageError, match="over all channels, so that not even zeros go"):
        narrow(_half_dead(model, "a"), Narrow(multiple=1))
    narrower, _ = narrow(model, Narrow(ratio=0.25, multiple=1))
    # A normalisation over channels makes numbers of zeros: no more go than are asked for.
    assert narrower.get_layer("norm").get_weights()[0].shape == (6,)


@pytest.mark.slow
def test_a_backbone_under_a_head(library: Any) -> None:
    """MobileNetV2 as transfer learning makes it: nested, called for inference, a nested head."""
    layers, shape = library.layers, (32, 32, 3)
    backbone = library.applications.MobileNetV2(
        input_shape=shape, alpha=0.35, include_top=False, weights=None
    )
    backbone.trainable = False
    x = library.Input(shape, name="image")
    y = backbone(layers.Rescaling(1 / 127.5, offset=-1)(x), training=False)
    y = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(y))
    head = library.Sequential(
        [library.Input(y.shape[1:]), layers.Dense(16, name="hidden"), layers.Dense(4, name="out")],
        name="head",
    )
    model = library.Model(x, head(y), name="transfer")
    narrower, record = narrow(model, Narrow(ratio=0.5, multiple=1))
    assert [one.layers for one in record.refused] == [("out",)]
    assert record.parameters_after < 0.35 * record.parameters_before
    assert narrower.get_layer("head").get_layer("hidden").get_weights()[0].shape == (640, 8)
    assert not narrower.get_layer(backbone.name).trainable
    channels = channels_of(model)
    stays = every_second(channels)
    silence(channels, stays)
    images = tiny_models.examples(2, *shape)
    expected = np.asarray(model(images))
    np.testing.assert_allclose(cut(model, channels, stays)(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "between",
    [
        lambda library, hidden: library.layers.BatchNormalization(beta_initializer="ones")(hidden),
        lambda library, hidden: library.layers.Activation("sigmoid")(hidden),
        lambda library, hidden: library.layers.Rescaling(1.0, offset=0.5)(hidden),
        lambda _library, hidden: hidden + 1.0,
    ],
    ids=["normalization", "activation", "rescaling", "scalar"],
)
def test_units_that_are_constants_and_not_zero_are_not_dead(library: Any, between: Any) -> None:
    layers = library.layers
    given = library.Input((8,), name="x")
    hidden = layers.Dense(8, use_bias=False, name="hidden")(given)
    model = library.Model(given, layers.Dense(3)(between(library, hidden)))
    (kernel,) = model.get_layer("hidden").get_weights()
    kernel[:, ::2] = 0
    model.get_layer("hidden").set_weights([kernel])
    with pytest.raises(UsageError, match="nothing to narrow"):
        narrow(model, Narrow(multiple=1))
    # What takes nothing of them makes them dead all the same.
    (taken, bias) = model.layers[-1].get_weights()
    taken[::2] = 0
    model.layers[-1].set_weights([taken, bias])
    x = tiny_models.examples(4, 8)
    before = np.asarray(model(x))
    narrower, record = narrow(model, Narrow(multiple=1))
    assert [group.after for group in record.groups] == [4]
    np.testing.assert_allclose(np.asarray(narrower(x)), before, atol=1e-5)


def test_with_samples_constants_are_dead_too(library: Any) -> None:
    """Filters whose normalisation gives 0.3 for everything go; the bias behind makes up for it."""
    layers = library.layers
    model = library.Sequential(
        [
            library.Input((6, 6, 1), name="image"),
            layers.Conv2D(16, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Conv2D(8, 3, name="next"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, name="scores"),
        ]
    )
    gamma, beta, *moments = model.get_layer("norm").get_weights()
    gamma[::4], beta[::4] = 0, 0.3
    model.get_layer("norm").set_weights([gamma, beta, *moments])
    x = tiny_models.examples(64, 6, 6, 1)
    narrower, record = narrow(model, Narrow(multiple=1), x, one_shot=True)
    assert {one.layers: (one.before, one.after, one.dead) for one in record.groups} == {
        ("conv",): (16, 12, 4)
    }
    np.testing.assert_allclose(np.asarray(narrower(x)), np.asarray(model(x)), atol=1e-5)
    with pytest.raises(UsageError, match="nothing to narrow"):  # nothing makes up for them
        narrow(model, Narrow(multiple=1, repair=False), x, one_shot=True)


def test_what_a_recurrent_layer_remembers_is_not_called_constant(library: Any) -> None:
    """The last output of a unit is always 0, what it was before decides over the others."""
    layers = library.layers
    model = library.Sequential(
        [library.Input((5, 3), name="steps"), layers.LSTM(8, name="memory"), layers.Dense(2)]
    )
    kernel, recurrent, bias = model.get_layer("memory").get_weights()
    kernel[:, 24::2] = recurrent[:, 24::2] = 0  # gates of the outputs
    bias[24::2] = -200.0
    model.get_layer("memory").set_weights([kernel, recurrent, bias])
    with pytest.raises(UsageError, match="nothing to narrow"):
        narrow(model, Narrow(multiple=1), tiny_models.examples(32, 5, 3), one_shot=True)
