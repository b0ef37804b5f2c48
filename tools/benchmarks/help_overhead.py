"""Wall time of `tflite-squeeze --help` against importing click, in turns, each a new process.

python tools/benchmarks/help_overhead.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import click


def seconds(command: list[str]) -> float:
    """Wall time of a command."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


@click.command(help=__doc__)
@click.option("--repetitions", type=click.IntRange(min=1), default=20, show_default=True)
def main(repetitions: int) -> None:
    """The command line."""
    ours = [str(Path(sys.executable).with_name("tflite-squeeze")), "--help"]
    bare = [sys.executable, "-c", "import click"]
    pairs = [(seconds(ours), seconds(bare)) for _ in range(repetitions)]
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    click.echo(f"--help {mine:.3f} s, import click {theirs:.3f} s, ratio {mine / theirs:.2f}")


if __name__ == "__main__":
    main()
