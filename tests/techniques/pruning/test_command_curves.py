"""`tflite-squeeze prune` by curves that `sensitivity` measured before."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.sensitivity.record import SensitivityRecord


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "pruned.keras"


@pytest.fixture
def curves(files: Any, tmp_path: Path) -> Path:
    """Curves by which the first weight is dear and the second costs nothing."""
    record = SensitivityRecord(
        model="net", sha256=load_model(files.model).sha256, metric="accuracy", whole=1.0,
        granularity="element", samples=32, data="data.npz",
        sizes={"hidden/kernel": 128, "scores/kernel": 48},
        points={"hidden/kernel": ((0.5, 0.5), (0.9, 0.1)),
                "scores/kernel": ((0.5, 1.0), (0.9, 1.0))},
        complete=True,
    )  # fmt: skip
    path = tmp_path / "sensitivity.json"
    path.write_text(record.model_dump_json())
    return path


def test_measured_curves_are_not_measured_again(
    run: Any, files: Any, out: Path, curves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tflite_squeeze.techniques.pruning.prune as room

    monkeypatch.setattr(room, "measure_curves", lambda *a, **o: pytest.fail("measured again"))
    args = ("prune", files.model, "-o", out, "--sparsity", "0.25", "--budget", "sensitivity")
    outcome = run(*args, "--curves", curves)  # and no data is needed
    assert (outcome.code, outcome.err) == (0, "")
    targets = select(load_model(out).model).targets
    zeros = {each.name: int(np.sum(np.asarray(each.variable) == 0)) for each in targets}
    assert sum(zeros.values()) == pytest.approx(44, abs=1)
    assert zeros["scores/kernel"] >= 43


def test_curves_that_cannot_be_used(
    run: Any, files: Any, out: Path, curves: Path, tmp_path: Path
) -> None:
    options = ("--sparsity", "0.25", "--budget", "sensitivity", "--curves")
    args = ("prune", files.model, "-o", out, *options)
    assert "does not exist" in run(*args, tmp_path / "no.json").refused()
    assert "is not a record of sensitivity" in run(*args, files.data).refused()
    said = run(*args, curves, "--granularity", "1x4").refused()
    assert "was measured with granularity element, not 1x4" in said
    tiny_models.dense(LIBRARIES["tf_keras"]).save(tmp_path / "other.keras")
    said = run("prune", tmp_path / "other.keras", "-o", out, *options, curves).refused()
    assert "belongs to another model than other" in said
    assert "is the input itself" in run(*args, curves, "--force", "--json", curves).refused()
    assert not out.exists()
