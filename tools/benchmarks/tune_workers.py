"""How a search is shared: 1 to 8 workers whose trials sleep, in a journal file and in PostgreSQL.

    python tools/benchmarks/tune_workers.py run journal
    python tools/benchmarks/tune_workers.py run postgresql
    python tools/benchmarks/tune_workers.py table

Each worker is a process of its own. A trial of a first look sleeps 3 or 12 seconds, one of a whole
training four times as long: what is measured is what workers lose by waiting for each other and for
the storage. The time is that from the first trial's begin to the end of the last one, without the
start of Python; and the share of it that workers were in trials, until the last one was begun.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
from kept_results import KeptResults
from measured_table import renew_page

from tests.search.postgres import server

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = KeptResults(__file__)
WORKER = REPOSITORY / "tests" / "search" / "sleeping_bench.py"
WORKERS, TRIALS = (1, 2, 4, 8), 64


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command()
@click.argument("storage", type=click.Choice(["journal", "postgresql"]))
@click.option("--seconds", type=click.Choice(["3", "12"]), default="3", show_default=True)
def run(storage: str, seconds: str) -> None:
    """Lets workers share a search, and keeps how long they took."""
    for count in WORKERS if seconds == "3" else WORKERS[-1:]:
        with _opened(storage) as (where, folder):
            found = _measured(count, where, folder, seconds)
        RESULTS.keep(f"{storage} {seconds} {count}", found)


@contextmanager
def _opened(storage: str) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if storage == "journal":
            yield str(folder / "study.journal"), folder
            return
        with server() as url:
            yield url, folder


def _measured(count: int, where: str, folder: Path, seconds: str) -> dict[str, float]:
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), where, str(folder / f"worker-{at}"), "--artifacts",
             str(folder / "files"), "--trials", str(TRIALS), "--seconds", seconds,
             "--grace", "30", "--vain", str(TRIALS), "--ready", str(count)],
            stdout=subprocess.PIPE, text=True,
        )
        for at in range(count)
    ]  # fmt: skip
    lines = [one.communicate()[0].splitlines()[-2] for one in workers]
    spans = [(begin, end) for line in lines for begin, end in json.loads(line)]
    first, last = min(begin for begin, _ in spans), max(begin for begin, _ in spans)
    within = sum(min(end, last) - begin for begin, end in spans)
    return {
        "seconds": max(end for _, end in spans) - first,
        "in_trials": sum(end - begin for begin, end in spans),
        "busy": within / (last - first) / count,
    }


@main.command()
def table() -> None:
    """Writes the table of docs/measured/tune.md."""
    rows = ["| storage | first look | workers | in trials | took | as fast as one | busy |",
            "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for key, found in sorted(RESULTS.known.items(), key=lambda one: one[0].split()[:2]):
        storage, seconds, count = key.split()
        busy = f"{found['busy']:.0%}" if "busy" in found else ""
        rows.append(
            f"| {storage} | {seconds} s | {count} | {found['in_trials']:.0f} s "
            f"| {found['seconds']:.0f} s | {found['in_trials'] / found['seconds']:.2f} "
            f"| {busy} |"
        )
    renew_page("tune", "workers", "\n".join(rows))


if __name__ == "__main__":
    main()
