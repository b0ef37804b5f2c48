"""`tflite-squeeze distill`, and `--teacher original` of the commands that compress."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.techniques.distillation.record import DistillRecord
from tflite_squeeze.techniques.pruning.record import PruneRecord


@pytest.fixture
def student(tmp_path: Path) -> Path:
    model = tiny_models.dense(LIBRARIES["tf_keras"])
    model.layers[-1].set_weights([-weight for weight in model.layers[-1].get_weights()])
    path = tmp_path / "student.h5"
    save_model(model, path)
    return path


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    np.savez(tmp_path / "x.npz", x=examples(96, 8))
    return tmp_path / "x.npz"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


TRAINING = ("--epochs", "12", "--batch-size", "16", "--learning-rate", "0.02")


@pytest.mark.slow
def test_with_labels_from_a_model(run: Any, files: Any, student: Path, tmp_path: Path) -> None:
    out = tmp_path / "taught.h5"
    outcome = run("distill", student, files.model, "-o", out, "--data", files.data, *TRAINING)
    assert (outcome.code, outcome.err) == (0, "")
    assert "same class as the teacher" in outcome.out
    assert "learnt from labels and teacher" in outcome.out
    assert outcome.out.splitlines()[-1] == f"{out}: distilled from {files.model}"
    assert load_model(out).kind.value == "tf_keras"


@pytest.mark.slow
def test_without_labels_from_an_ensemble(
    run: Any, files: Any, student: Path, unlabelled: Path, tmp_path: Path, cache: Path
) -> None:
    out = tmp_path / "taught.keras"
    outcome = run(
        "distill", student, files.model, files.tflite, "-o", out, "--data", unlabelled,
        "--distance", "mse", "--temperature", "2", "--no-cache", "--json", "-", *TRAINING,
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = DistillRecord.model_validate_json(outcome.out)
    assert [teacher.form for teacher in record.teachers] == ["keras", "tflite"]
    assert (record.config.distance, record.config.temperature) == ("mse", 2.0)
    assert not record.labelled
    assert record.agreement_after > record.agreement_before
    assert not cache.exists()


def test_a_student_that_ends_worse_is_exit_1(
    run: Any, files: Any, tmp_path: Path, unlabelled: Path
) -> None:
    out = tmp_path / "out.keras"
    # The teacher itself cannot come nearer to itself.
    twin = tmp_path / "twin.keras"
    twin.write_bytes(files.model.read_bytes())
    outcome = run(
        "distill", twin, files.model, "-o", out, "--data", unlabelled,
        "--epochs", "1", "--learning-rate", "1",
    )  # fmt: skip
    assert outcome.code == 1
    assert "is worse than the student was: train for more epochs" in outcome.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "pass --data"),
        (("--distance", "manhattan"), "distance is 'manhattan': give one of kl, mse"),
        (("--temperature", "0"), "0.0 is not in the range x>0"),
        (("--hint", "hidden"), "--hint is 'hidden': write STUDENT=TEACHER"),
        (("--epochs", "0"), "distillation is training"),
        (("--hint", "a=b", "--data", "{unlabelled}"), "hints name student layer 'a'"),
        (("--cache", "--hint", "hidden=hidden", "--data", "{unlabelled}"), "cache is True, but"),
    ],
)
def test_wrong_use_is_one_line(
    run: Any, files: Any, student: Path, unlabelled: Path, args: Any, said: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.keras"
    given = [arg.format(unlabelled=unlabelled) for arg in args]
    assert said in run("distill", student, files.model, "-o", out, *given).refused()
    assert not out.exists()


def test_prune_recovers_from_the_original_without_labels(
    run: Any, files: Any, unlabelled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pruned.keras"
    outcome = run(
        "prune", files.model, "-o", out, "--sparsity", "0.5", "--data", unlabelled,
        "--teacher", "original", "--temperature", "2", "--json", "-", *TRAINING,
        "--max-drop", "0.15",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = PruneRecord.model_validate_json(outcome.out)
    assert record.finetune is not None
    assert record.finetune.teacher == "original"
    assert record.finetune.distill is not None
    assert record.finetune.distill.temperature == 2.0
    assert len(record.history["distillation"]) == 12
    before, after = load_model(files.model).model, load_model(out).model
    x = examples(96, 8)
    same = np.argmax(before.predict(x, verbose=0), 1) == np.argmax(after.predict(x, verbose=0), 1)
    assert same.mean() > 0.85


@pytest.mark.slow
def test_cluster_recovers_from_the_original(
    run: Any, files: Any, unlabelled: Path, tmp_path: Path
) -> None:
    outcome = run(
        "cluster", files.model, "-o", tmp_path / "shared.keras", "--clusters", "4",
        "--data", unlabelled, "--teacher", "original", "--epochs", "2", "--max-drop", "1",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    assert "trained for 2 epochs" in outcome.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--teacher", "original"), "--teacher is given but nothing is trained: pass --data"),
        (("--teacher", "original", "--epochs", "2"), "--teacher needs examples"),
        (("--temperature", "2"), "--temperature is given without a teacher"),
        (("--label-weight", "2"), "--label-weight is given without a teacher"),
        (
            ("--epochs", "2", "--data", "{unlabelled}"),
            "needs labels to train on: pass labelled --data",
        ),
    ],
)
def test_a_teacher_that_is_asked_for_wrongly(
    run: Any, files: Any, unlabelled: Path, tmp_path: Path, args: Any, said: str
) -> None:
    given = [arg.format(unlabelled=unlabelled) for arg in args]
    out = tmp_path / "out.keras"
    assert said in run("prune", files.model, "-o", out, "--sparsity", "0.5", *given).refused()
