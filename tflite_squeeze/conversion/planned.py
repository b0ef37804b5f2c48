"""Models that become the file of a plan: first their quantized twin, then that one's file."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.conversion.calibration import calibrated_source, eight_bits
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.calibration.calibrate import calibrated
from tflite_squeeze.emission.calibration.record import CalibrationRecord
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.endpoints import endpoints_of, fixed_specs
from tflite_squeeze.emission.low_bit.grids import Grid
from tflite_squeeze.emission.quantization import Quantization, uncalibrated
from tflite_squeeze.emission.quantized import is_quantized_twin
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.biases import round_biases
from tflite_squeeze.network.quantization.fitting import fitted_plan, some
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.in_float import (
    with_activation_bits,
    without_layers,
)
from tflite_squeeze.network.quantization.plan import ActivationBits, QuantizationPlan
from tflite_squeeze.network.quantization.twin import (
    plan_of_twin,
    twin_of,
)

_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Twin:
    """What is converted in a model's place.

    Attributes:
        source: the quantized twin, or the model itself.
        config: the options; a plan in them has all ranges.
        examples: number of samples that ranges of a plan were calibrated on.
        record: what `--calibrate` did.
        grids: of a model in float whose kernels are on them.
        notes: for the report.
    """

    source: LoadedModel
    config: Convert
    examples: int = 0
    record: CalibrationRecord | None = None
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()


def planned(source: LoadedModel, config: Convert, samples: Data | None) -> Twin:
    """The twin of a model by the plan of a conversion, without the layers that it keeps in float.

    Args:
        source: the model, which `prepared` has seen.
        config: with a plan, or with layers to keep in float of one for 8 bits.
        samples: to calibrate the ranges on that the plan leaves open.

    Raises:
        UsageError: the model is not of Keras, has a plan of its own, or the plan does not fit it.
        InputError: ranges are open, and there are no samples.
    """
    option = "--keep-float" if config.keep_float else "--keep-int16"
    option = option if config.plan is None else "--plan"
    if source.kind not in (ModelKind.KERAS, ModelKind.TF_KERAS):
        raise UsageError(f"{option} quantizes Keras models; {source.name!r} is none: leave it out")
    refuse_own_plan(source, option)
    network = folded(source.model)
    plan = config.plan or eight_bits(network, per_channel_dense=config.per_channel_dense)
    plan = without_layers(plan, source.model, network, config.keep_float)
    wide: dict[str, ActivationBits] = dict.fromkeys(config.keep_int16, 16)
    plan = with_activation_bits(plan, source.model, network, wide)
    plan = fitted_plan(plan, network, source.name)
    opened = [name for name, one in plan.activations.items() if one.low is None]
    if samples is None and config.calibrate is not None:
        raise uncalibrated(Quantization.INT8)
    if samples is None and opened:
        raise InputError(
            f"the plan leaves the range of {some(opened)} open, which is calibrated on real "
            f"samples: pass --data, such as --data samples.npz, or give low and high"
        )
    if samples is not None and config.calibrate is not None:
        twin, record = calibrated_source(source, config, samples, _without_numbers(plan))
        plan = plan_of_twin(twin.model)
        return Twin(source=twin, config=config.model_copy(update={"plan": plan}), record=record)
    examples = 0
    if opened and samples is not None:
        given = calibration_inputs(source, config, samples)
        examples = len(next(iter(given.values())))
        plan = calibrated(network, given, "mse", plan)
    twin = replace(source, model=twin_of(network, plan))
    round_biases(twin.model)
    return Twin(source=twin, config=config.model_copy(update={"plan": plan}), examples=examples)


def refuse_own_plan(source: LoadedModel, option: str) -> None:
    """Refuses a model that is quantized already.

    Args:
        source: the model.
        option: what would quantize it again.

    Raises:
        UsageError: it is a quantized network.
    """
    if is_quantized_twin(source):
        raise UsageError(
            f"model {source.name!r} is a quantized network, which has a plan of its own: leave "
            f"{option} out"
        )


def _without_numbers(plan: QuantizationPlan) -> QuantizationPlan:
    """A plan that leaves scales and ranges to calibration.

    Raises:
        UsageError: it gives scales, which do not fit weights that calibration changes.
    """
    scaled = [name for name, one in plan.weights.items() if one.scale is not None]
    if scaled:
        raise UsageError(
            f"--calibrate changes weights, and the plan gives scales to {some(scaled)}: leave the "
            f"scales out, or --calibrate"
        )
    return plan


def calibration_inputs(
    source: LoadedModel, config: Convert, samples: Data
) -> dict[str, NDArray[Any]]:
    """Samples to calibrate on, (N, ...) by input name."""
    (endpoint,) = endpoints_of(source)
    fitted = samples.fitted_to(fixed_specs(endpoint, config.batch, config.input_shapes))
    batches = list(fitted.calibration_batches(config.calibration_samples, _BATCH))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
