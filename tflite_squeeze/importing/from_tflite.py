"""A Keras model from a float `.tflite` file, by way of ONNX."""

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.from_file.emit import floats_of
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import CheckFailed, UnsupportedError, UsageError, reason_of
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.foreign.onnx.checking import called, difference_of
from tflite_squeeze.foreign.onnx.importing import Imported, import_onnx
from tflite_squeeze.importing.config import Import
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model

Array = NDArray[Any]

_OPSET = 17
_EXAMPLES = 3


def import_tflite(path: Path, config: Import) -> Imported:
    """Rebuilds a `.tflite` file of trainable Keras 3 layers, and compares the two.

    tf2onnx translates its operators to ONNX, from where it goes on as any ONNX model does.

    Args:
        path: a file in float32 or float16.
        config: shapes that it leaves open, and the tolerance.

    Raises:
        InputError: the file is missing or damaged.
        UsageError: it is quantized, or tf2onnx is not installed.
        UnsupportedError: it has operators that no layer computes; all are named.
        CheckFailed: the models differ by more than the tolerance.
    """
    content = _without_signatures(floats_of(load_model(path), Quantization.INT8)[0])
    with temporary_folder() as folder:
        source, made = folder / f"{path.stem}.tflite", folder / f"{path.stem}.onnx"
        source.write_bytes(content)
        _translate(source, made, path.name)
        imported = import_onnx(made, input_shapes=config.input_shapes, tolerance=config.tolerance)
    difference = _difference(content, imported)
    if not difference <= config.tolerance:
        raise CheckFailed(
            f"the Keras model differs from {path} by {difference:.2g} of the largest value of an "
            f"output, more than {config.tolerance:g}: raise the tolerance if rounding in so deep a "
            f"network may be the reason"
        )
    agreement = replace(
        imported.agreement, largest=difference, batches=(_EXAMPLES,), evaluator="LiteRT"
    )
    return replace(imported, agreement=agreement)


def _without_signatures(tflite: bytes) -> bytes:
    """The same with its inputs and outputs under the names and in the order of its graph."""
    model = read_model(tflite)
    model.signatureDefs = []
    return pack_model(model)


def _translate(source: Path, made: Path, name: str) -> None:
    try:
        from tf2onnx import convert
    except ImportError as error:
        raise UsageError(
            "a .tflite file comes in by tf2onnx, which is not installed: "
            "pip install 'tflite_squeeze[onnx]'"
        ) from error
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    try:
        model, _ = convert.from_tflite(str(source), opset=_OPSET, output_path=str(made))
    # What it raises of operators in a form that it does not know.
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise UnsupportedError(
            f"{name} cannot be translated to ONNX ({reason_of(error)}): import the model that it "
            f"was made from"
        ) from error
    unknown = Counter(node.op_type.removeprefix("TFL_") for node in model.graph.node
                      if node.op_type.startswith("TFL_"))  # fmt: skip
    if unknown:
        listed = ", ".join(f"{kind} x {count}" for kind, count in unknown.most_common())
        raise UnsupportedError(
            f"{name} has operators without a Keras layer: {listed}; import the model that it was "
            f"made from"
        )


def _difference(tflite: bytes, imported: Imported) -> float:
    """How far the answers are from the file's, relative to the largest value of an output."""
    generator = np.random.default_rng(0)
    inputs = [
        generator.standard_normal((_EXAMPLES, *end.shape), np.float32) for end in imported.inputs
    ]
    given = {
        end.onnx_name: array.transpose(0, *(1 + np.argsort(end.axes)))
        for end, array in zip(imported.inputs, inputs, strict=True)
    }
    wanted = run_file(tflite, given).outputs
    answers = called(imported.model, inputs)
    return max(
        difference_of(answer, end.axes, wanted[end.onnx_name])
        for end, answer in zip(imported.outputs, answers, strict=True)
    )
