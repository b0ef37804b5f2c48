"""A model run node by node: the same answers, and only what follows a change is run again."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.network.forward import Forward, answers, first_values, walk
from tflite_squeeze.network.graph import graph_of

SHAPES = {
    "dense": {"x": (8,)},
    "convolutional": {"image": (8, 8, 1)},
    "two_ended": {"a": (6,), "b": (2, 2, 1)},
    "keyed": {"a": (4,), "b": (4,)},
    "nested": {"x": (6,)},
    "shared": {"a": (4,), "b": (4,)},
}


@pytest.mark.parametrize("name", list(SHAPES))
def test_it_answers_as_the_model_does(library: Any, name: str) -> None:
    model = getattr(tiny_models, name)(library)
    inputs = {
        key: tiny_models.examples(5, *shape, seed=at)
        for at, (key, shape) in enumerate(SHAPES[name].items())
    }
    given = next(iter(inputs.values())) if len(inputs) == 1 else list(inputs.values())
    wanted = model(inputs if name == "keyed" else given)
    wanted = list(wanted.values()) if isinstance(wanted, dict) else wanted
    wanted = wanted if isinstance(wanted, list) else [wanted]
    for made, expected in zip(Forward(model, inputs).outputs, wanted, strict=True):
        np.testing.assert_allclose(made, expected, atol=1e-6)


def test_what_follows_a_change_is_run_again(library: Any) -> None:
    model, x = tiny_models.dense(library), tiny_models.examples(5, 8)
    run = Forward(model, {"x": x})
    before = run.outputs[0]
    last = model.layers[-1]
    last.set_weights([2 * one for one in last.get_weights()])
    np.testing.assert_allclose(run.outputs_after({id(last)})[0], model(x), atol=1e-6)
    np.testing.assert_array_equal(run.outputs_after(set())[0], before)
    np.testing.assert_array_equal(run.outputs[0], before)


def test_values_are_dropped_after_their_last_reader(library: Any) -> None:
    model, x = tiny_models.dense(library), tiny_models.examples(5, 8)
    graph = graph_of(model)
    values = first_values(graph, model, {"x": x})
    seen = []
    for node, known in walk(graph, values):
        seen.append(sorted(known))
        values |= answers(node, known)
    assert [len(one) for one in seen] == [1, 1]
    assert set(values) == set(map(str, graph.outputs))
