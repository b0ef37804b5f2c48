"""Compares `tflite-squeeze profile` with LiteRT's own benchmark tool, in one run on one machine.

Both time the same files with the same threads and XNNPACK, in turns, so that a machine that is
busy for a while disturbs both. Printed are the ratio of the medians, and what part of a run the
times of operators add up to. The tool also times how its Python interface hands over the buffers,
a few microseconds a run, which counts where a run takes less than a tenth of a millisecond.

    python tools/benchmarks/latency_agreement.py models/*.keras --batch 1 8 --repeats 7
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stdout
from pathlib import Path

from tflite_squeeze.profiling.profile import profile
from tflite_squeeze.profiling.record import Profile
from tflite_squeeze.runtime.machine import this_machine
from tflite_squeeze.tables.table import Table
from tflite_squeeze.tables.terminal import print_tables

SEED = 0
KINDS = ("float", "dynamic", "int8")
# The tool rounds its figures to 10 µs, a tenth of a small model's time; its module's own `round`
# leaves them as they are.
PEER = """
import ai_edge_litert.tools.benchmark_litert_model as tool
tool.round = lambda value, _digits: value
tool.main()
"""


def make_file(source: Path, batch: int, kind: str, folder: Path) -> Path:
    """Converts a Keras model with a bare TFLiteConverter: float, dynamic range or int8."""
    import keras
    import numpy as np
    import tensorflow as tf

    model = keras.models.load_model(source, compile=False)
    shape = (batch, *model.input_shape[1:])
    inputs = keras.Input(batch_shape=shape)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, model(inputs)))
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "int8":
        random = np.random.default_rng(SEED)
        samples = [random.random(shape, dtype=np.float32) for _ in range(8)]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
    path = folder / f"{source.stem}_{kind}_batch{batch}.tflite"
    with redirect_stdout(sys.stderr):  # the converter prints what it saved
        path.write_bytes(converter.convert())
    return path


def files_of(source: Path, batches: list[int], folder: Path) -> Iterator[Path]:
    """The file itself, or all that a Keras model becomes."""
    if source.suffix == ".tflite":
        yield source
        return
    spawn = multiprocessing.get_context("spawn")
    for batch in batches:
        for kind in KINDS:
            # TensorFlow in a process of its own, which is gone when the timing begins. It may
            # crash: the converter's calibration of a WHILE loop does.
            with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                made = pool.submit(make_file, source, batch, kind, folder)
                try:
                    yield made.result()
                except (BrokenProcessPool, ValueError, RuntimeError) as error:
                    reason = str(error).splitlines()[0]
                    print(f"{source.stem} {kind}: not converted ({reason})", file=sys.stderr)


def peer_median_ms(path: Path, runs: int, warmup_runs: int, threads: int) -> float:
    """The median that LiteRT's benchmark tool measures."""
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        options = [
            f"--model={path}",
            f"--num_runs={runs}",
            f"--warmup_runs={warmup_runs}",
            f"--num_threads={threads}",
            f"--result_json={result.name}",
        ]
        subprocess.run([sys.executable, "-c", PEER, *options], check=True, capture_output=True)
        return float(json.loads(Path(result.name).read_text())["latency"]["median_ms"])


def compare(path: Path, config: Profile, repeats: int) -> tuple[str, float, float, float, float]:
    """One row: file, both medians in their quietest repeats, their ratio, operators over run."""
    ours, peers, sums = [], [], []
    for _ in range(repeats):
        record = profile(path, config)
        latency = record.latency
        ours.append(latency.median_us / 1000)
        peers.append(peer_median_ms(path, latency.runs, latency.warmup_runs + 1, config.threads))
        sums.append(record.operators.coverage or 0.0)
    # Other work on the machine only ever slows a repeat down: the quietest of each compare best.
    return (path.stem, min(ours), min(peers), min(ours) / min(peers), statistics.median(sums))


def main() -> int:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, help=".keras or .tflite files")
    parser.add_argument("--batch", nargs="+", type=int, default=[1])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--min-seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    config = Profile(threads=arguments.threads, min_seconds=arguments.min_seconds, seed=SEED)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for source in arguments.models:
            for path in files_of(source, arguments.batch, Path(name)):
                rows.append(compare(path, config, arguments.repeats))
                print(f"{rows[-1][0]}: {rows[-1][3]:.3f}, {rows[-1][4]:.3f}", file=sys.stderr)
    machine = this_machine()
    table = Table(
        title="tflite-squeeze profile against ai_edge_litert.tools.benchmark_litert_model",
        columns=("file", "ours (ms)", "tool (ms)", "ratio", "operators / run"),
        rows=tuple(rows),
        notes=(
            f"Medians, the least of {arguments.repeats} repeats in turns; "
            f"{arguments.threads} thread(s), "
            f"seed {SEED}, LiteRT {machine.litert}, {machine.cpu}, {machine.cores} cores.",
        ),
    )
    print_tables([table])
    return 0


if __name__ == "__main__":
    sys.exit(main())
