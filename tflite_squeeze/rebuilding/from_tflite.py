"""A Keras model from a float `.tflite` file, by way of ONNX."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.emission.from_file.builtin import with_builtin_operators
from tflite_squeeze.emission.from_file.weights import widened
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.foreign.onnx.checking import called, difference_of
from tflite_squeeze.foreign.onnx.importing import Imported, import_onnx
from tflite_squeeze.foreign.onnx.translating import from_file
from tflite_squeeze.rebuilding.names import short_names
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flat_inputs import with_flat_inputs
from tflite_squeeze.tflite.signatures import quantization_name, without_signatures

Array = NDArray[Any]

_OPSET = 17
_EXAMPLES = 3
# The runtime adds in another order than Keras does, which deep networks amplify.
TOLERANCE = 1e-3
# Of the step by ONNX, in which only mistakes are looked for: their first node is named.
_LOOSER = 10
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
    content = without_signatures(_floats(tflite, name))
    with temporary_folder() as folder:
        source, made = folder / f"{name}.tflite", folder / f"{name}.onnx"
        source.write_bytes(with_flat_inputs(content))
        with caught_chatter():
            translated = from_file(source, opset=_OPSET, name=source.name, remedy=_REMEDY)
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


def _floats(tflite: bytes, name: str) -> bytes:
    """The file in float32.

    Raises:
        UsageError: it is quantized.
    """
    plain, _ = with_builtin_operators(widened(tflite)[0])
    found = quantization_name(plain)
    if found != "none":
        raise UsageError(
            f"{name}.tflite is quantized already ({found}): give the float file or the Keras model "
            f"that it was made from"
        )
    return plain


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
