"""Larq Compute Engine: which files are for it, what they answer, and how long they take."""

from typing import Any

import numpy as np
import pytest
import tf_keras

from tests import tiny_models
from tests.emission.sparse.sparse_files import dense_chain
from tflite_squeeze.emission.chatter import Chatter
from tflite_squeeze.emission.larq import larq_file
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.profiling.profile import profile
from tflite_squeeze.profiling.record import Profile, ProfileRecord
from tflite_squeeze.profiling.tables import profile_tables
from tflite_squeeze.runtime.larq import differences, first_operators
from tflite_squeeze.runtime.larq_files import is_larq_file, larq_notes, runs_in_larq
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.tflite.flatbuffer import read_model


@pytest.fixture(scope="module")
def tflite() -> bytes:
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(1)
    parts = [layers.Dense(32, name="a"), layers.Dense(32, name="b"), layers.Dense(3, name="c")]
    model = tf_keras.Sequential([tf_keras.Input((32,), name="x"), *parts], name="tiny")
    return larq_file(binarize(model, Binarize()).model, Chatter())[0]


def test_files_are_told_apart(tflite: bytes) -> None:
    assert is_larq_file(tflite)
    assert not is_larq_file(dense_chain())
    assert runs_in_larq(tflite, "auto")
    assert not runs_in_larq(dense_chain(), "auto")
    assert runs_in_larq(dense_chain(), "larq")
    with pytest.raises(UsageError, match="LiteRT lacks: pass --runtime larq"):
        runs_in_larq(tflite, "litert")


def test_inputs_are_checked(tflite: bytes) -> None:
    x = tiny_models.examples(5, 32)
    result = run_file(tflite, {"x": x})
    assert [value.shape for value in result.outputs.values()] == [(5, 3)]
    with pytest.raises(InputError, match="the file takes inputs x; got y"):
        run_file(tflite, {"y": x})
    with pytest.raises(InputError, match=r"takes shape \(1, 32\)"):
        run_file(tflite, {"x": x[:, :7]})


@pytest.mark.slow
def test_profile(tflite: bytes) -> None:
    config = Profile(min_seconds=0.02, runs=5, warmup_seconds=0.01)
    record = profile(tflite, config)
    assert record.runtime == "larq"
    assert record.latency.median_us > 0
    assert record.memory.arena_bytes is None
    assert record.operators.by_difference
    assert [one.name for one in record.operators.operators].count("LceBconv2d") == 1
    assert record.size.binary_macs == 32 * 32
    assert ProfileRecord.model_validate_json(record.model_dump_json()) == record
    texts = [note for table in profile_tables(record) for note in table.notes]
    assert any("no profiler" in text for text in texts)
    assert any("Larq Compute Engine" in text for text in texts)
    plain = profile(dense_chain(), config.model_copy(update={"runtime": "larq"}))
    assert plain.runtime == "larq"
    assert not any(one.delegated for one in plain.operators.operators)


def test_the_line_about_this_machine() -> None:
    assert len(larq_notes("aarch64", indirect=False)) == 1
    assert "portable C++" in larq_notes("x86_64", indirect=True)[1]


def test_times_by_difference(tflite: bytes) -> None:
    assert differences(np.array([2.0, 5.0, 4.5, 7.0])) == [2.0, 3.0, 0.0, 2.0]
    model = read_model(tflite)
    whole = len(model.subgraphs[0].operators)
    short: Any = read_model(first_operators(model, 2))
    assert len(short.subgraphs[0].operators) == 2
    assert len(model.subgraphs[0].operators) == whole
    assert not short.signatureDefs
