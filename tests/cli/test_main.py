"""The command itself: help, versions, exit codes, and how little it loads."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click
import pytest

from tflite_squeeze import cli
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


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(LazyGroup, "invoke", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["doctor"])


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from tflite_squeeze.cli import cli\n"
        "for words in ([], *([name] for name in cli.listed()), ['export', 'micro']):\n"
        "    cli.main([*words, '--help'], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'tf_keras', 'ai_edge_litert', 'matplotlib', 'pydantic'}\n"
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
