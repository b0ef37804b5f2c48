import json
from pathlib import Path

import pytest

from tests.command_runs import Run
from tests.runtime.runtime_files import custom_file, int8_dense_file, named_dense_file
from tflite_squeeze.microcontrollers.ethos_u_record import EthosURecord
from tflite_squeeze.microcontrollers.record import MicroRecord


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(int8_dense_file())
    return path


def test_a_microcontroller(run: Run, dense: Path) -> None:
    outcome = run("profile", dense, "--runtime", "micro", "--max-ram", "256K", "--max-flash", "1M")
    assert outcome.code == 0
    for expected in ("dense.tflite on TFLM", "TFLM beside LiteRT", "AddFullyConnected", "262,144"):
        assert expected in outcome.out


def test_an_npu(run: Run, dense: Path) -> None:
    outcome = run("profile", dense, "--runtime", "ethos-u55-128")
    assert outcome.code == 0
    assert "the compiler's estimate" in outcome.out


@pytest.mark.parametrize("runtime", ["micro", "ethos-u55-128"])
def test_over_budget_is_exit_code_1_after_everything_was_shown_and_saved(
    run: Run, dense: Path, tmp_path: Path, runtime: str
) -> None:
    target = tmp_path / "p.json"
    outcome = run("profile", dense, "--runtime", runtime, "--max-ram", "1", "--json", target)
    assert outcome.code == 1
    assert "OVER BUDGET" in outcome.out
    (line,) = outcome.err.splitlines()
    assert "is over budget" in line
    assert json.loads(target.read_text())["over_budget"]


def test_everything_is_saved(run: Run, dense: Path, tmp_path: Path) -> None:
    kinds = {"micro": MicroRecord, "ethos-u65-256": EthosURecord}
    for runtime, kind in kinds.items():
        targets = {
            name: tmp_path / f"{runtime}.{name}" for name in ("json", "markdown", "csv", "html")
        }
        options = [item for name, path in targets.items() for item in (f"--{name}", path)]
        assert run("-q", "profile", dense, "--runtime", runtime, *options).code == 0
        assert kind.model_validate_json(targets["json"].read_text()).file == "dense.tflite"
        assert targets["markdown"].read_text().startswith("## dense.tflite on")
        assert f"for {runtime}</h1>" in targets["html"].read_text()
        assert targets["csv"].read_text().startswith("operator,count,")


@pytest.mark.parametrize(
    "option",
    [["--threads", "2"], ["--runs", "9"], ["--plot", "p.png"], ["--node-data", "nodes.json"]],
)
def test_what_times_this_machine_is_refused_for_others(
    run: Run, dense: Path, option: list[str]
) -> None:
    line = run("profile", dense, "--runtime", "micro", *option).refused()
    assert f"{option[0]} belongs to timing on this machine" in line


def test_budgets_are_refused_for_this_machine(run: Run, dense: Path) -> None:
    assert "add --runtime micro" in run("profile", dense, "--max-ram", "1K").refused()


def test_a_file_that_the_target_cannot_run_is_one_line(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "f.tflite"
    path.write_bytes(custom_file("FlexErf"))
    assert "TFLM has no kernel for FlexErf" in run("profile", path, "--runtime", "micro").refused()
    path.write_bytes(named_dense_file())
    line = run("profile", path, "--runtime", "ethos-u55-128").refused()
    assert "can run no operator" in line


def test_a_runtime_that_nobody_knows_is_refused(run: Run, dense: Path) -> None:
    assert "ethos-u55-128" in run("profile", dense, "--runtime", "ethos-u99").refused()
