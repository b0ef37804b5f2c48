"""The fewest layers in float until a file passes, beside TensorFlow's QuantizationDebugger.

    python tools/benchmarks/mixed.py run      # what is missing; about a minute a network and seed
    python tools/benchmarks/mixed.py table    # docs/measured/mixed.md

Networks whose int8 file fails its check, three seeds each; results go to mixed.json beside this
file and are not measured again.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from measured_table import renew_page

RESULTS = Path(__file__).with_suffix(".json")
SEEDS = (0, 1, 2)


def main() -> None:
    """Runs what is missing, or writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "one", "table"])
    parser.add_argument("--network", help="this one alone")
    parser.add_argument("--seed", type=int, help="of `one`")
    given = parser.parse_args()
    if given.what == "table":
        renew_page("mixed", "debugger", table(known()))
    elif given.what == "one":
        from peers.debugger import both

        print(json.dumps(both(given.network, given.seed)))  # read by `run`
    else:
        run(given.network)


def known() -> dict[str, dict[str, Any]]:
    """Results by network, then by seed."""
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def run(only: str | None) -> None:
    """Measures what is missing, each in a process of its own."""
    from peers.debugger import NETWORKS

    for seed in SEEDS:
        for network in NETWORKS:
            if only not in (None, network) or str(seed) in known().get(network, {}):
                continue
            command = [sys.executable, __file__, "one", "--network", network, "--seed", str(seed)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.stderr.write(f"{network}, {seed}: {done.stderr.strip()[-500:]}\n")
                continue
            results = known()
            results.setdefault(network, {})[str(seed)] = json.loads(done.stdout.splitlines()[-1])
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
            sys.stderr.write(f"{network}, {seed}: done\n")


def table(results: dict[str, dict[str, Any]]) -> str:
    """A line for each network: counts of all seeds, medians of bytes and times."""
    lines = [
        "| network | int8, bytes | layers named | by the debugger | float operators "
        "| by the debugger | bytes / int8's | by the debugger | run, µs | by the debugger |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for network, seeds in sorted(results.items()):
        rows = list(seeds.values())
        cells = [f"{statistics.median(row['int8_bytes'] for row in rows):,.0f}"]
        for count in (_layers, _operators):
            for side in ("here", "peer"):
                found = sorted({count(row[side]) for row in rows})
                failed = "" if all(row[side]["passed"] for row in rows) else " (failed)"
                cells.append(", ".join(map(str, found)) + failed)
        for side in ("here", "peer"):
            ratio = statistics.median(row[side]["bytes"] / row["int8_bytes"] for row in rows)
            cells.append(f"{ratio:.2f}")
        for side in ("here", "peer"):
            cells.append(f"{statistics.median(row[side]['us'] for row in rows):.1f}")
        lines.append(f"| {network} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _layers(side: dict[str, Any]) -> int:
    return len(side["layers"])


def _operators(side: dict[str, Any]) -> int:
    return int(side["float_operators"])


if __name__ == "__main__":
    main()
