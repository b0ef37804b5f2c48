"""This project beside its peers: every comparison on the same models, data, seeds and machine.

python tools/benchmarks/suite.py run                        # what is not finished yet
python tools/benchmarks/suite.py run --only pack            # cases whose name begins so
python tools/benchmarks/suite.py list
python tools/benchmarks/suite.py page                       # docs/measured/peers.md and its plots

Each case runs in a process of its own, on one thread, and leaves a JSON file in the folder; a run
that was stopped goes on. `page` keeps all results in suite.json beside this file.
"""

import sys
import time
from pathlib import Path

import click

# A case's child imports the other benchmarks as they stand beside this file.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from measured_table import PAGES, renew_page
from peers.cases import CASES, PEERS, Case
from peers.page import page_of, rows_of
from peers.plots import ratio_plot
from peers.results import Outcome
from peers.running import (
    finished,
    log_path,
    measure,
    missing,
    outcome_path,
    outcomes,
    run_case,
)
from pydantic import TypeAdapter

from tflite_squeeze.files.files import write_atomically

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "build" / "benchmarks"
KEPT = Path(__file__).with_suffix(".json")
_OUTCOMES = TypeAdapter(list[Outcome])

_folder = click.option(
    "--folder", type=click.Path(path_type=Path), default=FOLDER, help="Where results are kept."
)
_quick = click.option("--quick", is_flag=True, help="A few cases at a tiny size, for the tests.")


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


def chosen(only: tuple[str, ...], *, quick: bool) -> list[Case]:
    """Cases whose name begins with one of these texts; all without any."""
    found = [
        case
        for case in CASES.values()
        if (not only or case.name.startswith(only)) and (case.quick is not None or not quick)
    ]
    if not found:
        raise click.ClickException(
            f"no case begins with {' or '.join(only)}: see `suite.py list`"
            + (" --quick" if quick else "")
        )
    return found


@main.command()
@click.option("--only", multiple=True, help="Cases whose name begins so; may be repeated.")
@_folder
@_quick
def run(only: tuple[str, ...], folder: Path, *, quick: bool) -> None:
    """Runs the cases that are not finished; exits 1 when one fails."""
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for case in chosen(only, quick=quick):
        if finished(folder, case, quick=quick):
            click.echo(f"{case.name}: finished already")
            continue
        lacks = missing(case)
        if lacks:
            click.echo(f"{case.name}: needs {lacks}: pip install '.[benchmark]'", err=True)
            failed.append(case.name)
            continue
        click.echo(f"{case.name} …")
        started = time.perf_counter()
        if run_case(folder, case, quick=quick):
            click.echo(f"{case.name}: {time.perf_counter() - started:.0f} s")
        else:
            *_, last = ["", *log_path(folder, case).read_text().splitlines()]
            click.echo(f"{case.name}: failed ({last}); see {log_path(folder, case)}", err=True)
            failed.append(case.name)
    if failed:
        raise click.ClickException(f"no result of {', '.join(failed)}; run again to repeat them")


@main.command(name="list")
@_folder
@_quick
def list_command(folder: Path, *, quick: bool) -> None:
    """Names all cases, their peer and whether they are finished."""
    for case in chosen((), quick=quick):
        state = "finished" if finished(folder, case, quick=quick) else "to do"
        click.echo(f"{case.name:34} {PEERS[case.peer].title:28} {state}")


@main.command()
@_folder
def page(folder: Path) -> None:
    """Renews docs/measured/peers.md and its plots from all results, older ones too."""
    kept = _OUTCOMES.validate_json(KEPT.read_bytes()) if KEPT.exists() else []
    newest = {outcome.case: outcome for outcome in (*kept, *outcomes(folder))}
    found = [newest[name] for name in CASES if name in newest]
    if not found:
        raise click.ClickException(f"no results in {folder}: suite.py run makes them")
    write_atomically(KEPT, _OUTCOMES.dump_json(found, indent=1) + b"\n", force=True)
    renew_page("peers", "peers", page_of(found))
    (PAGES / "peers").mkdir(exist_ok=True)
    for key, peer in PEERS.items():
        rows = rows_of([outcome for outcome in found if CASES[outcome.case].peer == key])
        picture = ratio_plot(peer.title, rows)
        if picture is not None:
            write_atomically(PAGES / "peers" / f"{key}.svg", picture, force=True)
    click.echo(f"{PAGES / 'peers.md'}: {len(found)} of {len(CASES)} cases")


@main.command(name="measure", hidden=True)
@click.argument("name", type=click.Choice(tuple(CASES)))
@_folder
@_quick
def measure_command(name: str, folder: Path, *, quick: bool) -> None:
    """Runs one case in this process: what `run` starts."""
    measure(folder, CASES[name], quick=quick)
    if not outcome_path(folder, CASES[name]).exists():
        raise click.ClickException(f"{name} left no result")


if __name__ == "__main__":
    main()
