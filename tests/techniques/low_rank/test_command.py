"""`tflite-squeeze factorize`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.techniques.low_rank.record import FactorizeRecord
from tflite_squeeze.training import progress


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "thin.keras"


def _left(out: Path) -> list[str]:
    return sorted(file.name for file in out.parent.iterdir())


def _kernels(path: Path) -> list[tuple[int, ...]]:
    return [weight.shape for weight in load_model(path).model.get_weights() if weight.ndim > 1]


def test_without_data_it_is_factorized_at_once(run: Any, files: Any, out: Path) -> None:
    outcome = run("factorize", files.model, "-o", out, "--rank", "2")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{out}: 2 layers split, 53.8% of the parameters" in outcome.out
    assert "the cost of factorization in quality was not measured" in outcome.out
    assert _left(out) == ["thin.keras"]
    assert _kernels(out) == [(8, 2), (2, 16), (16, 2), (2, 3)]


@pytest.mark.slow
@pytest.mark.parametrize("flavor", LIBRARIES)
def test_trained_on_labels_with_the_record_as_json(
    run: Any, files: Any, out: Path, tmp_path: Path, flavor: str
) -> None:
    source, written = tmp_path / "net.h5", out.with_suffix(".h5")
    save_model(tiny_models.dense(LIBRARIES[flavor]), source)
    outcome = run(
        "factorize", source, "-o", written, "--data", files.data, "--layer", "hidden=3",
        "--epochs", "2", "--batch-size", "16", "--json", "-", "--max-drop", "1",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = FactorizeRecord.model_validate_json(outcome.out)
    assert record.finetune is not None
    assert record.finetune.epochs == 2
    assert [split.layer for split in record.layers] == ["hidden"]
    assert record.layers[0].data_aware
    assert [item.reason for item in record.skipped] == ["not among the layers that were asked for"]
    assert _kernels(written)[:2] == [(8, 3), (3, 16)]


def test_where_nothing_pays_no_file_is_written(run: Any, files: Any, out: Path) -> None:
    outcome = run("factorize", files.model, "-o", out, "--rank", "7")
    assert outcome.code == 1
    assert "168 parameters rather than 128" in outcome.out
    assert "was not written, every split was refused" in outcome.err
    assert _left(out) == []


@pytest.mark.slow
def test_measured(run: Any, files: Any, out: Path) -> None:
    outcome = run(
        "factorize", files.model, "-o", out, "--rank", "2", "--only", "hidden", "--measure"
    )
    # So small a network is as fast either way; whatever the times were, they are shown.
    assert outcome.code in (0, 1)
    assert " us" in outcome.out


def test_factorized_layers_are_written_and_read(run: Any, files: Any, out: Path) -> None:
    outcome = run("-q", "factorize", files.model, "-o", out, "--rank", "2", "--factorized-layers")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    loaded = load_model(out).model
    assert [type(layer).__name__ for layer in loaded.layers] == ["FactorizedDense"] * 2
    assert np.isfinite(loaded(tiny_models.examples(2, 8))).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "no rule for the ranks is given"),
        (("--rank", "2", "--energy", "0.9"), "contradict each other"),
        (("--energy", "1.5"), "1.5 is not in the range 0<x<1"),
        (("--layer", "hidden=x"), "write PATTERN=RANK"),
        (("--rank", "2", "--only", "nobody"), "matches none of"),
        (("--budget", "macs"), "pass both"),
        (("--rank", "2", "--quantize", "int8"), "pass both"),
        (("--max-error", "0.1"), "pass data"),
        (("--rank", "2", "--epochs", "1"), "pass labelled --data"),
    ],
)
def test_wrong_use(run: Any, files: Any, out: Path, options: tuple[str, ...], message: str) -> None:
    line = run("factorize", files.model, "-o", out, *options).refused()
    assert message in line
    assert _left(out) == []


def test_a_budget_with_lines_of_progress(
    run: Any, files: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    asked = ("factorize", files.model, "-o", out, "--budget", "macs", "--keep", "0.7")
    outcome = run(*asked, "--data", files.data, "--epochs", "0", "--max-drop", "1")
    assert outcome.code == 0
    assert f"Factorizing {files.model}: measuring layers: 0 of 2" in outcome.err
    assert "Allocations of the budget" in outcome.out
    assert "layers solved by least squares on" in outcome.out


def test_a_tflite_file_gets_its_layers_first(run: Any, files: Any, out: Path) -> None:
    done = run("factorize", files.tflite, "-o", out, "--rank", "2")
    assert done.code == 0, done.err
    assert "rebuilt from" in done.out
