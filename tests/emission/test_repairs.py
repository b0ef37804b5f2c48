"""Repairs of graphs that contradict themselves, and of the models whose files do."""

from typing import Any

import numpy as np
import pytest

from tests.tiny_files import moving, state
from tests.tiny_models import examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.repairs import repaired
from tflite_squeeze.runtime.run import run_cases
from tflite_squeeze.tflite.fields import buffer_bytes, operator_name
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.structure import structural_faults


def _sound(tflite: bytes) -> Any:
    """The repaired file's object model, which has no fault left."""
    model = read_model(repaired(tflite))
    assert structural_faults(read_model(tflite))
    assert structural_faults(model) == ()
    return model


def test_a_sound_file_keeps_its_bytes() -> None:
    for tflite in (moving("REVERSE_V2", (0.5, 0.5)), state(("SVDF", 4))):
        assert repaired(tflite) == tflite


def test_numbers_are_rescaled_before_they_are_moved() -> None:
    tflite = moving("MAXIMUM", (0.5, 0.25, 0.25))
    model = _sound(tflite)
    assert [operator_name(model, one) for one in model.subgraphs[0].operators] == [
        "QUANTIZE",
        "MAXIMUM",
    ]
    one, other = np.int8([[10, -20, 30, 40]]), np.int8([[0, 0, 100, 0]])
    (found,) = run_cases(repaired(tflite), [{"t0": one, "t1": other}], delegate=False)
    assert found["t2"].tolist() == [[20, 0, 100, 80]]  # 10 * 0.5 is 20 * 0.25
    (before,) = run_cases(tflite, [{"t0": one, "t1": other}], delegate=False)
    assert before["t2"].tolist() == [[10, 0, 100, 40]]


def test_several_inputs_and_outputs_are_rescaled_each() -> None:
    assert operator_names(repaired(moving("CONCATENATION", (0.5, 0.25, 0.125)))) == [
        ["QUANTIZE", "QUANTIZE", "CONCATENATION"]
    ]
    split = moving("SPLIT", (0.5, 0.5, 0.25), outputs=2, axis=True)
    model = _sound(split)
    assert [operator_name(model, one) for one in model.subgraphs[0].operators] == [
        "SPLIT",
        "QUANTIZE",
    ]


def test_a_state_is_left_to_its_owner_and_others_get_zeros() -> None:
    model = _sound(state(("ADD", 1), ("SVDF", 4), ("RNN", 4)))
    graph = model.subgraphs[0]
    add, svdf, rnn = (one.inputs[-1] for one in graph.operators)
    assert len({int(add), int(svdf), int(rnn)}) == 3
    assert graph.tensors[svdf].isVariable
    assert graph.tensors[rnn].isVariable
    assert not graph.tensors[add].isVariable
    zeros = buffer_bytes(model.buffers[graph.tensors[add].buffer])
    assert np.frombuffer(zeros, np.float32).tolist() == [0, 0]


@pytest.mark.slow
def test_an_lstm_leaves_the_zeros_of_other_layers_alone(library: Any) -> None:
    layers = library.layers
    library.utils.set_random_seed(0)
    x = library.Input((8, 3), name="x")
    y = layers.SimpleRNN(4)(layers.LSTM(4, return_sequences=True)(x))
    model = library.Model(x, layers.Dense(2, name="y")(y))
    record = convert(model, Convert(), examples(8, 8, 3)).record.verification
    assert record is not None
    assert record.outputs[0].sqnr_db > 100


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
def test_a_reversed_branch_keeps_its_numbers(quantize: str) -> None:
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((6, 4), name="x")
    narrow = keras.layers.Dense(4)(x)
    wide = keras.layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(0, 2))(x)
    joined = keras.ops.concatenate([keras.ops.flip(narrow, 1), wide], axis=-1)
    record = convert(keras.Model(x, joined), Convert(quantize=quantize), examples(64, 6, 4)).record
    assert record.verification is not None
    assert record.verification.failures == ()
    assert min(item.sqnr_db for item in record.verification.outputs) > 25
