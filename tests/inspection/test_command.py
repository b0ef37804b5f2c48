import json

import pytest

from tests.tflite.test_quantization_plan import integer_dense
from tests.tiny_files import dense_file, quantization
from tflite_squeeze.cli import main
from tflite_squeeze.inspection.record import InspectRecord
from tflite_squeeze.network.quantization.plan_files import load_plan
from tflite_squeeze.tflite.flatbuffer import pack_model
from tflite_squeeze.tflite.quantization_plan import plan_of


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(dense_file())
    return path


def _run(*arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return int(stopped.value.code)


def test_the_tables_of_a_file(tiny, capsys) -> None:
    assert _run("inspect", tiny, "--no-measure") == 0
    out = capsys.readouterr().out
    for said in ("Operators of tiny", "FULLY_CONNECTED", "1x3", "Size", "Advice"):
        assert said in out


def test_json_alone_on_standard_output(tiny, capsys) -> None:
    assert _run("inspect", tiny, "--no-measure", "--json", "-") == 0
    record = InspectRecord.model_validate(json.loads(capsys.readouterr().out))
    assert (record.name, record.macs) == ("tiny", 6)
    assert record.path == str(tiny)


def test_files_are_written_once_and_replaced_on_demand(tiny, tmp_path, capsys) -> None:
    target, page = tmp_path / "tiny.json", tmp_path / "tiny.md"
    arguments = ("inspect", tiny, "--no-measure", "--json", target, "--markdown", page)
    assert _run(*arguments) == 0
    assert InspectRecord.model_validate_json(target.read_text()).parameters == 8
    assert "## Operators of tiny" in page.read_text()
    capsys.readouterr()
    assert _run(*arguments) == 2
    assert "exists" in capsys.readouterr().err
    assert _run(*arguments, "--force") == 0


def test_the_input_is_never_written_over(tiny, capsys) -> None:
    assert _run("inspect", tiny, "--no-measure", "--markdown", tiny, "--force") == 2
    assert "is the input itself" in capsys.readouterr().err
    assert tiny.read_bytes() == dense_file()


@pytest.mark.parametrize("content", [None, b"", b"hello", dense_file()[:100]])
def test_bad_input_is_one_clear_line(tmp_path, content, capsys) -> None:
    path = tmp_path / "bad.tflite"
    if content is not None:
        path.write_bytes(content)
    assert _run("inspect", path, "--no-measure") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Error: ")
    assert captured.err.count("\n") == 1


def test_quiet_prints_nothing(tiny, capsys) -> None:
    assert _run("--quiet", "inspect", tiny, "--no-measure") == 0
    assert capsys.readouterr().out == ""


def test_weights_are_listed_on_demand(tiny, capsys) -> None:
    assert _run("inspect", tiny, "--no-measure", "--verbose", "weights") == 0
    assert "Weights" in capsys.readouterr().out
    assert _run("inspect", tiny, "--no-measure") == 0
    assert "Weights" not in capsys.readouterr().out


def test_the_plan_is_shown_and_written(tmp_path, capsys) -> None:
    source, target = tmp_path / "small.tflite", tmp_path / "plan.yaml"
    source.write_bytes(integer_dense(kernel="int4").file([0], [3]))
    assert _run("inspect", source, "--no-measure", "--plan", target) == 0
    assert "Quantization plan" in capsys.readouterr().out
    plan = load_plan(target)
    assert plan == plan_of(source.read_bytes())
    assert plan.weights["w"].bits == 4
    assert _run("inspect", source, "--no-measure", "--json", "-") == 0
    assert InspectRecord.model_validate_json(capsys.readouterr().out).plan == plan
    assert _run("inspect", source, "--no-measure", "--plan", source, "--force") == 2


@pytest.mark.parametrize("name", ["lenet_5.keras", "lenet_5.h5"])
def test_a_model_has_a_plan_to_begin_with(models, tmp_path, name) -> None:
    target = tmp_path / "plan.yaml"
    assert _run("inspect", models / name, "--plan", target) == 0
    plan = load_plan(target)
    assert list(plan.weights)[:2] == ["conv_1/kernel", "conv_2/kernel"]
    assert {one.bits for one in plan.weights.values()} == {8}
    assert None in {one.low for one in plan.activations.values()}


def test_a_file_without_a_plan_is_inspected_all_the_same(tmp_path, capsys) -> None:
    source, target = tmp_path / "odd.tflite", tmp_path / "plan.yaml"
    model = integer_dense().model([0], [3])
    model.subgraphs[0].tensors[0].quantization = quantization([0.1], [200])
    source.write_bytes(pack_model(model))
    assert _run("inspect", source, "--no-measure") == 0
    assert "no quantization that a plan can describe" in capsys.readouterr().out
    assert _run("inspect", source, "--no-measure", "--plan", target) == 2
    assert capsys.readouterr().err.startswith("Error: --plan: tensor 'x'")
