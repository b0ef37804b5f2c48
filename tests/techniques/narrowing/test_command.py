"""`tflite-squeeze narrow`."""

from pathlib import Path
from typing import Any

import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.techniques.narrowing.record import NarrowRecord


@pytest.mark.parametrize("flavor", LIBRARIES)
def test_half_of_the_units(run: Any, tmp_path: Path, flavor: str) -> None:
    """8 → 16 → 3 has 195 parameters; with 8 units in the middle 99."""
    source, out = tmp_path / "net.keras", tmp_path / "narrow.keras"
    save_model(tiny_models.dense(LIBRARIES[flavor]), source)
    outcome = run("narrow", source, "-o", out, "--ratio", "0.5")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == f"{out}: 195 → 99 parameters"
    assert load_model(out).model.layers[0].units == 8


@pytest.mark.slow
def test_it_trains_what_is_left(run: Any, files: Any, tmp_path: Path) -> None:
    outcome = run(
        "narrow", files.model, "-o", tmp_path / "narrow.keras", "--data", files.data,
        "--layer", "hid*=0.75", "--multiple", "2", "--no-coupled", "--epochs", "2", "--json", "-",
        "--max-drop", "1",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = NarrowRecord.model_validate_json(outcome.out)
    assert not record.config.coupled
    assert [(group.before, group.after) for group in record.groups] == [(16, 4)]
    assert len(record.history["loss"]) == 2


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "nothing to narrow in model 'dense' (hidden: in multiples of 8, all 16 channels"),
        (("--ratio", "1"), "'--ratio': 1.0 is not in the range 0<=x<1"),
        (("--layer", "conv"), "--layer is 'conv': write PATTERN=FRACTION, such as conv_*=0.5"),
    ],
)
def test_wrong_use(
    run: Any, files: Any, tmp_path: Path, options: tuple[str, ...], line: str
) -> None:
    assert line in run("narrow", files.model, "-o", tmp_path / "out.keras", *options).refused()
