"""How a search is shared: 1 to 8 workers whose trials sleep, in a journal file and in PostgreSQL.

    python tools/benchmarks/tune_workers.py run journal
    python tools/benchmarks/tune_workers.py run postgresql
    python tools/benchmarks/tune_workers.py table

Each worker is a process of its own. A trial of a first look sleeps 3 seconds, one of a whole
training 12: what is measured is what workers lose by waiting for each other and for the storage.
The time is that from the first trial's begin to the end of the last worker, without the start of
Python.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
from measured_table import renew_page

from tests.search.postgres import server
from tflite_squeeze.files.files import write_atomically

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_suffix(".json")
WORKER = REPOSITORY / "tests" / "search" / "sleeping_bench.py"
WORKERS, TRIALS, SECONDS = (1, 2, 4, 8), 64, 3.0


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command()
@click.argument("storage", type=click.Choice(["journal", "postgresql"]))
def run(storage: str) -> None:
    """Lets workers share a search, and keeps how long they took."""
    known = _known()
    for count in WORKERS:
        with _opened(storage) as (where, folder):
            known[f"{storage} {count}"] = found = _measured(count, where, folder)
        click.echo(f"{storage}, {count} workers: {found}")
        write_atomically(RESULTS, (json.dumps(known, indent=1) + "\n").encode(), force=True)


@contextmanager
def _opened(storage: str) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if storage == "journal":
            yield str(folder / "study.journal"), folder
            return
        with server() as url:
            yield url, folder


def _measured(count: int, where: str, folder: Path) -> dict[str, float]:
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), where, str(folder / f"worker-{at}"), "--artifacts",
             str(folder / "files"), "--trials", str(TRIALS), "--seconds", str(SECONDS),
             "--grace", "30", "--vain", str(TRIALS), "--ready", str(count)],
            stdout=subprocess.PIPE, text=True,
        )
        for at in range(count)
    ]  # fmt: skip
    ends = [json.loads(one.communicate()[0].splitlines()[-2]) for one in workers]
    took = max(one["ended"] for one in ends) - min(one["began"] for one in ends)
    busy = sum(one["busy"] for one in ends)
    return {"seconds": took, "busy": busy, "used": busy / took / count}


@main.command()
def table() -> None:
    """Writes the table of docs/measured/tune.md."""
    rows = ["| storage | workers | trials | seconds in trials | took | as fast as one | busy |",
            "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    known = _known()
    for key, found in known.items():
        storage, count = key.split()
        rows.append(
            f"| {storage} | {count} | {TRIALS} | {found['busy']:.0f} | {found['seconds']:.1f} s "
            f"| {found['busy'] / found['seconds']:.2f} | {found['used']:.0%} |"
        )
    renew_page("tune", "workers", "\n".join(rows))


def _known() -> dict[str, Any]:
    if not RESULTS.exists():
        return {}
    found: dict[str, Any] = json.loads(RESULTS.read_bytes())
    return found


if __name__ == "__main__":
    main()
