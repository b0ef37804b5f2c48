"""Everything that can be converted, seen as named functions from tensors to tensors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_files import dense_file
from tests.tiny_models import TwoSignatures, examples
from tflite_squeeze.emission.endpoints import Endpoint, endpoints_of, fixed_specs
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.loading import load_model


def _only(model: Any) -> Endpoint:
    (endpoint,) = endpoints_of(load_model(model))
    return endpoint


def _shapes(endpoint: Endpoint) -> dict[str, tuple[int | None, ...]]:
    return {name: tuple(spec.shape) for name, spec in endpoint.inputs.items()}


def test_a_sequential_model(library: Any) -> None:
    endpoint = _only(tiny_models.dense(library))
    assert endpoint.name == "serving_default"
    assert _shapes(endpoint) == {"x": (None, 8)}
    outputs = endpoint.call({"x": tf.zeros((2, 8))})
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {"scores": (2, 3)}


def test_several_inputs_and_outputs_keep_their_names(library: Any) -> None:
    endpoint = _only(tiny_models.two_ended(library))
    assert _shapes(endpoint) == {"a": (None, 6), "b": (None, 2, 2, 1)}
    outputs = endpoint.call({"b": tf.zeros((1, 2, 2, 1)), "a": tf.zeros((1, 6))})
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "classes": (1, 3),
        "value": (1, 1),
    }


def test_dicts_keep_their_keys_and_do_not_swap(library: Any) -> None:
    endpoint = _only(tiny_models.keyed(library))
    assert set(endpoint.inputs) == {"a", "b"}
    outputs = endpoint.call({"b": tf.ones((1, 4)), "a": 3 * tf.ones((1, 4))})
    assert outputs["difference"].numpy().tolist() == [[2.0] * 4]


def test_a_subclassed_model_is_known_once_it_was_called(library: Any) -> None:
    (shape,) = _shapes(_only(tiny_models.subclassed(library))).values()
    assert shape == (None, 5)
    with pytest.raises(InputError, match="was never called, so its input shape is unknown"):
        _only(tiny_models.subclassed(library, called=False))


def test_signatures_come_in_a_fixed_order() -> None:
    module = TwoSignatures()  # functions hold their variables weakly
    functions = module.functions()
    backwards = dict(reversed(functions.items()))
    for given in (functions, backwards):
        assert [item.name for item in endpoints_of(load_model(given))] == ["double", "project"]


def test_a_loaded_saved_model_and_its_folder_are_the_same(tmp_path: Path) -> None:
    module = TwoSignatures()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.functions())
    for source in (tmp_path / "saved", tf.saved_model.load(str(tmp_path / "saved"))):
        double, project = endpoints_of(load_model(source))
        assert _shapes(double) == _shapes(project) == {"x": (None, 3)}
        outputs = project.call({"x": tf.constant([[1.0, 0.0, 1.0]])})
        assert outputs["projected"].numpy().tolist() == [[6.0, 8.0]]


def test_a_concrete_function_with_positional_and_unnamed_results() -> None:
    @tf.function
    def minus(left: Any, right: Any) -> Any:
        return left - right, left

    spec = tf.TensorSpec([1, 2], tf.float32)
    endpoint = _only(minus.get_concrete_function(spec, spec))
    assert set(endpoint.inputs) == {"left", "right"}
    outputs = endpoint.call({"right": tf.constant([[1.0, 1.0]]), "left": tf.constant([[3.0, 5.0]])})
    assert outputs["output_0"].numpy().tolist() == [[2.0, 4.0]]
    assert outputs["output_1"].numpy().tolist() == [[3.0, 5.0]]


def test_the_signature_of_a_file_can_be_read_and_not_called() -> None:
    endpoint = _only(dense_file())
    assert {name: spec.shape for name, spec in endpoint.inputs.items()} == {"x": (1, 3)}
    with pytest.raises(UsageError, match=r"is a \.tflite file already: pass the Keras model"):
        endpoint.call({})


def _open(**shapes: tuple[int | None, ...] | None) -> Endpoint:
    specs = {name: tf.TensorSpec(shape, tf.float32, name) for name, shape in shapes.items()}
    return Endpoint(name="s", inputs=specs, call=dict)


def _fixed(
    endpoint: Endpoint, batch: int | str = 1, **given: tuple[int, ...]
) -> dict[str, tuple[int | None, ...]]:
    return {n: tuple(spec.shape) for n, spec in fixed_specs(endpoint, batch, given).items()}


def test_the_batch_is_filled_in() -> None:
    assert _fixed(_open(a=(None, 3), b=(None, 2))) == {"a": (1, 3), "b": (1, 2)}
    assert _fixed(_open(a=(None, 3)), 7) == {"a": (7, 3)}
    assert _fixed(_open(a=(None, 3)), "dynamic") == {"a": (None, 3)}


def test_a_batch_that_the_model_fixes_stays() -> None:
    assert _fixed(_open(a=(5, 3)), 2) == {"a": (5, 3)}
    assert _fixed(_open(a=())) == {"a": ()}


def test_a_given_shape_fills_what_is_open() -> None:
    assert _fixed(_open(a=(None, None, 3)), a=(2, 9, 3)) == {"a": (2, 9, 3)}
    assert _fixed(_open(a=None), a=(2, 9)) == {"a": (2, 9)}


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((None, None, 3), "pass --input-shape a=1,N,3 with numbers for N"),
        (None, "has no known shape: pass --input-shape a=1"),
    ],
)
def test_a_shape_that_stays_open_is_asked_for(
    shape: tuple[int | None, ...] | None, remedy: str
) -> None:
    with pytest.raises(InputError, match=remedy):
        _fixed(_open(a=shape))


@pytest.mark.parametrize("given", [(1, 4), (1, 3, 1), (2,)])
def test_a_shape_that_contradicts_the_model_is_refused(given: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"contradicts the model's \(None, 3\)"):
        _fixed(_open(a=(None, 3)), a=given)


def test_a_shape_for_an_input_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"names \['b'\], but the inputs are \['a'\]"):
        _fixed(_open(a=(None, 3)), b=(1, 3))


def test_calls_answer_as_the_model_does(library: Any) -> None:
    model = tiny_models.nested(library)
    x = examples(4, 6)
    outputs = _only(model).call({"x": tf.constant(x)})
    np.testing.assert_allclose(outputs["y"], model(x), rtol=1e-6)
