"""`tflite-squeeze doctor`, with proofs that are made up."""

import json
from pathlib import Path
from typing import Any

import pytest

from tflite_squeeze.doctor import doctor
from tflite_squeeze.doctor.doctor import DoctorRecord


@pytest.fixture(autouse=True)
def _made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_run", lambda program: (0, ""))
    monkeypatch.setattr(doctor, "load_named_set", lambda name: None)


def test_a_healthy_installation(run: Any) -> None:
    outcome = run("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    assert "What works" in outcome.out
    assert "tensorflow" in outcome.out


def test_json_alone(run: Any) -> None:
    outcome = run("doctor", "--json", "-")
    record = DoctorRecord.model_validate_json(outcome.out)
    assert record.healthy
    assert record.model_dump_json(indent=2) + "\n" == outcome.out


def test_a_broken_part_exits_1_and_is_named(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "_run", lambda program: (1, "ImportError: bad build"))
    outcome = run("doctor", "--json", tmp_path / "a.json")
    assert outcome.code == 1
    assert "Error: the installation does not work (Keras 3: pip install keras" in outcome.err
    assert json.loads((tmp_path / "a.json").read_text())["parts"][0]["status"] == "broken"


def test_quiet_prints_nothing(run: Any) -> None:
    outcome = run("-q", "doctor")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
