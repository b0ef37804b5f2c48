"""Whether an ONNX file computes what it was made from."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import CheckFailed, RuntimeFailure, reason_of
from tflite_squeeze.exporting.config import ExportOnnx
from tflite_squeeze.exporting.record import OnnxAgreement
from tflite_squeeze.runtime.foreign import run_foreign
from tflite_squeeze.runtime.onnx import RUNTIME

if TYPE_CHECKING:
    from onnx import ModelProto

Array = NDArray[Any]
Arrays = dict[str, Array]
Evaluator = Callable[["ModelProto", Arrays, int], Arrays]

_LEVELS = 255
# From here on ONNX's evaluator computes QuantizeLinear and DequantizeLinear.
_OPSET_OF_INTEGERS = 19
_SMALLEST = float(np.finfo(np.float32).tiny)


def evaluator() -> tuple[str, Evaluator]:
    """What computes ONNX files here: ONNX Runtime, else the evaluator of the onnx package."""
    if find_spec("onnxruntime") is not None:
        return RUNTIME, lambda model, inputs, batch: run_foreign(
            model.SerializeToString(), inputs, batch=batch
        )
    return "ONNX reference evaluator", _referenced


def refuse_invalid(model: "ModelProto", name: str) -> None:
    """Refuses a graph that is no valid ONNX: evaluators are more patient than runtimes.

    Args:
        model: what is to be exported.
        name: what to call it in messages.

    Raises:
        CheckFailed: it is not.
    """
    import onnx.checker
    import onnx.shape_inference

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CheckFailed(
            f"the ONNX file of {name} would not be valid ({reason_of(error)}): please report the "
            f"model, and export its .tflite file meanwhile"
        ) from error


def _referenced(model: "ModelProto", inputs: Arrays, batch: int) -> Arrays:
    from onnx import version_converter
    from onnx.reference import ReferenceEvaluator

    integers = any(node.op_type == "DequantizeLinear" for node in model.graph.node)
    if integers and max(one.version for one in model.opset_import) < _OPSET_OF_INTEGERS:
        model = version_converter.convert_version(model, _OPSET_OF_INTEGERS)
    names = [one.name for one in model.graph.output]
    count = len(next(iter(inputs.values())))
    run = ReferenceEvaluator(model).run
    parts = []
    for start in range(0, count, batch):
        given = {name: array[start : start + batch] for name, array in inputs.items()}
        try:
            parts.append(run(None, given))
        # Whatever its operators raise on a shape that does not fit.
        except (
            ArithmeticError, AssertionError, IndexError, RuntimeError, TypeError, ValueError
        ) as error:  # fmt: skip
            raise RuntimeFailure(
                f"ONNX's evaluator cannot compute the file: {error}; install onnxruntime"
            ) from error
    return {
        name: np.concatenate([np.asarray(part) for part in column])
        for name, column in zip(names, zip(*parts, strict=True), strict=True)
    }


def check(
    answers: Mapping[str, Array],
    wanted: Mapping[str, Array],
    steps: Mapping[str, float] | None,
    config: ExportOnnx,
    name: str,
) -> tuple[OnnxAgreement, ...]:
    """Compares a file's outputs with those of what it was made from.

    Args:
        answers: (N, ...) by output name.
        wanted: the same of the model or the `.tflite` file.
        steps: of each output of a quantized file, 0 where it has none; None for a float file.
        config: the tolerances.
        name: what to call it in messages.

    Raises:
        CheckFailed: an output differs by more than the tolerance.
    """
    found = tuple(
        agreement(output, answers[output], one, None if steps is None else steps.get(output, 0.0))
        for output, one in wanted.items()
    )
    for one in found:
        if one.mean_steps is None and not one.largest <= config.tolerance:
            raise CheckFailed(
                f"the ONNX file of {name} differs from the model by {one.largest:.2g} of the "
                f"largest value of output {one.output!r}, more than {config.tolerance:g}: raise "
                f"--tolerance if rounding in so deep a network may be the reason"
            )
        if one.mean_steps is not None and not one.mean_steps <= config.max_steps:
            raise CheckFailed(
                f"the ONNX file of {name} differs from the .tflite file by {one.mean_steps:.2g} "
                f"steps of output {one.output!r} in the mean, more than {config.max_steps:g}: "
                f"export it in float, or raise --max-steps"
            )
    return found


def agreement(output: str, got: Array, wanted: Array, step: float | None) -> OnnxAgreement:
    """How far one output is from another.

    Args:
        output: its name.
        got: (N, ...).
        wanted: the same shape, else the difference is infinite.
        step: of its scale; 0 for 1/255 of the range of `wanted`, None for floats.

    Example:
        >>> agreement("y", np.array([0.0, 1.5]), np.array([0.0, 1.0]), 0.5).largest_steps
        1.0
    """
    if got.shape != wanted.shape:
        return OnnxAgreement(output=output, largest=float("inf"), mean_steps=float("inf"))
    apart = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
    largest = float(np.max(apart, initial=0.0))
    relative = largest / max(float(np.max(np.abs(wanted), initial=0.0)), _SMALLEST)
    if not np.isfinite(got).all() and np.isfinite(wanted).all():
        relative = float("inf")
    if step is None:
        return OnnxAgreement(output=output, largest=relative)
    step = step or max(float(np.ptp(wanted)) / _LEVELS, _SMALLEST)
    return OnnxAgreement(
        output=output,
        largest=relative,
        step=step,
        same=float(np.mean(apart < step / 2)),
        largest_steps=largest / step,
        mean_steps=float(np.mean(apart)) / step,
    )
