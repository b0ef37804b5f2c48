"""The model's own answers, and samples for want of real ones."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze.emission.endpoints import Endpoint, endpoints_of
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.verification.reference import random_samples, reference_outputs


def _endpoint(call: Any, shape: tuple[int | None, ...], dtype: Any = tf.float32) -> Endpoint:
    return Endpoint(name="s", inputs={"x": tf.TensorSpec(shape, dtype, "x")}, call=call)


def _mean_beside(tensors: Any) -> Any:
    """Tells the size of the batch that it was run with."""
    x = tensors["x"]
    return {"y": x + 0 * tf.reduce_mean(x), "size": tf.fill([tf.shape(x)[0]], tf.shape(x)[0])}


def test_answers_are_the_models_in_inference_mode(library: Any) -> None:
    layers = library.layers
    model = library.Sequential([library.Input((4,), name="x"), layers.Dropout(0.9, name="y")])
    (endpoint,) = endpoints_of(load_model(model))
    x = examples(100, 4)
    (found,) = reference_outputs(endpoint, endpoint.inputs, {"x": x}).values()
    np.testing.assert_array_equal(found, x)


def test_a_batch_that_the_model_fixes_is_filled_up() -> None:
    endpoint = _endpoint(_mean_beside, (3, 2))
    x = examples(7, 2)
    found = reference_outputs(endpoint, endpoint.inputs, {"x": x})
    np.testing.assert_array_equal(found["y"], x)
    assert found["size"].tolist() == [3] * 7


def test_an_open_batch_is_run_in_pieces() -> None:
    endpoint = _endpoint(_mean_beside, (None, 2))
    found = reference_outputs(endpoint, endpoint.inputs, {"x": examples(70, 2)})
    assert found["size"].tolist() == [64] * 64 + [6] * 6


def test_an_output_without_examples_is_refused() -> None:
    endpoint = _endpoint(lambda tensors: {"y": tf.reduce_sum(tensors["x"])}, (None, 2))
    with pytest.raises(InputError, match=r"output 'y' has shape .* pass --no-verify"):
        reference_outputs(endpoint, endpoint.inputs, {"x": examples(5, 2)})


def test_random_samples_repeat_and_fit() -> None:
    endpoint = _endpoint(dict, (None, 3))
    first = random_samples(endpoint, {"x": (3,)}, 5)
    assert first.inputs["x"].shape == (5, 3)
    assert first.inputs["x"].dtype == np.float32
    assert not first.real
    np.testing.assert_array_equal(
        first.inputs["x"], random_samples(endpoint, {"x": (3,)}, 5).inputs["x"]
    )


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.uint8, tf.bool])
def test_random_integers_are_valid_indices(dtype: Any) -> None:
    values = random_samples(_endpoint(dict, (None, 9), dtype), {"x": (9,)}, 4).inputs["x"]
    assert set(np.unique(values.astype(int))) == {0, 1}
    assert values.dtype == dtype.as_numpy_dtype


def test_random_strings_make_no_sense() -> None:
    with pytest.raises(InputError, match=r"takes string, .* pass --data, or --no-verify"):
        random_samples(_endpoint(dict, (None,), tf.string), {"x": ()}, 4)


def test_a_model_with_a_dict_is_run(library: Any) -> None:
    (endpoint,) = endpoints_of(load_model(tiny_models.keyed(library)))
    a, b = examples(3, 4), examples(3, 4, seed=1)
    found = reference_outputs(endpoint, endpoint.inputs, {"b": b, "a": a})
    np.testing.assert_allclose(found["difference"], a - b)
