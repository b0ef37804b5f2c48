"""Least-squares repair after a cut: exact where the loss can be made up for, never worse."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.techniques.narrowing.test_narrow import residual
from tflite_squeeze.network.graph import Value, graph_of
from tflite_squeeze.network.running import answers_of
from tflite_squeeze.techniques.narrowing.channels import channels_of
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.cutting import cut, staying
from tflite_squeeze.techniques.narrowing.narrow import narrow
from tflite_squeeze.techniques.narrowing.repair import Repaired, repair


def halved(model: Any, maker: str, count: int) -> tuple[Any, Any]:
    """A model without the first channels of a group, and which channels of a tensor stay."""
    channels = channels_of(model)
    (group,) = [g for g in channels.groups if maker in [layer.name for layer in g.makers]]
    stays = np.ones(len(channels.group_of), bool)
    stays[group.units[:count]] = False

    def stay(value: Value) -> Any:
        if stays[channels.units[value]].all():
            return None
        return staying(channels, value, stays)

    return cut(model, channels, stays), stay


def error(model: Any, other: Any, inputs: dict[str, Any]) -> float:
    return float(np.mean(np.square(answers_of(model, inputs)[0] - answers_of(other, inputs)[0])))


def test_what_others_hold_too_is_made_up_for(library: Any) -> None:
    """Unit 0 is unit 1 doubled, so that the layer behind can do without it."""
    layers = library.layers
    model = library.Sequential(
        [library.Input((8,), name="x"), layers.Dense(6, name="hidden"), layers.Dense(3, name="out")]
    )
    kernel, bias = model.get_layer("hidden").get_weights()
    kernel[:, 0], bias[0] = 2 * kernel[:, 1], 0.5
    model.get_layer("hidden").set_weights([kernel, bias])
    inputs = {"x": tiny_models.examples(64, 8)}
    narrower, stay = halved(model, "hidden", 1)
    cut_only = error(model, narrower, inputs)
    done = repair(narrower, model, inputs, stay, alpha=1e-9)
    assert done == Repaired(layers=("out",), normalizations=(), samples=64, left=())
    assert error(model, narrower, inputs) < 1e-9 < 1e-3 < cut_only


def test_a_residual_network_gets_nearer_to_the_original(library: Any) -> None:
    model = residual(library)
    inputs, others = ({"image": tiny_models.examples(64, 6, 6, 1, seed=at)} for at in (1, 2))
    narrower, stay = halved(model, "stem", 4)
    cut_only = error(model, narrower, others)
    done = repair(narrower, model, inputs, stay)
    assert {"inner", "depth", "hidden"} <= set(done.layers)
    assert done.normalizations == ("bn",)
    assert error(model, narrower, others) < 0.5 * cut_only


def test_a_branch_makes_up_for_what_the_other_lost(library: Any) -> None:
    """The trunk's lost channels cannot be had again; those that stay are right after the sum."""
    model = residual(library)
    inputs = {"image": tiny_models.examples(64, 6, 6, 1)}
    narrower, stay = halved(model, "inner", 8)
    repair(narrower, model, inputs, stay)
    assert error(model, narrower, inputs) < error(model, halved(model, "inner", 8)[0], inputs)


def test_zeros_of_earlier_pruning_stay(library: Any) -> None:
    model = tiny_models.dense(library)
    kernel, bias = model.get_layer("scores").get_weights()
    kernel[::2] = 0
    model.get_layer("scores").set_weights([kernel, bias])
    name = next(iter(graph_of(model).nodes))
    narrower, stay = halved(model, "hidden", 5)
    repair(narrower, model, {name: tiny_models.examples(64, 8)}, stay)
    found, shift = narrower.get_layer("scores").get_weights()
    np.testing.assert_allclose(found, kernel[5:], atol=1e-6)
    assert np.all(found[kernel[5:] == 0] == 0)
    assert not np.allclose(shift, bias)


def named_otherwise(library: Any) -> Any:
    """A dict of inputs whose keys are not the names of the tensors."""
    layers = library.layers
    first, second = library.Input((8,), name="a"), library.Input((8,), name="b")
    joined = layers.Concatenate()([layers.Dense(16, "relu")(first), layers.Dense(16)(second)])
    hidden = layers.Dense(16, "relu")(joined)
    return library.Model({"p": first, "q": second}, layers.Dense(3, "softmax")(hidden))


@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")
@pytest.mark.parametrize("score", ["least-squares", "fisher"])
def test_inputs_by_other_names(library: Any, score: Any) -> None:
    data = {f"x_train:{name}": tiny_models.examples(64, 8) for name in ("p", "q")}
    config = Narrow(ratio=0.5, score=score)
    _, record = narrow(named_otherwise(library), config, data, one_shot=True)
    assert record.repair is not None
    assert len(record.repair.layers) == 2


@pytest.mark.parametrize("score", ["least-squares", "fisher"])
def test_a_models_own_loss_is_no_part_of_its_answers(score: Any) -> None:
    """Its nodes have other names and another order in the narrower model."""
    tf_keras = tiny_models.LIBRARIES["tf_keras"]
    layers = tf_keras.layers
    given = tf_keras.Input((8,))
    hidden = layers.Dense(16, "relu")(given)
    model = tf_keras.Model(given, layers.Dense(3)(layers.Dense(16, "relu")(hidden)))
    model.add_loss(0.01 * tf_keras.backend.sum(hidden))
    model.add_metric(tf_keras.backend.mean(hidden), name="mean")
    data = {"x_train": tiny_models.examples(64, 8)}
    narrower, record = narrow(model, Narrow(ratio=0.5, score=score), data, one_shot=True)
    assert record.repair is not None
    assert len(record.repair.layers) == 1  # what the loss sums over keeps its width
    assert len(narrower.losses) == len(model.losses)
