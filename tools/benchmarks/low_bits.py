"""Files with weights of few bits beside litert-quantizer's: bytes, accuracy, time.

Each conversion runs in a process of its own; results go to low_bits.json beside this file and are
not measured again. `table` writes docs/measured/low_bits.md. `half` trains ResNet-8 by the recipe
half_of_int8.yaml with three seeds, an hour or more, and goes on where it ended.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measured_table import renew_page

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
RESULTS = HERE / "low_bits.json"
FILES = Path(tempfile.gettempdir()) / "low_bits"

MODELS = {
    "lenet_300_100.keras": "fashion-mnist",
    "lenet_5.keras": "fashion-mnist",
    "lenet_5.h5": "fashion-mnist",
    "resnet_8.keras": "fashion-mnist",
    "mobilenet_v1_025.keras": "fashion-mnist",
    "watch_lstm.keras": "models/samples/watch.npz",
}
OURS: dict[str, dict[str, Any]] = {
    "float": {},
    "int8": {"quantize": "int8"},
    "dynamic, 4 bits": {"quantize": "dynamic", "weight_bits": 4},
    "dynamic, 4 bits, for latency": {
        "quantize": "dynamic",
        "weight_bits": 4,
        "minimize": "latency",
    },
    "dynamic, auto": {"quantize": "dynamic", "weight_bits": "auto"},
    "int8, 4 bits": {"quantize": "int8", "weight_bits": 4},
}
HALF = "half of int8 by training, seed {}"
SEEDS = (0, 1, 2)
PEER = {
    "litert-quantizer dynamic_wi4": "dynamic_wi4_afp32",
        "litert-quantizer weight_only_wi4": "weight_only_wi4_afp32"}  # fmt: skip


def main() -> None:
    """Runs what is missing, one worker a file, or writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "half", "worker", "table"])
    parser.add_argument("--only", help="models whose names contain this")
    parser.add_argument("--model", help="of a worker")
    parser.add_argument("--kind", help="of a worker; or the one kind that is run")
    given = parser.parse_args()
    if given.what == "table":
        renew_page("low_bits", "files", table(known()))
    elif given.what == "worker":
        print(json.dumps(worked(given.model, given.kind)))  # read by `run`
    elif given.what == "half":
        for seed in SEEDS:
            _made("resnet_8.keras", HALF.format(seed))
    else:
        run(given.only or "", given.kind)


def known() -> dict[str, dict[str, Any]]:
    """Results by model, then by kind of file."""
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def run(only: str, one_kind: str | None = None) -> None:
    """Makes and measures the files that are missing, then the times of each model's in turns."""
    FILES.mkdir(exist_ok=True)
    for model in (one for one in MODELS if only in one):
        for kind in (*OURS, *PEER):
            if one_kind not in (None, kind):
                continue
            if kind in known().get(model, {}) and _file(model, kind).exists():
                continue
            _made(model, kind)
        if one_kind is None:
            _time(model)


def _made(model: str, kind: str) -> None:
    """Makes and measures one file in a process of its own."""
    command = [sys.executable, __file__, "worker", "--model", model, "--kind", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        row = json.loads(lines[-1])
    else:
        row = {"error": (done.stderr.strip().splitlines() or ["no output"])[-1][:300]}
    _keep(model, kind, row)
    sys.stderr.write(f"{model}, {kind}: {row}\n")


def _specs(path: Path) -> Any:
    from tflite_squeeze.network.flavors import input_specs
    from tflite_squeeze.network.loading import load_model

    return input_specs(load_model(path).model)


def _file(model: str, kind: str) -> Path:
    return FILES / f"{model}.{kind}.tflite".replace(" ", "_")


def _keep(model: str, kind: str, row: dict[str, Any]) -> None:
    results = known()
    results.setdefault(model, {})[kind] = {**results.get(model, {}).get(kind, {}), **row}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def _time(model: str) -> None:
    from tflite_squeeze.runtime.turns import in_turns

    made = {kind: _file(model, kind) for kind in known()[model] if _file(model, kind).exists()}
    for kind, us in in_turns({kind: one.read_bytes() for kind, one in made.items()}).items():
        _keep(model, kind, {"us": round(us, 1)})


def worked(model: str, kind: str) -> dict[str, Any]:
    """Makes one file; its bytes and its accuracy on the test set."""
    from tflite_squeeze.data.data import load_data

    where = MODELS[model]
    data = load_data(str(REPOSITORY / where) if where.endswith(".npz") else where)
    data = data.fitted_to(_specs(REPOSITORY / "models" / model))
    if kind.startswith(HALF.partition("{")[0]):
        tflite, more = _half(model, int(kind.split()[-1])), {}
    elif kind in OURS:
        tflite, more = _here(model, kind, data)
    else:
        tflite, more = _peer(_file(model, "float"), PEER[kind]), {}
    _file(model, kind).write_bytes(tflite)
    return {"bytes": len(tflite), "accuracy": accuracy(tflite, data), **more}


def _here(model: str, kind: str, data: Any) -> tuple[bytes, dict[str, Any]]:
    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert

    made = convert(REPOSITORY / "models" / model, Convert(**OURS[kind]), data)
    more: dict[str, Any] = {
        "seconds": round(made.record.convert_seconds, 1),
        "passed": made.record.passed,
    }
    if made.record.bits is not None:
        more["bits"] = {one.layer: one.bits for one in made.record.bits.layers}
    return made.tflite, more


def _half(model: str, seed: int) -> bytes:
    from tflite_squeeze.squeezing.squeeze import squeeze

    folder = FILES / f"half_{seed}"
    path = REPOSITORY / "models" / model
    recipe = HERE / "half_of_int8.yaml"
    found = squeeze(path, recipe, MODELS[model], folder, seed=seed, resume=folder.exists())
    if found.tflite is None:
        raise SystemExit("a step stopped the run")
    return found.tflite


def _peer(float_file: Path, recipe_name: str) -> bytes:
    import contextlib
    import io
    import warnings

    from litert_quantizer import quantizer, recipe

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work = quantizer.Quantizer(str(float_file))
        work.load_quantization_recipe(getattr(recipe, recipe_name)())
        return bytes(work.quantize().quantized_model)


def accuracy(tflite: bytes, data: Any) -> float:
    """The share of test examples whose class a file names right."""
    from tflite_squeeze.runtime.run import run_file
    from tflite_squeeze.tflite.signatures import signatures_of

    test = data.sample("validation", None)
    (name,) = signatures_of(tflite)[0].inputs
    (values,) = test.inputs.values()
    (scores,) = run_file(tflite, {name: values}).outputs.values()
    return round(float(np.mean(scores.argmax(-1).reshape(-1) == test.labels.reshape(-1))), 4)


def table(results: dict[str, dict[str, Any]]) -> str:
    """All files, model by model."""
    lines = [
        "| model | file | bytes | / peer's 4 bits | accuracy | run, µs | layers of 8, 4, 2 bits |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for model, rows in results.items():
        peer = rows.get("litert-quantizer dynamic_wi4", {})
        trained = [kind for kind in rows if kind.startswith(HALF.partition("{")[0])]
        for kind in (one for one in (*OURS, *trained, *PEER) if one in rows):
            row = rows[kind]
            if "bytes" not in row:
                lines.append(f"| {model} | {kind} | none: {row['error']} | | | | |")
                continue
            share = f"{row['bytes'] / peer['bytes']:.3f}" if "bytes" in peer else ""
            failed = "" if row.get("passed", True) else " (failed its check)"
            chosen = list(row.get("bits", {}).values())
            count = ", ".join(str(chosen.count(bits)) for bits in (8, 4, 2)) if chosen else ""
            lines.append(
                f"| {model} | {kind}{failed} | {row['bytes']:,} | {share} | "
                f"{row['accuracy']:.2%} | {row.get('us', '')} | {count} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
