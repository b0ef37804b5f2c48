"""`tflite-squeeze cluster`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.sharing.record import ClusterRecord


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "shared.keras"


def _values(path: Path) -> list[int]:
    targets = select(load_model(path).model).targets
    return [len(np.unique(np.asarray(target.variable))) for target in targets]


def test_without_data_weights_share_at_once(run: Any, files: Any, out: Path) -> None:
    outcome = run("cluster", files.model, "-o", out, "--clusters", "4")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{out}: at most 4 values besides zero in 2 weights" in outcome.out
    assert "the cost of sharing in quality was not measured" in outcome.out
    assert "does not shrink the raw .tflite file" in " ".join(outcome.out.split())
    assert _values(out) == [4, 4]


@pytest.mark.slow
@pytest.mark.parametrize("flavor", LIBRARIES)
def test_both_kerases_train(run: Any, files: Any, out: Path, tmp_path: Path, flavor: str) -> None:
    source = tmp_path / "net.keras"
    save_model(tiny_models.dense(LIBRARIES[flavor]), source)
    outcome = run(
        "cluster", source, "-o", out, "--data", files.data, "--bits", "2", "--epochs", "2",
        "--max-drop", "1",
        "--layer", "scores=8", "--init", "density", "--reassign", "2", "--json", "-",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = ClusterRecord.model_validate_json(outcome.out)
    assert record.config.reassign == 2
    assert len(record.history["loss"]) == 2
    assert load_model(out).kind.value == flavor
    assert _values(out) == [4, 8]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "the number of shared values is not given: pass clusters, such as 16"),
        (("--clusters", "1"), "1 is not in the range 2<=x<=256"),
        (("--clusters", "4", "--bits", "2"), "clusters and bits contradict each other"),
        (("--clusters", "4", "--layer", "conv"), "--layer is 'conv': write PATTERN=NUMBER"),
        (("--clusters", "4", "--layer", "a=x"), "--layer is 'a=x': write PATTERN=NUMBER"),
        (("--clusters", "4", "--only", "conv"), "only names 'conv', which matches none of"),
        (("--max-drop", "0.1"), "max_drop is measured on labelled data"),
        (("--clusters", "64"), "nothing to share in model 'dense' (hidden/kernel: 64 values"),
    ],
    ids=str,
)
def test_refusals(run: Any, files: Any, out: Path, options: tuple, line: str) -> None:
    assert line in run("cluster", files.model, "-o", out, *options).refused()
    assert not out.exists()


def test_values_too_many_exit_1(
    run: Any, files: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClusterRecord, "reached", property(lambda record: False))
    outcome = run("cluster", files.model, "-o", out, "--clusters", "4")
    assert outcome.code == 1
    assert "has more values than were asked for, or lost zeros" in outcome.err
