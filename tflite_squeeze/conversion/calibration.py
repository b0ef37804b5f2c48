"""A model on its way to int8 by its own calibration instead of the converter's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.calibration.config import Calibrate
from tflite_squeeze.emission.calibration.record import CalibrationRecord
from tflite_squeeze.emission.calibration.steps import quantized_by_calibration
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.endpoints import endpoints_of, fixed_specs
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.flavors import input_specs
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.biases import round_biases
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.network.quantization.twin import kernel_name, plan_for, twin_of
from tflite_squeeze.runtime.observing import Batches
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
        plan = eight_bits(folded(source.model), per_channel_dense=False)
    found = quantized_by_calibration(
        source.model,
        samples_for(source.model, config, samples),
        Calibrate(method=config.calibrate, samples=config.calibration_samples),
        judge=judged_by_divergence,
        plan=plan,
    )
    twin = twin_of(found.model, found.plan)
    round_biases(twin)
    return replace(source, model=twin), found.record


def samples_for(model: Any, config: Convert, samples: Data) -> Mapping[str, Array]:
    """Samples to calibrate on, and behind them others to judge by, by the name of the input."""
    fitted = samples.fitted_to(input_specs(model))
    return fitted.sample("calibration", config.calibration_samples + _HELD_BACK).inputs


def calibration_batches(
    source: LoadedModel, config: Convert, samples: Data, seen: dict[str, int]
) -> dict[str, Batches]:
    """Batches of real samples for every signature, in exactly the shapes of the file.

    Args:
        source: the model, or a `.tflite` file.
        config: the batch, the shapes of open inputs and how many samples.
        samples: to calibrate on.
        seen: gets, by signature, how many examples were read from its batches.

    Returns:
        By signature, a function that returns batches by input name.
    """
    batches: dict[str, Batches] = {}
    for endpoint in endpoints_of(source):
        specs = fixed_specs(endpoint, config.batch, config.input_shapes)
        sizes = {spec.shape[0] for spec in specs.values() if spec.shape.rank}
        batch = next((int(size) for size in sizes if size), 1)
        fitted = samples.fitted_to(specs)
        count = config.calibration_samples
        batches[endpoint.name] = partial(_batches, fitted, count, batch, endpoint.name, seen)
    return batches


def _batches(
    samples: Data, count: int, batch: int, signature: str, seen: dict[str, int]
) -> Iterator[dict[str, Array]]:
    """Whole batches only, since the file takes no other; `seen` counts their examples."""
    seen[signature] = 0
    for inputs in samples.calibration_batches(count, batch):
        if len(next(iter(inputs.values()))) == batch:
            seen[signature] += batch
            yield inputs
    if not seen[signature]:
        raise InputError(
            f"data has fewer examples than the batch of {batch} to calibrate on: pass more, or "
            f"--batch 1"
        )


def judged_by_divergence(
    model: Any, answers: Sequence[Array]
) -> Callable[[Sequence[Array]], float]:
    """How far other answers are from a model's."""
    return Divergence(model, answers).of


def eight_bits(network: Any, *, per_channel_dense: bool) -> QuantizationPlan:
    """The plan of 8 bits for all.

    Args:
        network: what `folded` returned.
        per_channel_dense: whether Dense kernels have a scale for each output, or one.
    """
    plan = plan_for(network)
    if per_channel_dense:
        return plan
    whole = {
        kernel_name(node.layer): plan.weights[kernel_name(node.layer)].model_copy(
            update={"axis": None}
        )
        for node in graph_of(network).nodes.values()
        if node.kind == "Dense"
    }
    return plan.model_copy(update={"weights": {**plan.weights, **whole}})
