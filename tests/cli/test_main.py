"""The command itself: help, versions, exit codes, and how little it loads."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click
import pytest

from tflite_squeeze import cli
from tflite_squeeze.cli import failures
from tflite_squeeze.command_line.lazy_group import LazyGroup
from tflite_squeeze.errors import CheckFailed, InputError
from tflite_squeeze.version import __version__

COMMANDS = list(cli._commands())


def test_version(run: Any) -> None:
    for option in ("--version", "-V"):
        assert run(option).out == f"tflite-squeeze, version {__version__}\n"


def test_help_lists_every_command(run: Any) -> None:
    for option in ("--help", "-h"):
        outcome = run(option)
        assert outcome.code == 0
        for command in COMMANDS:
            assert f"\n  {command}" in outcome.out
        assert "Example: tflite-squeeze" in outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run: Any, command: str) -> None:
    outcome = run(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Usage: tflite-squeeze {command}" in outcome.out
    assert f"Example: tflite-squeeze {command}" in " ".join(outcome.out.split())


def test_an_unknown_command_is_told_the_known_ones(run: Any) -> None:
    outcome = run("covnert")
    assert outcome.code == 2
    last = outcome.err.splitlines()[-1]
    assert last.startswith("Error: No such command 'covnert'")
    assert "convert, verify" in last


def test_verbose_and_quiet_contradict(run: Any) -> None:
    outcome = run("-v", "-q", "doctor")
    assert outcome.code == 2
    assert "Error: --verbose and --quiet contradict each other" in outcome.err


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (InputError("no such thing: bring one"), 2, "Error: no such thing: bring one\n"),
        (CheckFailed("too wrong"), 1, "Error: too wrong\n"),
        (KeyboardInterrupt(), 130, "Stopped; nothing was left half-written.\n"),
        (click.Abort(), 130, "Stopped; nothing was left half-written.\n"),
    ],
)
def test_exit_codes(
    run: Any, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, said: str
) -> None:
    def fail(*args: Any) -> None:
        raise raised

    monkeypatch.setattr(LazyGroup, "invoke", fail)
    outcome = run("doctor")
    assert outcome.code == code
    assert outcome.err.lstrip("\n") == said


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts, also where the tests themselves were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("raised", [TypeError(), InputError("damaged: copy it again")])
def test_an_interrupt_that_a_library_turns_into_another_error_is_an_interrupt(
    run: Any, monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    def fail(*args: Any) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise raised from None

    monkeypatch.setattr(LazyGroup, "invoke", fail)
    before = signal.getsignal(signal.SIGINT)
    outcome = run("doctor")
    assert outcome.code == 130
    assert outcome.err.lstrip("\n") == "Stopped; nothing was left half-written.\n"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupt_that_a_library_drops_stops_before_results(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drop() -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("tflite_squeeze.doctor.doctor.examine", drop)
    outcome = run("doctor")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.lstrip("\n") == "Stopped; nothing was left half-written.\n"


def fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: Any) -> None:
        raise error

    monkeypatch.setattr(LazyGroup, "invoke", fail)


def test_a_bug_is_told_in_one_line_and_where_to_report_it(run: Any, monkeypatch) -> None:
    fails(monkeypatch, RuntimeError("a bug\nof two lines"))
    said = run("doctor").refused()
    assert "RuntimeError: a bug; this should not happen: report it" in said
    outcome = run("-v", "doctor")
    assert outcome.code == 2
    assert outcome.err.startswith("Traceback (most recent call last)")
    assert outcome.err.splitlines()[-1] == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "a.keras"), "Permission denied (a.keras): check"),
        (OSError(28, "No space left on device"), "No space left on device: free disk space"),
        (MemoryError(), "there is not enough memory"),
        (ImportError("x.so: failed to map segment from shared object"), "not enough memory (x.so"),
        (RecursionError("too deep"), "RecursionError: too deep; this should not happen"),
        (InputError("long " * 200 + "remedy"), "long ... long"),
    ],
)
def test_what_the_surroundings_cause(run: Any, monkeypatch, error: Exception, said: str) -> None:
    fails(monkeypatch, error)
    told = run("doctor").refused()
    assert said in told or told.endswith("remedy")
    assert len(told) <= 400


def test_output_that_nobody_reads(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("tflite_squeeze.doctor.doctor.examine", fail)
    assert "standard output was closed before" in run("doctor").refused()


def test_a_full_standard_output_is_told_once() -> None:
    command = f"exec {sys.executable} -m tflite_squeeze schema > /dev/full"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "Error: No space left on device: free disk space for the output\n"


def test_text_that_the_terminal_cannot_show() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tflite_squeeze", "profile", "modèle→.tflite"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "does not exist" in line
    failures.use_plain_signs()
    assert "modèle→ 2\u00d73".encode("ascii", "tflite_squeeze_plain") == rb"mod\xe8le-> 2x3"


def test_a_name_that_is_no_text() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tflite_squeeze", "profile", b"\xff.tflite"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert rb"\udcff.tflite does not exist" in done.stderr


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from tflite_squeeze.cli import cli\n"
        "for words in ([], *([name] for name in cli.listed()), ['export', 'micro']):\n"
        "    cli.main([*words, '--help'], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'tf_keras', 'ai_edge_litert', 'matplotlib', 'pydantic',\n"
        "         'jinja2', 'vl_convert'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tflite_squeeze", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert __version__ in done.stdout
