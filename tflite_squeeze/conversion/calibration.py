"""A model on its way to int8 by its own calibration instead of the converter's."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.calibration.config import Calibrate
from tflite_squeeze.emission.calibration.record import CalibrationRecord
from tflite_squeeze.emission.calibration.steps import quantized_by_calibration
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.flavors import input_specs
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.biases import round_biases
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.network.quantization.twin import plan_for, twin_of
from tflite_squeeze.training.divergence import Divergence

Array = NDArray[Any]

_HELD_BACK = 256


def calibrated_source(
    source: LoadedModel, config: Convert, samples: Data, plan: QuantizationPlan | None = None
) -> tuple[LoadedModel, CalibrationRecord]:
    """The quantized twin of a model, which converts into a file with the ranges found here.

    Args:
        source: the model, in float32.
        config: says how to calibrate.
        samples: to calibrate on; others of them decide which steps are kept.
        plan: what is quantized to what; by default 8 bits for all.

    Returns:
        The twin in the model's place, and what was done.

    Raises:
        InputError: the model is not one of Keras, or a tensor is NaN or infinite on the samples.
        UsageError: it has no graph of layers.
    """
    if source.kind not in (ModelKind.KERAS, ModelKind.TF_KERAS) or config.calibrate is None:
        raise InputError(
            f"--calibrate needs a Keras model and {source.name!r} is a {source.kind.value}: leave "
            f"--calibrate out, so that TensorFlow's converter calibrates it"
        )
    if plan is None and not config.per_channel_dense:
        plan = _per_tensor(source.model)
    count = config.calibration_samples
    fitted = samples.fitted_to(input_specs(source.model))
    found = quantized_by_calibration(
        source.model,
        fitted.sample("calibration", count + _HELD_BACK).inputs,
        Calibrate(method=config.calibrate, samples=count),
        judge=_judge,
        plan=plan,
    )
    twin = twin_of(found.model, found.plan)
    round_biases(twin)
    return replace(source, model=twin), found.record


def _judge(model: Any, answers: Sequence[Array]) -> Callable[[Sequence[Array]], float]:
    return Divergence(model, answers).of


def _per_tensor(model: Any) -> QuantizationPlan:
    """8 bits for all, Dense kernels with one scale each."""
    network = folded(model)
    plan = plan_for(network)
    weights = {
        name: weight.model_copy(update={"axis": None})
        if type(network.get_layer(name.rpartition("/")[0])).__name__ == "Dense"
        else weight
        for name, weight in plan.weights.items()
    }
    return plan.model_copy(update={"weights": weights})
