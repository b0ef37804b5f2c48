"""Trials in a process of their own: the same bytes, errors by their kind, crashes that cost one."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, dense, examples
from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.dividing import set_aside
from tflite_squeeze.errors import RuntimeFailure
from tflite_squeeze.network import flavors
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.recipes.folder import data_sha256
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.search.trial import made_by
from tflite_squeeze.search.trial_process import Trials, inputs_for

RECIPE = Recipe.model_validate(
    {
        "name": "half",
        "set_aside": True,
        "steps": [
            {
                "narrow": {"ratio": 0.5, "multiple": 1},
                "finetune": {"steps": 5, "teacher": "original"},
            }
        ],
        "convert": {"quantize": "int8"},
    }
).resolved()


def _told(*_progress: Any) -> None:
    pass


def _trials(given: Any, scratch: Path, *, sha256: str = "") -> Trials:
    source = load_model(dense(LIBRARIES["keras"]))
    data = load_data(given).fitted_to(flavors.input_specs(source.model))
    sha256 = sha256 or data_sha256(data)
    inputs = inputs_for(given, source, data, sha256, scratch, allow_unsafe=False)
    return Trials(source, data, inputs, scratch, allow_unsafe=False)


@pytest.mark.slow
def test_a_child_makes_the_same_file_and_may_crash(tmp_path: Path) -> None:
    given = {"x": examples(400, 8)}
    with _trials(given, tmp_path) as trials:
        found = trials.made(RECIPE, _told)
        assert trials.notes == []
        child = trials._child
        assert child is not None
        os.kill(child._process.pid, signal.SIGKILL)
        with pytest.raises(RuntimeFailure, match="because memory ran out"):
            trials.made(RECIPE, _told)
        assert trials._child is None  # the next trial gets another one
    source = load_model(dense(LIBRARIES["keras"]))
    here = trials._data
    own = made_by(RECIPE, source, set_aside(here).choosing, _told, allow_unsafe=False)
    assert found.tflite == own.tflite
    assert (tmp_path / "given.npz").exists()


@pytest.mark.slow
def test_data_that_is_not_the_same_in_a_child_stays_here(tmp_path: Path) -> None:
    with _trials({"x": examples(40, 8)}, tmp_path, sha256="another") as trials:
        assert trials.made(RECIPE, _told).tflite
    assert "not the data that was given" in trials.notes[0]


def test_data_in_memory_alone_stays_here(tmp_path: Path) -> None:
    def generate() -> Any:
        yield from np.zeros((4, 8), np.float32)

    assert _trials(generate, tmp_path).notes == [
        "all trials run in the program's own process: the data is in its memory alone"
    ]
