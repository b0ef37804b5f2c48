"""Factorization measured on the LiteRT interpreter: kept where faster, refused where not."""

from typing import Any

import keras
import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.runtime.turns import in_turns, turn_by_turn
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorize import factorize

pytestmark = pytest.mark.slow


def _wide() -> Any:
    """A layer that is far wider than its rank must be, and one too small to matter."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((1024,), name="x"),
            layers.Dense(1024, name="wide"),
            layers.Dense(8, name="narrow"),
            layers.Dense(8, name="last"),
        ],
        name="wide",
    )


def test_what_is_faster_is_kept_and_what_is_not_is_refused_with_the_times() -> None:
    made, record = factorize(_wide(), Factorize(ranks={"wide": 16, "last": 3}, measure="none"))
    kept = {split.layer: split.time for split in record.layers}
    assert kept["wide"] is not None
    assert kept["wide"].ratio < 0.5
    refused = {refusal.split.layer: refusal for refusal in record.refused}
    # 64 weights take next to no time, in one layer or in two.
    assert "measured: it takes" in refused["last"].reason
    assert refused["last"].split.time is not None
    assert record.file_time is not None
    assert record.file_time.ratio < 0.7
    assert record.reached
    assert "wide_factor_1" in [layer.name for layer in made.layers]


def test_int8_candidates_of_the_other_keras() -> None:
    model = tiny_models.dense(tiny_models.LIBRARIES["tf_keras"])
    _, record = factorize(model, Factorize(ranks={"hidden": 2}, measure="int8"))
    assert len(record.layers) + len(record.refused) == 1
    assert all(refusal.split.time is not None for refusal in record.refused)


def test_turns_are_as_many_for_each() -> None:
    model = tiny_models.dense(keras)
    tflite = convert(model, verification=None).tflite
    times = turn_by_turn({"one": tflite, "two": tflite})
    assert times["one"].shape == times["two"].shape
    assert np.median(times["one"] / times["two"]) == pytest.approx(1, abs=0.3)
    assert set(in_turns({"one": tflite})) == {"one"}
