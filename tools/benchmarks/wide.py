"""Layers of 16 bits in place of those that `--quantize mixed` leaves in float.

    python tools/benchmarks/wide.py run      # about a minute a network
    python tools/benchmarks/wide.py table    # docs/measured/mixed.md

The networks of mixed.py, seed 0; results go to wide.json beside this file.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from measured_table import renew_page

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.runtime.turns import in_turns

RESULTS = Path(__file__).with_suffix(".json")


def main() -> None:
    """Measures what is missing, or writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table"])
    results = dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}
    if parser.parse_args().what == "table":
        renew_page("mixed", "wide", table(results))
        return
    from peers.debugger import NETWORKS

    for network in NETWORKS:
        if network not in results:
            results[network] = both(network)
            RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
            sys.stderr.write(f"{network}: {results[network]}\n")


def both(network: str) -> dict[str, Any]:
    """The file with layers in float, and the one in which the same layers have 16 bits."""
    from peers.debugger import NETWORKS, made

    model, data = made(network, 0)
    limits = NETWORKS[network][1]
    mixed = convert(model, Convert(quantize="mixed"), data, verification=limits)
    record = mixed.record.mixed
    assert record is not None
    named = tuple(one.name for one in record.kept if one.kind == "activation")
    found = {"layers": len(record.kept), "mixed": {"bytes": len(mixed.tflite)}}
    if not named:
        return found
    try:
        config = Convert(quantize="int8", keep_int16=named)
        wide = convert(model, config, data, verification=limits)
    except UnsupportedError as error:
        return found | {"refused": str(error).partition(" for activations")[0]}
    times = in_turns({"mixed": mixed.tflite, "wide": wide.tflite})
    sides = {"mixed": mixed, "wide": wide}
    return found | {
        name: {
            "bytes": len(one.tflite), "passed": one.record.passed, "us": round(times[name], 2)
        }
        for name, one in sides.items()
    }  # fmt: skip


def table(results: dict[str, Any]) -> str:
    """A line for each network."""
    lines = [
        "| network | layers | float, bytes | 16 bits, bytes | float, µs | 16 bits, µs | passes |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for network, found in sorted(results.items()):
        mixed, wide = found["mixed"], found.get("wide")
        cells = [str(found["layers"]), f"{mixed['bytes']:,}", "", "", "", ""]
        if wide is not None:
            cells[2:] = [f"{wide['bytes']:,}", f"{mixed['us']:.1f}", f"{wide['us']:.1f}",
                         "yes" if wide["passed"] else "no"]  # fmt: skip
        elif "refused" in found:
            cells[-1] = f"refused: {found['refused']}"
        lines.append(f"| {network} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
