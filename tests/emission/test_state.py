"""State that is no weight: recurrent layers that go on, captured variables, tables."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tests.tiny_models import examples
from tests.trained_models import in_turn
from tflite_squeeze.conversion.convert import Converted, convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.converter import emit
from tflite_squeeze.emission.state import fresh_states, stateful_layers
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.runtime.fidelity import sqnr_db

WINDOWS = examples(48, 5, 3)


def _model(library: Any, *chain: Any) -> Any:
    x = y = library.layers.Input((5, 3), batch_size=1, name="x")
    for layer in chain:
        y = layer(y)
    return library.Model(x, library.layers.Dense(2, name="y")(y))


def _recurrent(library: Any, kind: str, **options: Any) -> Any:
    library.utils.set_random_seed(0)
    return _model(
        library, getattr(library.layers, kind)(4, stateful=True, name="memory", **options)
    )


def _streamed(tflite: bytes) -> np.ndarray:
    """One interpreter, window after window, as an app does it."""
    interpreter = Interpreter(model_content=tflite)
    run = interpreter.get_signature_runner()
    return np.concatenate([run(x=WINDOWS[at : at + 1])["y"] for at in range(16)])


def _answers(model: Any) -> np.ndarray:
    layer = model.get_layer("memory")
    (layer.reset_state if hasattr(layer, "reset_state") else layer.reset_states)()
    return np.concatenate([np.asarray(model(WINDOWS[at : at + 1])) for at in range(16)])


def _converted(model: Any, quantize: str = "none") -> Converted:
    data = {"x_train": WINDOWS, "x_test": WINDOWS[:16]}
    return convert(model, Convert(quantize=quantize), data)


@pytest.mark.slow
@in_turn(
    "kind,quantize,least_db",
    {
        "LSTM": ("LSTM", "none", 100),
        "LSTM-int8": ("LSTM", "int8", 20),
        "GRU-int8": ("GRU", "int8", 20),
        "GRU": ("GRU", "none", 100),
    },
)
def test_windows_are_streamed_through_model_and_file(
    library: Any, kind: str, quantize: str, least_db: float
) -> None:
    model = _recurrent(library, kind)
    converted = _converted(model, quantize)
    ours = _answers(model)
    assert sqnr_db(ours, _streamed(converted.tflite)) > least_db
    # Windows that are taken one by one are answered otherwise: there is something to remember.
    assert sqnr_db(ours[1:2], _answers(model)[:1]) < 20
    record = converted.record
    assert record.passed
    assert ("UNIDIRECTIONAL_SEQUENCE_LSTM" in record.operators) is (kind == "LSTM")
    anew = "reset_all_variables() restarts" if kind == "LSTM" else "only a new interpreter"
    assert any(note.startswith("memory is stateful") and anew in note for note in record.notes)
    assert record.verification is not None
    assert any("ran the samples in order" in note for note in record.verification.notes)


@pytest.mark.slow
def test_a_layer_beside_a_stateful_one_starts_anew_in_each_run(library: Any) -> None:
    library.utils.set_random_seed(0)
    layers = library.layers
    first = layers.LSTM(4, stateful=True, return_sequences=True, name="memory")
    model = _model(library, first, layers.LSTM(4, name="plain"))
    converted = _converted(model)
    assert sqnr_db(_answers(model), _streamed(converted.tflite)) > 100
    assert converted.record.operators["UNIDIRECTIONAL_SEQUENCE_LSTM"] == 1
    assert any("plain stays a loop" in note for note in converted.record.notes)


def test_the_models_own_state_is_as_before_and_no_part_of_the_file(library: Any) -> None:
    model = _recurrent(library, "GRU")
    source = load_model(model)
    (layer,) = stateful_layers(source)
    model(WINDOWS[:1])
    before = [np.asarray(state) for state in tf.nest.flatten(layer.states)]
    assert np.any(before[0])
    with fresh_states(source):
        assert not np.any(np.asarray(tf.nest.flatten(layer.states)[0]))
        model(WINDOWS[1:2])
    np.testing.assert_array_equal(np.asarray(tf.nest.flatten(layer.states)[0]), before[0])
    tflite = emit(source, Convert()).tflite
    assert sqnr_db(_answers(model), _streamed(tflite)) > 100


class _Boxed(keras.layers.Layer):  # type: ignore[misc]
    """Keeps a variable where Keras does not look."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.box = {"value": tf.Variable(3.0)}

    def call(self, inputs: Any) -> Any:
        return inputs * self.box["value"]


class _Counting(_Boxed):
    def call(self, inputs: Any) -> Any:
        self.box["value"].assign_add(1.0)
        return super().call(inputs)


def test_variables_that_no_layer_tracks_become_constants() -> None:
    model = _model(keras, keras.layers.Flatten(), _Boxed())
    converted = _converted(model)
    assert converted.record.passed
    assert "READ_VARIABLE" not in converted.record.operators


def _table() -> Any:
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant([0], tf.int64), tf.constant([5.0]))
    table = tf.lookup.StaticHashTable(pairs, -1.0)
    return keras.layers.Lambda(
        lambda x: x + table.lookup(tf.cast(x, tf.int64)), output_shape=(15,), name="culprit"
    )


def _iterator() -> Any:
    numbers = iter(tf.data.Dataset.from_tensors(1.0).repeat())
    return keras.layers.Lambda(lambda x: x + next(numbers), output_shape=(15,), name="culprit")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_table, "layer 'culprit' keeps a table or another resource outside of the graph"),
        (_iterator, "layer 'culprit' keeps a table or another resource outside of the graph"),
        (lambda: _Counting(name="culprit"), "layer 'culprit' changes a variable whenever it is"),
    ],
)
def test_what_no_file_holds_is_refused_with_the_layers_name(make: Any, said: str) -> None:
    with pytest.raises(UnsupportedError) as refused:
        convert(_model(keras, keras.layers.Flatten(), make()))
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_lookup_layers_are_refused_with_their_names(library: Any) -> None:
    layers = library.layers
    x = layers.Input((1,), dtype="int64", name="x")
    ids = layers.IntegerLookup(vocabulary=[10, 20, 30], name="culprit")(x)
    model = library.Model(x, layers.Flatten()(layers.Embedding(5, 3)(ids)))
    with pytest.raises(UnsupportedError, match="layer 'culprit' keeps a table"):
        convert(model)
