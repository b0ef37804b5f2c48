import json
from pathlib import Path

import pytest

from tests.command_runs import Run
from tests.runtime.runtime_files import custom_file, int8_dense_file
from tflite_squeeze.microcontrollers.export.record import MicroExportRecord


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(int8_dense_file())
    return path


@pytest.mark.slow
def test_a_folder_is_written_and_told_of(run: Run, dense: Path, tmp_path: Path) -> None:
    folder = tmp_path / "firmware"
    outcome = run("export", "micro", dense, "-o", folder, "--name", "dense")
    assert outcome.code == 0
    assert "dense.tflite on a microcontroller" in outcome.out
    assert "FULLY_CONNECTED" in outcome.out
    assert "8 files written; begin with README.md" in outcome.out
    assert (folder / "dense.cc").exists()
    assert "exists: pass --force" in run("export", "micro", dense, "-o", folder, "--name",
                                         "dense").refused()  # fmt: skip
    assert run("export", "micro", dense, "-o", folder, "--name", "dense", "--force").code == 0


def test_json_and_a_sketch(run: Run, dense: Path, tmp_path: Path) -> None:
    outcome = run("export", "micro", dense, "-o", tmp_path / "s", "--arduino", "--json", "-")
    record = MicroExportRecord.model_validate(json.loads(outcome.out))
    assert record.config.arduino
    assert (tmp_path / "s" / "model" / "model.ino").exists()


def test_an_arena_of_ones_own(run: Run, dense: Path, tmp_path: Path) -> None:
    assert run("export", "micro", dense, "-o", tmp_path / "a", "--arena", "64K").code == 0
    assert "MODEL_ARENA_BYTES 65536" in (tmp_path / "a" / "model.h").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--arena", "64"], "the smallest that works has"),
        (["--arena", "8"], "--arena is 8: Input should be greater than or equal to 16"),
        (["--arena", "much"], "256K or 1M, or 'auto'"),
        (["--name", "5x"], "cannot name a function in C"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    run: Run, dense: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    line = run("export", "micro", dense, "-o", tmp_path / "f", *options).refused()
    assert message in line
    assert not (tmp_path / "f").exists()


def test_a_file_that_tflm_cannot_run_is_refused(run: Run, dense: Path, tmp_path: Path) -> None:
    dense.write_bytes(custom_file("FlexErf"))
    line = run("export", "micro", dense, "-o", tmp_path / "f").refused()
    assert "FlexErf" in line
    assert not (tmp_path / "f").exists()


def test_the_help_names_the_target(run: Run) -> None:
    assert "micro" in run("export", "--help").out
    assert "Example: tflite-squeeze export micro" in run("export", "micro", "--help").out
