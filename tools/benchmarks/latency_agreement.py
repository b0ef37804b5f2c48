"""Compares `tflite-squeeze profile` with LiteRT's own benchmark tool, in one run on one machine.

Both time the same files with the same threads and XNNPACK, in turns, so that a machine that is
busy for a while disturbs both. Printed are the ratio of the medians, and what part of a run the
times of operators add up to.

    python tools/benchmarks/latency_agreement.py models/*.keras --batch 1 8 --repeats 5
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tflite_squeeze.measure.machine import this_machine
from tflite_squeeze.measure.profile import profile
from tflite_squeeze.measure.profile_record import Profile
from tflite_squeeze.report.table import Table
from tflite_squeeze.report.terminal import print_tables

SEED = 0
# The tool rounds its figures to 10 µs, a tenth of a small model's time; its module's own `round`
# leaves them as they are.
PEER = """
import ai_edge_litert.tools.benchmark_litert_model as tool
tool.round = lambda value, _digits: value
tool.main()
"""


def make_files(source: Path, batch: int, folder: Path) -> list[Path]:
    """Converts a Keras model with a bare TFLiteConverter: float, dynamic range and int8."""
    import keras
    import numpy as np
    import tensorflow as tf

    model = keras.models.load_model(source, compile=False)
    shape = (batch, *model.input_shape[1:])
    inputs = keras.Input(batch_shape=shape)
    fixed = keras.Model(inputs, model(inputs))
    random = np.random.default_rng(SEED)
    samples = [random.random(shape, dtype=np.float32) for _ in range(8)]
    files = []
    for kind in ("float", "dynamic", "int8"):
        converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
        if kind != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "int8":
            converter.representative_dataset = lambda: ([sample] for sample in samples)
        try:
            content = converter.convert()
        except (ValueError, RuntimeError) as error:
            print(f"{source.stem} {kind}: not converted ({str(error).splitlines()[0]})")
            continue
        path = folder / f"{source.stem}_{kind}_batch{batch}.tflite"
        path.write_bytes(content)
        files.append(path)
    return files


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
    """One row: file, both medians (of all repeats), their ratio, operators over run."""
    ours, peers, sums = [], [], []
    for _ in range(repeats):
        record = profile(path, config)
        latency = record.latency
        ours.append(latency.median_us / 1000)
        peers.append(peer_median_ms(path, latency.runs, latency.warmup_runs + 1, config.threads))
        sums.append(record.operators.coverage or 0.0)
    middle = statistics.median(ours), statistics.median(peers)
    ratio = statistics.median([one / other for one, other in zip(ours, peers, strict=True)])
    return (path.stem, *middle, ratio, statistics.median(sums))


def main() -> int:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, help=".keras or .tflite files")
    parser.add_argument("--batch", nargs="+", type=int, default=[1])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--min-seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    config = Profile(threads=arguments.threads, min_seconds=arguments.min_seconds, seed=SEED)
    spawn = multiprocessing.get_context("spawn")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for source in arguments.models:
            files = [source] if source.suffix == ".tflite" else []
            for batch in arguments.batch if not files else ():
                # TensorFlow in a process of its own, which is gone when the timing begins.
                with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                    files += pool.submit(make_files, source, batch, Path(name)).result()
            for path in files:
                rows.append(compare(path, config, arguments.repeats))
                print(f"{rows[-1][0]}: {rows[-1][3]:.3f}, {rows[-1][4]:.3f}", file=sys.stderr)
    machine = this_machine()
    table = Table(
        title="tflite-squeeze profile against ai_edge_litert.tools.benchmark_litert_model",
        columns=("file", "ours (ms)", "tool (ms)", "ratio", "operators / run"),
        rows=tuple(rows),
        notes=(
            f"Medians of {arguments.repeats} repeats in turns; {arguments.threads} thread(s), "
            f"seed {SEED}, LiteRT {machine.litert}, {machine.cpu}, {machine.cores} cores.",
        ),
    )
    print_tables([table])
    return 0


if __name__ == "__main__":
    sys.exit(main())
