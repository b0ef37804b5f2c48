"""Channels that are zero are cut out of every kind of layer, and no output changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.techniques.narrowing.cases import (
    CASES,
    every_second,
    examples_of,
    model_of,
    names_of,
    silence,
)
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.techniques.narrowing.channels import channels_of
from tflite_squeeze.techniques.narrowing.cutting import cut, staying

BOTH = [
    (flavor, name)
    for flavor in LIBRARIES
    for name, case in CASES.items()
    if case.only in ("", flavor)
]


@pytest.mark.parametrize(("flavor", "name"), BOTH)
def test_zero_channels_go_and_outputs_stay(flavor: str, name: str, tmp_path: Path) -> None:
    case, library = CASES[name], LIBRARIES[flavor]
    model, x = model_of(library, case), examples_of(case)
    channels = channels_of(model)
    free = {names_of(group): group.size for group in channels.groups if not group.fixed}
    assert free == case.free
    stays = every_second(channels)
    before = np.asarray(model(x))
    # The check can fail: the same cut of channels that are not zero changes the outputs, and what
    # is left is a whole model.
    rough = cut(model, channels, stays)
    answer = np.asarray(rough(x))
    assert np.abs(answer - before).max() > 1e-3
    assert rough.count_params() < model.count_params()
    save_model(rough, tmp_path / "rough.keras")
    loaded = load_model(tmp_path / "rough.keras").model
    np.testing.assert_allclose(loaded(x), answer, atol=1e-6)
    silence(channels, stays)
    after = np.asarray(model(x))
    assert np.ptp(after, axis=0).max() > 1e-3
    np.testing.assert_allclose(cut(model, channels, stays)(x), after, rtol=1e-5, atol=1e-5)


def test_the_positions_that_stay(library: Any) -> None:
    """Behind a Flatten of 36 places each channel occurs once a place."""
    channels = channels_of(model_of(library, CASES["addition"]))
    stays = every_second(channels)
    (flat,) = [value for value in channels.units if value.node == "flat"]
    assert len(channels.units[flat]) == 36 * 8
    assert staying(channels, flat, stays)[:6].tolist() == [1, 3, 5, 7, 9, 11]


def test_attention_whose_queries_alone_get_narrower(library: Any) -> None:
    """Without an output shape of its own, attention would put out as many channels."""
    model = model_of(library, CASES["multi-head attention"])
    channels = channels_of(model)
    stays = np.ones(len(channels.group_of), bool)
    stays[channels.groups[0].units[::2]] = False
    assert cut(model, channels, stays).get_layer("b").get_config()["output_shape"] == (8,)
    assert cut(model, channels, every_second(channels)).get_layer("b").get_config()[
        "output_shape"
    ] is None  # fmt: skip
