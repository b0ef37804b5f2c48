"""The suite of benchmarks: who is better, the page, and runs that are killed and go on."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SUITE = Path(__file__).resolve().parents[2] / "tools" / "benchmarks" / "suite.py"
CASE = "sparse-98"


@pytest.fixture(scope="module")
def peers() -> Iterator[Any]:
    """The suite's package, which lies beside the script."""
    sys.path.insert(0, str(SUITE.parent))
    try:
        import peers.page
        import peers.plots
        import peers.results

        yield peers
    finally:
        sys.path.remove(str(SUITE.parent))


def row(peers: Any, here: float | None, peer: float | None, **more: Any) -> Any:
    return peers.results.Row(
        **{"what": "lenet_5, int8", "measure": "file_bytes", "here": here, "peer": peer, **more}
    )


@pytest.mark.parametrize(
    ("here", "peer", "more", "verdict"),
    [
        (90, 100, {}, "here"),
        (110, 100, {}, "peer"),
        (100.4, 100, {}, "tie"),
        (0.90, 0.95, {"measure": "accuracy"}, "peer"),
        (0.95, 0.90, {"measure": "accuracy"}, "here"),
        (0.95, 0.90, {"measure": "accuracy", "low": -0.01, "high": 0.11}, "tie"),
        (80, 100, {"measure": "latency_us", "low": 0.7, "high": 0.9}, "here"),
        (80, 100, {"measure": "latency_us", "low": 0.7, "high": 1.1}, "tie"),
        (80, 100, {"measure": "latency_us", "ratio": 1.2}, "peer"),
        (0, 0, {"measure": "float_layers"}, "tie"),
        (0, 2, {"measure": "float_layers"}, "here"),
        (math.nan, 100, {}, "peer"),
        (90, None, {}, "only here"),
        (None, 90, {}, "only the peer"),
    ],
)
def test_verdicts(
    peers: Any, here: float | None, peer: float | None, more: dict[str, Any], verdict: str
) -> None:
    assert peers.results.verdict_of(row(peers, here, peer, **more)).value == verdict


def test_seeds_are_compared_in_pairs(peers: Any) -> None:
    made = peers.results.seeds_row("x", "accuracy", [0.91, 0.92, 0.93], [0.90, 0.91, 0.92])
    assert (made.here, made.peer) == (0.92, 0.91)
    assert made.low == pytest.approx(0.01)
    assert made.high == pytest.approx(0.01)
    wide = peers.results.seeds_row("x", "accuracy", [0.91, 0.90], [0.90, 0.91])
    # Gaps of 0.01 and -0.01: t with one degree of freedom, times their standard error of 0.01.
    assert wide.high == pytest.approx(12.706 * 0.01)
    assert peers.results.verdict_of(wide).value == "tie"


def outcome(peers: Any, case: str, *rows: Any) -> Any:
    return peers.results.Outcome(
        case=case,
        arguments={},
        command=f"python tools/benchmarks/suite.py run --only {case}",
        machine={"cpu": "a processor", "cores": 2},
        versions={"tensorflow": "2.21.0"},
        started="2026-11-27T10:00:00+00:00",
        seconds=1.0,
        rows=rows,
        notes=("a note",),
    )


def test_a_loss_stands_on_the_page_as_plainly_as_a_win(peers: Any) -> None:
    lost = row(peers, 200, 100)
    page = peers.page.page_of(
        [
            outcome(peers, "pack-lenet_5", row(peers, 50, 100), lost),
            outcome(peers, "sparse-90", row(peers, 100, None, note="the peer's file does not run")),
        ]
    )
    assert "| gzip and xz | 1 | 0 | 1 | 0 | 0 |" in page
    assert "| EXPERIMENTAL_SPARSITY | 0 | 0 | 0 | 1 | 0 |" in page
    losses = page.split("## What peers do better")[1].split("\n## ")[0]
    assert losses.count("| gzip and xz |") == 1
    assert "| 200 | 100 | 2.00 |" in losses
    assert "the peer's file does not run" in page
    assert "Not measured yet: " in page
    assert "sparse-98" in page.split("Not measured yet: ")[1]


def test_a_plot_has_every_ratio(peers: Any) -> None:
    rows = [row(peers, 50, 100), row(peers, 0.9, 0.8, measure="accuracy")]
    picture = peers.plots.ratio_plot("gzip", rows)
    assert picture is not None
    assert picture.count(b"lenet_5, int8") == 1
    assert peers.plots.ratio_plot("gzip", rows) == picture
    assert peers.plots.ratio_plot("gzip", rows[1:]) is None


def suite(folder: Path, *words: str) -> list[str]:
    return [sys.executable, str(SUITE), *words, "--folder", str(folder), "--quick"]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(suite(folder, *words), capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_a_finished_case_is_not_repeated(
    tmp_path: Path, peers: Any
) -> None:
    path = tmp_path / f"{CASE}.json"
    child = subprocess.Popen(
        suite(tmp_path, "run", "--only", CASE), stdout=subprocess.DEVNULL, start_new_session=True
    )
    while not (tmp_path / f"{CASE}.log").exists() and child.poll() is None:
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not path.exists()
    path.write_text('{"case": "spar')  # as a tool without atomic writes would leave it
    assert "to do" in run(tmp_path, "list").stdout
    first = run(tmp_path, "run", "--only", CASE)
    assert first.returncode == 0, first.stderr
    found = peers.results.Outcome.model_validate_json(path.read_bytes())
    bytes_row = next(one for one in found.rows if one.measure == "file_bytes")
    assert peers.results.verdict_of(bytes_row).value == "here"
    written = path.stat().st_mtime_ns
    assert "finished already" in run(tmp_path, "run", "--only", CASE).stdout
    assert path.stat().st_mtime_ns == written


def test_a_case_that_does_not_exist_is_told_so(tmp_path: Path) -> None:
    ended = run(tmp_path, "run", "--only", "nothing")
    assert ended.returncode == 1
    assert "no case begins with nothing" in ended.stderr
