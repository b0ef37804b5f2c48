import csv
import json

import pytest

from tests.runtime.runtime_files import crashing_file, named_dense_file
from tflite_squeeze.cli import main
from tflite_squeeze.profiling.record import ProfileRecord

QUICK = ["--runs", "3", "--min-seconds", "0"]


@pytest.fixture
def dense(tmp_path):
    path = tmp_path / "dense.tflite"
    path.write_bytes(named_dense_file())
    return path


def squeeze(*arguments) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


@pytest.mark.slow
@pytest.mark.own_process
def test_tables_are_printed(dense, capsys) -> None:
    assert squeeze("profile", dense, *QUICK) == 0
    out = capsys.readouterr().out
    for expected in ("Latency of dense.tflite, signature serve", "Memory", "Size", "Operators"):
        assert expected in out
    assert "XNNPACK" in out


@pytest.mark.slow
def test_json_alone_goes_to_standard_output(dense, capsys) -> None:
    assert squeeze("profile", dense, *QUICK, "--threads", 2, "--json", "-") == 0
    record = ProfileRecord.model_validate(json.loads(capsys.readouterr().out))
    assert record.config.threads == 2
    assert record.latency.runs >= 3


@pytest.mark.slow
def test_results_are_saved_in_every_form(dense, tmp_path, capsys) -> None:
    names = {"--json": "p.json", "--markdown": "p.md", "--csv": "p.csv", "--plot": "p.png",
             "--html": "p.html", "--node-data": "nodes.json"}  # fmt: skip
    targets = {option: tmp_path / name for option, name in names.items()}
    options = [item for pair in targets.items() for item in pair]
    assert squeeze("-q", "profile", dense, *QUICK, *options) == 0
    assert capsys.readouterr().out == ""
    assert ProfileRecord.model_validate_json(targets["--json"].read_text()).file == dense.name
    assert targets["--markdown"].read_text().startswith("## Latency of dense.tflite")
    with targets["--csv"].open() as file:
        rows = list(csv.DictReader(file))
    assert any(row["operator"].startswith("Fully Connected") for row in rows)
    assert targets["--plot"].read_bytes().startswith(b"\x89PNG")
    assert "<h1>Profile of dense.tflite</h1>" in targets["--html"].read_text()
    assert list(json.loads(targets["--node-data"].read_text())["results"]) == ["0"]
    # A second time only with --force.
    assert squeeze("-q", "profile", dense, *QUICK, "--plot", targets["--plot"]) == 2
    assert "exists" in capsys.readouterr().err
    assert squeeze("profile", dense, *QUICK, "--plot", targets["--plot"], "--force") == 0
    assert capsys.readouterr().out.endswith(f"{targets['--plot']}: written\n")


@pytest.mark.parametrize("option", ["--json", "--html", "--csv", "--node-data"])
def test_the_file_itself_is_never_written_over(dense, option: str, capsys) -> None:
    before = dense.read_bytes()
    assert squeeze("profile", dense, *QUICK, option, dense, "--force") == 2
    assert "is the input itself" in capsys.readouterr().err
    assert dense.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "not a .tflite file"),
        (b"not a model at all", "not a .tflite file"),
        (named_dense_file()[:300], "damaged"),
        (crashing_file(), "damaged"),
    ],
)
def test_an_unusable_file_is_one_line_and_exit_code_2(tmp_path, capsys, content, message) -> None:
    path = tmp_path / "bad.tflite"
    if content is not None:
        path.write_bytes(content)
    assert squeeze("profile", path, *QUICK) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("Error: ")
    assert message in captured.err


def test_two_outputs_of_one_name_are_refused(dense, tmp_path, capsys) -> None:
    outputs = ["--json", tmp_path / "p", "--csv", tmp_path / "p"]
    assert squeeze("profile", dense, *QUICK, *outputs) == 2
    assert "same file" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_a_signature_that_is_not_there_is_refused(dense, capsys) -> None:
    assert squeeze("profile", dense, *QUICK, "--signature", "train") == 2
    assert "no signature 'train': it has serve" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--runs", "0"],
        ["--threads", "0"],
        ["--min-seconds", "-1"],
        ["--min-seconds", "inf"],
        ["--time-limit", "nan"],
        ["--time-limit", "0"],
    ],
)
def test_options_that_make_no_sense_are_refused(dense, wrong, capsys) -> None:
    assert squeeze("profile", dense, *wrong) == 2
    assert wrong[0] in capsys.readouterr().err


def test_the_help_has_an_example(capsys) -> None:
    assert squeeze("profile", "--help") == 0
    assert "Example: tflite-squeeze profile" in capsys.readouterr().out
