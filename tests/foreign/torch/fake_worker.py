"""Stands in for `worker.py` where torch is not installed: it answers with files that torch wrote.

The network is `dictionary.pt2`, as ONNX in `dictionary-script.onnx`. How it misbehaves is said by
the variable FAKE_WORKER.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator

HERE, FOLDER, WAY = Path(__file__).parent, Path(sys.argv[1]), os.environ.get("FAKE_WORKER", "")
ONNX = os.environ.get("FAKE_ONNX", str(HERE / "dictionary-script.onnx"))
NETWORK = ReferenceEvaluator(ONNX)
SHAPES = json.loads(os.environ.get("FAKE_SHAPES", "[[1, 3, 8, 8]]"))
INPUTS = [
    {"name": name, "shape": shape, "dtype": "float32", "batch_axis": 0}
    for name, shape in zip(NETWORK.input_names, SHAPES, strict=True)
]


def answer(do: str, exporter: str = "", **request: Any) -> dict[str, Any]:
    if do.startswith("load"):
        (FOLDER / "asked.json").write_text(json.dumps(request))
        sys.stdout.write("printed by the network\n")
        sys.stdout.flush()
        if WAY == "crashes":
            sys.stderr.write("Segmentation fault in torch\n")
            sys.exit(3)
        if WAY == "refuses":
            return {"refused": "weights do not fit the network"}
        outputs = list(NETWORK.output_names)
        return {"torch": "2.13.0", "inputs": INPUTS, "outputs": outputs, "free": WAY != "fixed"}
    if do == "export":
        if exporter == WAY or WAY == "neither":
            return {"refused": f"{exporter} does not know it"}
        shutil.copy(ONNX, FOLDER / f"{exporter}.onnx")
        return {"path": str(FOLDER / f"{exporter}.onnx")}
    if do == "export_tflite":
        return json.loads(os.environ.get("FAKE_TFLITE", '{"path": null}'))
    with np.load(FOLDER / "inputs.npz") as data:
        given = [data[name] for name in data.files]
    if WAY == "fixed" and len(given[0]) > 1:
        return {"refused": "the batch is 1"}
    feed = dict(zip(NETWORK.input_names, given, strict=True))
    wrong = 0.5 if WAY == "differs" else 0.0
    answers = [each + np.float32(wrong) for each in NETWORK.run(None, feed)]
    np.savez(FOLDER / "outputs.npz", **{str(n): each for n, each in enumerate(answers)})
    return {}


answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    answers.write(json.dumps(answer(**json.loads(line))) + "\n")
    answers.flush()
