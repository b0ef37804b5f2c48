"""Models as functions of fixed shape; and what is refused before any conversion."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import TwoSignatures
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.trace import layers_of, prepared, traced
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.loading import load_model


def _traced(model: Any, **options: Any) -> Any:
    return traced(load_model(model), Convert(**options), unroll=False)


def test_inputs_and_outputs_keep_their_names(library: Any) -> None:
    (function,) = _traced(tiny_models.two_ended(library), batch=3).functions.values()
    _, inputs = function.structured_input_signature
    assert {name: tuple(spec.shape) for name, spec in inputs.items()} == {
        "a": (3, 6),
        "b": (3, 2, 2, 1),
    }
    assert {name: tuple(t.shape) for name, t in function.structured_outputs.items()} == {
        "classes": (3, 3),
        "value": (3, 1),
    }


def test_loops_are_seen(library: Any) -> None:
    assert _traced(tiny_models.recurrent(library, kind="GRU")).loops()
    assert not _traced(tiny_models.dense(library)).loops()


def test_mixed_precision_becomes_float32_with_a_note(library: Any) -> None:
    source = load_model(tiny_models.mixed_precision(library))
    ready, notes = prepared(source)
    assert notes == ("the model computes in mixed precision; the file computes in float32 with its "
                     "weights",)  # fmt: skip
    assert {layer.compute_dtype for layer in ready.model.layers} == {"float32"}
    assert "float16" in {layer.compute_dtype for layer in source.model.layers}
    for new, old in zip(ready.model.get_weights(), source.model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_float32_model_stays_the_same_object(library: Any) -> None:
    source = load_model(tiny_models.dense(library))
    assert prepared(source) == (source, ())


def test_mixed_precision_that_cannot_be_rebuilt_says_what_to_do(library: Any) -> None:
    class Times(library.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, factor: object) -> None:
            super().__init__()
            self.factor = factor

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor

    x = library.Input((3,))
    model = library.Model(
        x, library.layers.Dense(2, dtype="mixed_float16")(Times(np.float32(2))(x))
    )
    with pytest.raises(InputError, match=r"cannot be rebuilt in float32.*copy its weights"):
        prepared(load_model(model))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_weights_are_named_and_counted(library: Any, value: float) -> None:
    model = tiny_models.dense(library)
    weights = model.get_weights()
    weights[2][0, :2] = value
    model.set_weights(weights)
    with pytest.raises(InputError, match=r"weight .*scores/kernel.* holds 2 NaN .* of 48"):
        prepared(load_model(model))


def test_broken_weights_of_functions_are_found() -> None:
    module = TwoSignatures()
    module.weight.assign(tf.fill((3, 2), np.nan))
    with pytest.raises(InputError, match=r"weight weight:0 .* holds 6 NaN"):
        prepared(load_model(module.functions()))


def test_a_model_that_cannot_take_the_shape_says_which_option() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
    def square(x: Any) -> Any:
        return tf.matmul(x, tf.ensure_shape(x, (4, 4)))

    with pytest.raises(InputError, match="check --batch and --input-shape"):
        _traced(square.get_concrete_function(), input_shapes={"x": (2, 3)})


def test_layers_are_listed_nested_ones_too(library: Any) -> None:
    names = layers_of(load_model(tiny_models.nested(library)))
    assert {"inner", "deep", "y"} <= set(names)
    module = TwoSignatures()
    assert layers_of(load_model(module.functions())) == []
