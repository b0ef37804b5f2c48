"""Scales of fused integer LSTMs: what the converter gets wrong, and its repair."""

from typing import Any

import numpy as np
import pytest
import tf_keras

from tests.tiny_models import examples
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.converter import emit
from tflite_squeeze.emission.recurrent import with_sound_lstm_scales
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.runtime.fidelity import sqnr_db
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import operator_names, pack_model, read_model

# On one worker, which makes what they share once.
pytestmark = [pytest.mark.xdist_group("lstm-scales"), pytest.mark.slow]

STEPS = examples(32, 10, 3)


def _stacked() -> Any:
    """The cell state of the second layer stays below 0.5."""
    layers = tf_keras.layers
    return [layers.LSTM(5, return_sequences=True), layers.LSTM(5, return_sequences=True)]


def _model(*, joined: bool) -> Any:
    tf_keras.utils.set_random_seed(0)
    layers = tf_keras.layers
    x = tf_keras.Input((10, 3), name="steps")
    first, second = _stacked()
    y = layers.Concatenate()([first(x), second(x)]) if joined else second(first(x))
    return tf_keras.Model(x, layers.Dense(2, name="y")(layers.Flatten()(y)))


def _lstms(tflite: bytes) -> tuple[Any, list[tuple[Any, Any]]]:
    model = read_model(tflite)
    graph = model.subgraphs[0]
    names = operator_names(tflite)[0]
    found = [
        (graph, operator)
        for operator, name in zip(graph.operators, names, strict=True)
        if name == "UNIDIRECTIONAL_SEQUENCE_LSTM"
    ]
    return model, found


def _scale(graph: Any, index: int) -> tuple[float, int]:
    quantization = graph.tensors[index].quantization
    return float(quantization.scale[0]), int(quantization.zeroPoint[0])


@pytest.fixture(scope="module", params=[True, False], ids=["joined", "stacked"])
def converted(request: pytest.FixtureRequest) -> tuple[np.ndarray, bytes]:
    model = _model(joined=request.param)
    calibration = {
        "serving_default": lambda: ({"steps": STEPS[i : i + 1]} for i in range(len(STEPS)))
    }
    emitted = emit(load_model(model), Convert(quantize="int8"), calibration)
    return model.predict(STEPS, verbose=0), emitted.tflite


def _sqnr(reference: np.ndarray, tflite: bytes) -> float:
    return sqnr_db(reference, run_file(tflite, {"steps": STEPS}).outputs["y"])


def test_several_int8_lstms_answer_as_the_model_does(converted: tuple[np.ndarray, bytes]) -> None:
    assert _sqnr(*converted) > 15


def test_every_scale_is_sound(converted: tuple[np.ndarray, bytes]) -> None:
    _, tflite = converted
    _, lstms = _lstms(tflite)
    assert len(lstms) == 2
    for graph, operator in lstms:
        assert _scale(graph, operator.inputs[19])[0] >= 2**-15
        output = _scale(graph, operator.outputs[0])
        assert _scale(graph, operator.inputs[18]) == output
        assert _scale(graph, operator.intermediates[4]) == output
    assert with_sound_lstm_scales(tflite) is tflite


def test_a_cell_state_too_narrow_is_noise_and_is_widened(
    converted: tuple[np.ndarray, bytes],
) -> None:
    reference, tflite = converted
    model, lstms = _lstms(tflite)
    for graph, operator in lstms:
        graph.tensors[operator.inputs[19]].quantization.scale = np.float32([2**-16])
    narrow = pack_model(model)
    assert _sqnr(reference, narrow) < 10
    repaired = with_sound_lstm_scales(narrow)
    for graph, operator in _lstms(repaired)[1]:
        assert _scale(graph, operator.inputs[19])[0] == 2**-15


def test_a_hidden_state_of_another_scale_is_noise_and_is_repaired(
    converted: tuple[np.ndarray, bytes],
) -> None:
    reference, tflite = converted
    model, lstms = _lstms(tflite)
    graph, operator = lstms[1]
    quantization = graph.tensors[operator.intermediates[4]].quantization
    quantization.zeroPoint = quantization.zeroPoint + 40
    wrong = pack_model(model)
    assert _sqnr(reference, wrong) < 10
    assert _sqnr(reference, with_sound_lstm_scales(wrong)) > 15
