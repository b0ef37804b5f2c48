"""`tflite-squeeze doctor`, with proofs that are made up."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tflite_squeeze.doctor import doctor
from tflite_squeeze.doctor.doctor import DoctorRecord
from tflite_squeeze.foreign.torch.environments import TorchEnvironment


@pytest.fixture(autouse=True)
def _made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_run", lambda *asked: (0, ""))
    monkeypatch.setattr(doctor, "load_named_set", lambda name: None)
    here = TorchEnvironment(python=Path(sys.executable), version="2.13.0")
    monkeypatch.setattr(doctor, "find_torch", lambda: here)


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
    monkeypatch.setattr(doctor, "_run", lambda *asked: (1, "ImportError: bad build"))
    outcome = run("doctor", "--json", tmp_path / "a.json")
    assert outcome.code == 1
    assert "Error: the installation does not work (Keras 3: pip install keras" in outcome.err
    assert json.loads((tmp_path / "a.json").read_text())["parts"][0]["status"] == "broken"


def test_quiet_prints_nothing(run: Any) -> None:
    outcome = run("-q", "doctor")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_installing_says_the_size_and_waits_for_yes(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    line = run("doctor", "--install", "torch").refused()
    assert "MB of downloads" in line
    assert line.endswith("pass --yes to install it")
    assert not (tmp_path / "tflite_squeeze").exists()
