"""A Keras model from a float `.tflite` file, by way of ONNX."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.emission.from_file.emit import floats_of
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.foreign.onnx.checking import called, difference_of
from tflite_squeeze.foreign.onnx.importing import Imported, import_onnx
from tflite_squeeze.foreign.onnx.translating import from_file
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.rebuilding.names import short_names
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flat_inputs import with_flat_inputs
from tflite_squeeze.tflite.signatures import without_signatures

Array = NDArray[Any]

_OPSET = 17
_EXAMPLES = 3
# The runtime adds in another order than Keras does, which deep networks amplify.
TOLERANCE = 1e-3
# Of the step by ONNX, in which only mistakes are looked for: their first node is named.
_LOOSER = 10
_GIVE = "give the float file or the Keras model that it was made from"
_REMEDY = (
    "give the model that it was made from; convert takes the file as it is, and so do prune and "
    "cluster with an output that ends in .tflite"
)


def import_tflite(
    tflite: bytes,
    name: str,
    *,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    tolerance: float = TOLERANCE,
) -> Imported:
    """Rebuilds a `.tflite` file of trainable Keras 3 layers, and compares the two.

    tf2onnx translates its operators to ONNX, from where it goes on as any ONNX model does.

    Args:
        tflite: the file, in float32 or float16.
        name: of the model, for messages too.
        input_shapes: full shapes of inputs that the file leaves open beside the batch.
        tolerance: the largest difference, relative to the largest value of an output.

    Raises:
        InputError: the file is damaged.
        UsageError: it is quantized, or tf2onnx is not installed.
        UnsupportedError: it has operators that no layer computes; all are named.
        CheckFailed: the models differ by more than the tolerance.
    """
    source = LoadedModel(model=tflite, kind=ModelKind.TFLITE, name=f"{name}.tflite", sha256="")
    content = without_signatures(floats_of(source, Quantization.INT8, remedy=_GIVE)[0])
    with temporary_folder() as folder:
        path, made = folder / f"{name}.tflite", folder / f"{name}.onnx"
        path.write_bytes(with_flat_inputs(content))
        with caught_chatter():
            translated = from_file(path, opset=_OPSET, name=path.name, remedy=_REMEDY)
        nodes = translated.graph.node
        for node, short in zip(nodes, short_names([one.name for one in nodes]), strict=True):
            node.name = short
        made.write_bytes(translated.SerializeToString())
        imported = import_onnx(made, input_shapes=input_shapes, tolerance=_LOOSER * tolerance)
    difference = _difference(content, imported)
    if not difference <= tolerance:
        raise CheckFailed(
            f"the Keras model differs from {name}.tflite by {difference:.2g} of the largest value "
            f"of an output, more than {tolerance:g}: raise the tolerance of tflite-squeeze import "
            f"if rounding in so deep a network may be the reason"
        )
    agreement = replace(
        imported.agreement, largest=difference, batches=(_EXAMPLES,), evaluator="LiteRT"
    )
    return replace(imported, agreement=agreement)


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
