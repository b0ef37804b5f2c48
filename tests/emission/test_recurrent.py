"""Recurrent layers become what TFLite runs best, and the model is as before afterwards."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.converter import emit
from tflite_squeeze.emission.recurrent import recurrence_for_tflite, why_not_fusable
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import operator_names

pytestmark = pytest.mark.slow

STEPS = examples(16, 10, 3)


def _operators(tflite: bytes) -> list[str]:
    return [name for names in operator_names(tflite) for name in names]


def _calibrated() -> Any:
    return {"serving_default": lambda: ({"steps": STEPS[i : i + 1]} for i in range(len(STEPS)))}


def _answers(tflite: bytes) -> np.ndarray:
    (output,) = run_file(tflite, {"steps": STEPS}).outputs.values()
    return output


def test_an_lstm_is_fused_and_answers_as_keras_does(library: Any) -> None:
    model = tiny_models.recurrent(library)
    before = model.predict(STEPS, verbose=0)
    emitted = emit(load_model(model), Convert())
    names = _operators(emitted.tflite)
    assert names.count("UNIDIRECTIONAL_SEQUENCE_LSTM") == 1
    assert not [name for name in names if name == "WHILE" or name.startswith("Flex")]
    np.testing.assert_allclose(_answers(emitted.tflite), before, atol=1e-5)
    layer = model.get_layer("memory")
    assert "call" not in vars(layer)
    assert not layer.unroll
    np.testing.assert_array_equal(model.predict(STEPS, verbose=0), before)


def test_both_directions_are_fused(library: Any) -> None:
    layers = library.layers
    library.utils.set_random_seed(3)
    model = library.Sequential(
        [
            library.Input((10, 3), name="steps"),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        ]
    )
    tflite = emit(load_model(model), Convert()).tflite
    assert _operators(tflite).count("UNIDIRECTIONAL_SEQUENCE_LSTM") == 2
    np.testing.assert_allclose(_answers(tflite), model.predict(STEPS, verbose=0), atol=1e-5)


def test_a_gru_becomes_a_loop(library: Any) -> None:
    model = tiny_models.recurrent(library, kind="GRU")
    tflite = emit(load_model(model), Convert()).tflite
    assert _operators(tflite).count("WHILE") == 1
    np.testing.assert_allclose(_answers(tflite), model.predict(STEPS, verbose=0), atol=1e-5)


def test_an_int8_gru_is_unrolled_and_stays_as_it_was(library: Any) -> None:
    model = tiny_models.recurrent(library, kind="GRU")
    emitted = emit(load_model(model), Convert(quantize="int8"), _calibrated())
    names = _operators(emitted.tflite)
    assert "WHILE" not in names
    assert names.count("TANH") == 10
    assert any(note.startswith("memory (GRU) was unrolled") for note in emitted.notes)
    assert not model.get_layer("memory").unroll
    reference = model.predict(STEPS, verbose=0)
    assert np.abs(_answers(emitted.tflite) - reference).max() < 0.1 * np.abs(reference).max()


def test_an_int8_lstm_is_fused(library: Any) -> None:
    model = tiny_models.recurrent(library)
    emitted = emit(load_model(model), Convert(quantize="int8"), _calibrated())
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in _operators(emitted.tflite)
    assert emitted.float_operators == ()
    reference = model.predict(STEPS, verbose=0)
    assert np.abs(_answers(emitted.tflite) - reference).max() < 0.1 * np.abs(reference).max()


def test_a_masked_lstm_answers_as_keras_does(library: Any) -> None:
    model = tiny_models.recurrent(library, mask=True)
    emitted = emit(load_model(model), Convert())
    padded = STEPS.copy()
    padded[:, 6:] = 0
    (output,) = run_file(emitted.tflite, {"steps": padded}).outputs.values()
    np.testing.assert_allclose(output, model.predict(padded, verbose=0), atol=1e-5)
    assert "WHILE" in _operators(emitted.tflite)


def test_a_mask_is_named_as_the_reason_in_keras_3() -> None:
    model = tiny_models.recurrent(tiny_models.keras, mask=True)
    notes = emit(load_model(model), Convert()).notes
    assert notes == ("memory stays a loop instead of a fused LSTM: it takes a mask",)


def test_an_open_batch_is_a_clear_error(library: Any) -> None:
    source = load_model(tiny_models.recurrent(library))
    with pytest.raises(UnsupportedError, match=r"needs a fixed batch.*convert with --batch 1"):
        emit(source, Convert(batch="dynamic"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"activation": "relu"}, "activations are not tanh and sigmoid"),
        ({"recurrent_activation": "tanh"}, "activations are not tanh and sigmoid"),
        ({"use_bias": False}, "no bias"),
        ({"unroll": True}, "is set to unroll"),
        ({"recurrent_dropout": 0.5}, "recurrent dropout"),
    ],
)
def test_what_cannot_be_fused_says_why(library: Any, options: dict[str, Any], reason: str) -> None:
    layer = library.layers.LSTM(4, **options)
    assert reason in str(why_not_fusable(layer))


def test_only_a_plain_lstm_is_fusable(library: Any) -> None:
    assert why_not_fusable(library.layers.LSTM(4)) is None
    assert why_not_fusable(library.layers.GRU(4)) == "TFLite fuses LSTM only, not GRU"


def test_an_lstm_without_the_usual_activations_stays_a_loop(library: Any) -> None:
    model = tiny_models.recurrent(library, activation="relu")
    emitted = emit(load_model(model), Convert())
    assert "WHILE" in _operators(emitted.tflite)
    assert emitted.notes == (
        "memory stays a loop instead of a fused LSTM: its activations are not tanh and sigmoid",
    )
    np.testing.assert_allclose(_answers(emitted.tflite), model.predict(STEPS, verbose=0), atol=1e-5)


def test_layers_are_put_back_after_an_exception(library: Any) -> None:
    model = tiny_models.recurrent(library, kind="GRU")
    layer = model.get_layer("memory")

    def fail() -> None:
        with recurrence_for_tflite(model, unroll=True):
            assert layer.unroll
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not layer.unroll
