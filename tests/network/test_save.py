"""Saving a Keras model: whole, in the format that its name says, without chatter."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.errors import OutputError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import check_model_output, save_model


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
@pytest.mark.parametrize("flavor", LIBRARIES)
def test_round_trip_without_a_word(
    flavor: str, suffix: str, tmp_path: Path, capfd: Any, caplog: Any
) -> None:
    model = tiny_models.dense(LIBRARIES[flavor])
    model.compile(loss="mse", metrics=["accuracy"])
    path = tmp_path / f"net{suffix}"
    save_model(model, path)
    assert (*capfd.readouterr(), caplog.text) == ("", "", "")
    loaded = load_model(path)
    assert loaded.kind.value == flavor
    for old, new in zip(model.get_weights(), loaded.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_levels_of_loggers_are_put_back(tmp_path: Path) -> None:
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow")]
    before = [logger.level for logger in loggers]
    assert logging.ERROR not in before
    save_model(tiny_models.dense(keras), tmp_path / "net.h5")
    assert [logger.level for logger in loggers] == before


@pytest.mark.parametrize("flavor", LIBRARIES)
@pytest.mark.parametrize("name", ["net.tflite", "net", "net.KERAS"])
def test_other_suffixes_are_refused(flavor: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"use a name that ends in \.keras or \.h5"):
        save_model(tiny_models.dense(LIBRARIES[flavor]), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists: pass --force"):
        save_model(tiny_models.dense(keras), path)
    assert path.read_bytes() == b"precious"
    save_model(tiny_models.dense(keras), path, force=True)
    assert path.read_bytes()[:2] == b"PK"


def test_inputs_are_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="is the input itself"):
        check_model_output(path, force=True, inputs=[path])
    check_model_output(path, force=True, inputs=[tmp_path / "other.keras"])


def test_a_model_that_hdf5_cannot_hold(tmp_path: Path) -> None:
    model = tiny_models.subclassed(LIBRARIES["tf_keras"])
    with pytest.raises(OutputError, match=r"cannot save the model as .*: use \.keras$") as caught:
        save_model(model, tmp_path / "net.h5")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotImplementedError(), r"\(NotImplementedError\): give each layer of your own"),
        (TypeError("first\nsecond"), r"\(first\): give each layer of your own a get_config$"),
    ],
)
def test_whatever_keras_says_is_one_line(error: Exception, said: str, tmp_path: Path) -> None:
    class Stubborn:
        def save(self, path: Path) -> None:
            path.write_bytes(b"half")
            raise error

    with pytest.raises(OutputError, match=said):
        save_model(Stubborn(), tmp_path / "net.keras")
    assert list(tmp_path.iterdir()) == []
