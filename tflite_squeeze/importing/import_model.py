"""`import_model`: a file of another framework in, a Keras model and a record out."""

from collections import Counter
from pathlib import Path
from typing import Any

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.files.tflite_file import read_tflite
from tflite_squeeze.foreign.onnx.importing import TOLERANCE, Endpoint, Imported, import_onnx
from tflite_squeeze.foreign.torch.importing import import_torch
from tflite_squeeze.foreign.torch.source import (
    factory_of,
    is_factory,
    is_program,
    refuse_unused,
)
from tflite_squeeze.importing.config import Import
from tflite_squeeze.importing.record import ImportedEndpoint, ImportRecord
from tflite_squeeze.rebuilding import from_tflite
from tflite_squeeze.rebuilding.from_tflite import import_tflite

TFLITE_SUFFIX = ".tflite"


@checked_arguments
def import_model(source: str | Path, config: Import | None = None) -> tuple[Any, ImportRecord]:
    """Rebuilds a model of another framework of trainable Keras 3 layers, and compares the two.

    Args:
        source: an `.onnx` file, whose weights in files beside it are found; a `.tflite` file in
            float32 or float16; a `.pt2` file; or `model.py:build`, a function without arguments
            that builds a PyTorch network, and is run.
        config: shapes that the source leaves open, its weights, and the tolerance.

    Returns:
        (model, record). The model takes images with their channels last, and any batch size.

    Raises:
        InputError: the file is missing or damaged.
        UsageError: it is quantized, or what reads it is not installed.
        UnsupportedError: it has operators that no layer computes; all are named.
        CheckFailed: the two models differ by more than the tolerance.

    Example:
        >>> model, record = import_model("model.onnx")
        >>> record.largest_difference < 1e-5
        True
    """
    imported = _imported(source, config or Import())
    model = imported.model
    kinds = Counter(type(each).__name__ for each in model.layers)
    kinds.pop("InputLayer", None)
    record = ImportRecord(
        source=str(source),
        opset=imported.opset,
        operators=imported.nodes,
        layers=dict(kinds),
        parameters=model.count_params(),
        largest_difference=imported.agreement.largest,
        batches=imported.agreement.batches,
        evaluator=imported.agreement.evaluator,
        inputs=tuple(map(_recorded, imported.inputs)),
        outputs=tuple(map(_recorded, imported.outputs)),
    )
    return model, record


def _imported(source: str | Path, config: Import) -> Imported:
    path, shapes = Path(source), config.input_shapes
    tolerance = TOLERANCE if config.tolerance is None else config.tolerance
    if is_factory(source):
        factory = factory_of(source, config.weights, config.inputs)
        return import_torch(factory, tolerance=tolerance)
    refuse_unused(source, config.weights, config.inputs)
    if is_program(path):
        return import_torch(path, tolerance=tolerance, allow_unsafe=config.allow_unsafe)
    if path.suffix == TFLITE_SUFFIX:
        return import_tflite(
            read_tflite(path), path.stem, input_shapes=shapes,
            tolerance=from_tflite.TOLERANCE if config.tolerance is None else tolerance,
        )  # fmt: skip
    return import_onnx(path, input_shapes=shapes, tolerance=tolerance)


def _recorded(end: Endpoint) -> ImportedEndpoint:
    return ImportedEndpoint(
        onnx_name=end.onnx_name,
        onnx_shape=end.onnx_shape,
        name=end.name,
        shape=end.shape,
        layout="channels_last" if end.moved else "as is",
    )
