"""Where a command's output goes: tables and JSON to standard output, progress to standard error."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import check_output, write_atomically

_interrupts: ContextVar[list[int] | None] = ContextVar("interrupts", default=None)


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets Ctrl-C end the block as Ctrl-C.

    TensorFlow's native code raises an error of its own (a TypeError without text, among others)
    where the interrupt arrives within it, or drops it: see `stop_if_interrupted`.

    Raises:
        KeyboardInterrupt: the block was interrupted, and ended by any exception.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, or somebody else's to handle
        yield
        return
    seen: list[int] = []

    def note(number: int, frame: Any) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    token = _interrupts.set(seen)
    finished = False
    try:
        yield
        finished = True
    finally:
        _interrupts.reset(token)
        signal.signal(signal.SIGINT, before)
        if seen and not finished:
            raise KeyboardInterrupt


def stop_if_interrupted() -> None:
    """Stops before results are shown or written, where a library dropped Ctrl-C on the way.

    Raises:
        KeyboardInterrupt: Ctrl-C arrived since `interruptible` was entered.
    """
    if _interrupts.get():
        raise KeyboardInterrupt


if TYPE_CHECKING:
    from pydantic import BaseModel

    from tflite_squeeze.page.contents import Contents
    from tflite_squeeze.tables.table import Table
    from tflite_squeeze.training.progress import Working

_STDOUT = "-"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def json_option(command: _Command) -> _Command:
    """Adds `--json FILE|-` to a command."""
    return click.option(
        "--json",
        "json_target",
        metavar="FILE|-",
        help="Also write the record as JSON; - prints it alone on standard output.",
    )(command)


def html_option(command: _Command) -> _Command:
    """Adds `--html FILE` to a command."""
    return click.option(
        "--html",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Save a page with interactive charts, in one file.",
    )(command)


def force_option(command: _Command) -> _Command:
    """Adds `--force` to a command."""
    return click.option(
        "--force", is_flag=True, is_eager=True, help="Replace output files that exist already."
    )(command)


def resume_option(what: str) -> Callable[[_Command], _Command]:
    """Adds `--resume` to a command that also has `--force`; both together are refused.

    Args:
        what: is continued, such as "run".
    """

    def not_both(ctx: click.Context, _parameter: click.Parameter, resume: bool) -> bool:
        if resume and ctx.params.get("force"):
            raise UsageError(
                f"--resume continues a {what} and --force starts again: pass one of them"
            )
        return resume

    # --force is read first, so that it is known here.
    return lambda command: force_option(
        click.option(
            "--resume", is_flag=True, callback=not_both, help=f"Continue an interrupted {what}."
        )(command)
    )


def show(ctx: click.Context, tables: Iterable["Table"]) -> None:
    """Prints tables on standard output, unless --quiet or `--json -` took that place."""
    if _wants_silence(ctx):
        return
    from tflite_squeeze.tables.terminal import print_tables

    print_tables(tables, file=sys.stdout)


def say(ctx: click.Context, line: str) -> None:
    """Prints one line on standard output, under the same conditions as `show`."""
    if _wants_silence(ctx):
        return
    from tflite_squeeze.tables.terminal import print_line

    print_line(line)


def check_json(target: str | None, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuses a JSON target before any work is spent on it."""
    if target is not None and target != _STDOUT:
        check_output(Path(target), force=force, inputs=inputs)


def check_outputs(
    targets: Iterable[Path | None],
    json_target: str | None,
    *,
    force: bool,
    inputs: Iterable[Path] = (),
) -> None:
    """Refuses all the files that a command is to write before any work is spent on them.

    Args:
        targets: the files; None for those that were not asked for.
        json_target: that of `--json`.
        force: whether files that are there already may be replaced.
        inputs: files that are read.

    Raises:
        OutputError: one of them cannot be written.
        UsageError: two of them are the same.
    """
    sources = list(inputs)
    wanted = [target for target in targets if target is not None]
    if json_target is not None and json_target != _STDOUT:
        wanted.append(Path(json_target))
    for target in wanted:
        check_output(target, force=force, inputs=sources)
    if len({target.resolve() for target in wanted}) < len(wanted):
        raise UsageError("two outputs go to the same file: name another file for one of them")


def write_page(target: Path | None, contents: "Callable[[], Contents]", *, force: bool) -> None:
    """Writes a page: nowhere for None.

    Args:
        target: that of `--html`.
        contents: makes what it shows.
        force: whether a file that is there already may be replaced.
    """
    if target is None:
        return
    from tflite_squeeze.page.render import report_page

    write_atomically(target, report_page(contents()), force=force)


def write_json(target: str | None, record: "BaseModel", *, force: bool) -> None:
    """Writes a record as JSON: nowhere for None, alone on standard output for "-"."""
    if target is None:
        return
    text = record.model_dump_json(indent=2) + "\n"
    if target == _STDOUT:
        click.echo(text, nl=False)
    else:
        write_atomically(Path(target), text.encode(), force=force)


@contextmanager
def progress(ctx: click.Context, text: str, *, spins: bool = True) -> Iterator[None]:
    """Shows a spinner on the terminal while the block runs; a plain line says so on -v.

    The spinner writes to a copy of standard error, since conversions turn file descriptors 1 and
    2 aside while they run.

    Raises:
        KeyboardInterrupt: Ctrl-C arrived in the block, and a library dropped it.
    """
    started = time.perf_counter()
    if ctx.obj["quiet"] or not (spins and sys.stderr.isatty()):
        yield
    else:
        from rich.console import Console

        with os.fdopen(os.dup(2), "w") as screen:
            console = Console(file=screen, force_terminal=True)
            with console.status(f"{text} …"):
                yield
    stop_if_interrupted()
    if ctx.obj["verbose"]:
        click.echo(f"{text}: {time.perf_counter() - started:.1f} s", err=True)


@contextmanager
def working(ctx: click.Context, text: str) -> Iterator["Working"]:
    """Shows what a technique is doing while the block runs: a bar on a terminal, else lines.

    Both write to standard error; lines come from two seconds on, and every few seconds.

    Yields:
        A function to be called with what is done, how many steps of it are, and of how many.
    """
    from tflite_squeeze.training.progress import spoken

    with progress(ctx, text, spins=False):
        if ctx.obj["quiet"]:
            yield lambda _what, _done, _of: None
        elif not sys.stderr.isatty():
            yield spoken(lambda line: click.echo(f"{text}: {line}", err=True))
        else:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

            columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn()
            with os.fdopen(os.dup(2), "w") as screen:
                console = Console(file=screen, force_terminal=True)
                with Progress(*columns, console=console, transient=True) as shown:
                    task = shown.add_task(f"{text} …", total=None)
                    yield lambda what, done, of: shown.update(
                        task, description=f"{text}: {what}", completed=done, total=of
                    )


@contextmanager
def bar(ctx: click.Context, text: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a progress bar on the terminal while the block runs.

    Yields:
        A function to be called with the number of steps done and of all.
    """
    if ctx.obj["quiet"] or not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(text, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _nothing(_done: int, _total: int) -> None:
    """Takes the place of a bar that nobody sees."""


def _wants_silence(ctx: click.Context) -> bool:
    return bool(ctx.obj["quiet"]) or ctx.params.get("json_target") == _STDOUT
