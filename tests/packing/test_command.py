"""`pack` and `unpack` as a shell runs them: there and back, refusals, nothing half-written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_runs import Files, Run
from tests.packing.packed_files import FILES
from tests.tiny_files import dense_file
from tflite_squeeze.packing import command as pack_cli
from tflite_squeeze.packing import pack as packed_module
from tflite_squeeze.packing.record import PackRecord


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(FILES["shared values"])
    return path


def test_there_and_back(net: Path, tmp_path: Path, run: Run) -> None:
    packed, back = tmp_path / "net.tflite.sqz", tmp_path / "back.tflite"
    outcome = run("pack", net, "-o", packed)
    assert outcome.code == 0
    assert "Packing of net.tflite" in outcome.out
    outcome = run("unpack", packed, "-o", back)
    assert outcome.code == 0
    assert "SHA-256 checked" in outcome.out
    assert back.read_bytes() == net.read_bytes()
    assert packed.stat().st_size < net.stat().st_size / 20


def test_a_converted_model_there_and_back(files: Files, tmp_path: Path, run: Run) -> None:
    packed, back = tmp_path / "net.sqz", tmp_path / "back.tflite"
    assert run("pack", files.tflite, "-o", packed).code == 0
    assert run("-q", "unpack", packed, "-o", back).out == ""
    assert back.read_bytes() == files.tflite.read_bytes()


@pytest.mark.slow
def test_the_reader_that_is_written_unpacks_the_file(net: Path, tmp_path: Path, run: Run) -> None:
    packed, reader = tmp_path / "net.sqz", tmp_path / "reader.py"
    assert run("pack", net, "-o", packed, "--reader", reader).code == 0
    subprocess.run([sys.executable, "-I", reader, packed, tmp_path / "back"], check=True)
    assert (tmp_path / "back").read_bytes() == net.read_bytes()
    assert (
        "same file" in run("pack", net, "-o", tmp_path / "a", "--reader", tmp_path / "a").refused()
    )


def test_what_is_stripped_is_said(files: Files, tmp_path: Path, run: Run) -> None:
    whole, less = tmp_path / "whole.sqz", tmp_path / "less.sqz"
    assert "were removed first" not in run("pack", files.tflite, "-o", whole).out
    outcome = run("pack", files.tflite, "-o", less, "--strip")
    assert "were removed first" in outcome.out
    assert "Bytes of the packed file" in outcome.out
    assert less.stat().st_size < whole.stat().st_size


@pytest.mark.parametrize("suffix", ["c", "kt"])
def test_readers_of_other_languages(net: Path, tmp_path: Path, run: Run, suffix: str) -> None:
    reader = tmp_path / f"reader.{suffix}"
    assert run("pack", net, "-o", tmp_path / "net.sqz", "--reader", reader).code == 0
    source = Path(pack_cli.__file__).with_name(f"sqz_reader.{suffix}")
    assert reader.read_bytes() == source.read_bytes()


def test_a_reader_of_an_unknown_language_is_refused(net: Path, tmp_path: Path, run: Run) -> None:
    line = run("pack", net, "-o", tmp_path / "net.sqz", "--reader", tmp_path / "a.rs").refused()
    assert "must end in one of .py, .c, .kt" in line
    assert not (tmp_path / "net.sqz").exists()


def test_json_alone_on_standard_output(net: Path, tmp_path: Path, run: Run) -> None:
    outcome = run("pack", net, "-o", tmp_path / "net.sqz", "--json", "-")
    record = PackRecord.model_validate(json.loads(outcome.out))
    assert record.packed_bytes == (tmp_path / "net.sqz").stat().st_size


def test_what_gains_nothing_is_written_only_on_demand(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, packed = tmp_path / "net.tflite", tmp_path / "net.sqz"
    net.write_bytes(dense_file())
    monkeypatch.setattr(packed_module, "pack", lambda tflite: tflite + b"more")
    outcome = run("pack", net, "-o", packed)
    assert outcome.code == 1
    assert "packing gains nothing" in outcome.err
    assert "pass --allow-larger" in outcome.err
    assert not packed.exists()
    assert run("pack", net, "-o", packed, "--allow-larger").code == 0
    assert packed.read_bytes() == dense_file() + b"more"


@pytest.mark.slow
def test_files_are_replaced_only_on_demand(net: Path, tmp_path: Path, run: Run) -> None:
    packed, back = tmp_path / "net.sqz", tmp_path / "back.tflite"
    for arguments in (("pack", net, "-o", packed), ("unpack", packed, "-o", back)):
        assert run(*arguments).code == 0
        assert "exists" in run(*arguments).refused()
        assert run(*arguments, "--force").code == 0
    assert "is the input itself" in run("pack", net, "-o", net, "--force").refused()
    assert "is the input itself" in run("unpack", packed, "-o", packed, "--force").refused()


@pytest.mark.parametrize("content", [None, b"", b"hello", FILES["int8"][:3000]])
def test_bad_input_is_one_clear_line(content: bytes | None, tmp_path: Path, run: Run) -> None:
    bad, target = tmp_path / "bad", tmp_path / "target"
    if content is not None:
        bad.write_bytes(content)
    for command in ("pack", "unpack"):
        assert str(bad) in (line := run(command, bad, "-o", target).refused()) or "tflite" in line
        assert not target.exists()


def test_both_commands_are_helped(run: Run) -> None:
    assert pack_cli.pack_command.name == "pack"
    assert "--allow-larger" in run("pack", "--help").out
    assert "SHA-256" in run("unpack", "--help").out
