"""A model on its way to a file with weights in few bits and activations in float."""

import math
from dataclasses import replace
from typing import Any

from tflite_squeeze.conversion.calibration import judged_by_divergence, samples_for
from tflite_squeeze.conversion.planned import Twin, planned
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.calibration.adjusting import FREE_SCALES, adjusted
from tflite_squeeze.emission.calibration.config import Calibrate
from tflite_squeeze.emission.calibration.steps import quantized_by_calibration
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.low_bit.grids import grids_of
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.quantized import is_quantized_twin
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.graph import Node, graph_of, has_graph
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.folding import OUTPUT_AXES, folded
from tflite_squeeze.network.quantization.plan import QuantizationPlan, WeightBits
from tflite_squeeze.network.quantization.twin import kernel_name, plan_for

_NO_GRAPH = "weights are rounded to the nearest, as there is no graph of Keras layers"
_NEAREST = (
    "weights are rounded to the nearest: with --data, the rounding of each makes up for that of "
    "others, and biases for what is left"
)


def with_few_bits(
    source: LoadedModel, config: Convert, bits: WeightBits, samples: Data | None
) -> Twin:
    """A model whose kernels are on grids of few levels, with what that did to its answers made up.

    Args:
        source: the model, in float32.
        config: says what is minimized, and whether activations are integers too.
        bits: of the weights of convolutions and Dense layers.
        samples: to round on; without them, and for models without a graph of layers, the weights
            of a file with activations in float are rounded to the nearest.

    Returns:
        The model in float and the grids of its kernels, or the quantized twin.

    Raises:
        InputError: a tensor is NaN or infinite on the samples.
        UsageError: the model is a quantized network, or integers are asked of one not of Keras.
    """
    refuse_quantized(source)
    graphed = source.kind in (ModelKind.KERAS, ModelKind.TF_KERAS) and has_graph(source.model)
    if config.quantize is Quantization.INT8:
        if not graphed:
            raise UsageError(
                f"--weight-bits {bits} in int8 files needs a Keras model with a graph of layers, "
                f"and {source.name!r} is none: use --quantize dynamic, or leave --weight-bits out"
            )
        plan = plan_of_bits(folded(source.model), config, bits)
        return integers_of(source, config, plan, samples)
    if samples is None or not graphed:
        return Twin(source=source, config=config, notes=(_NEAREST if graphed else _NO_GRAPH,))
    given = samples_for(source.model, config, samples)
    settings = Calibrate(method="minmax", samples=config.calibration_samples)
    plan = plan_of_bits(folded(source.model), config, bits)
    found = quantized_by_calibration(
        source.model, given, settings, judge=judged_by_divergence, plan=plan
    )
    done = adjusted(found.model, found.plan, given, rounding=False, bias=False)
    return Twin(
        source=replace(source, model=done.model),
        config=config,
        record=found.record,
        grids=tuple(grids_of(done.model, done.plan)),
    )


def refuse_quantized(source: LoadedModel) -> None:
    """Refuses a model whose weights have bits of their own.

    Raises:
        UsageError: it is a quantized network.
    """
    if is_quantized_twin(source):
        raise UsageError(
            f"model {source.name!r} is a quantized network, which has bits of its own: leave "
            f"--weight-bits out"
        )


def integers_of(
    source: LoadedModel, config: Convert, few: QuantizationPlan, samples: Data | None
) -> Twin:
    """The quantized twin of a model, for an int8 file with weights of few bits.

    Args:
        source: a Keras model with a graph of layers.
        config: the options.
        few: of its kernels.
        samples: to calibrate on.
    """
    plan = plan_for(folded(source.model))
    whole = plan.model_copy(update={"weights": {**plan.weights, **few.weights}})
    update = {"plan": whole, "calibrate": config.calibrate or "auto"}
    return planned(source, config.model_copy(update=update), samples)


def plan_of_bits(network: Any, config: Convert, bits: WeightBits) -> QuantizationPlan:
    """The plan of a network's kernels alone.

    Args:
        network: what `folded` returned.
        config: says what is minimized, and in which files.
        bits: of each weight, where the runtime takes them.
    """
    whole = plan_for(network)
    nodes = {kernel_name(one.layer): one for one in graph_of(network).nodes.values()}
    weights = {
        name: one.model_copy(update={"bits": bits_for(nodes[name], config, bits)})
        for name, one in whole.weights.items()
        if nodes[name].kind in FREE_SCALES
    }
    return QuantizationPlan(weights=weights)


def bits_for(node: Node, config: Convert, bits: WeightBits) -> WeightBits:
    """The bits of a kernel that come nearest to what was asked and pay off in the file.

    Args:
        node: of the layer.
        config: says what is minimized, and whether activations are integers.
        bits: that were asked for.

    Returns:
        8 where fewer make the operator slow and time counts, or where the runtime refuses them.
    """
    kernel = node.source.get_weights()[0]
    row = kernel.size // math.prod(kernel.shape[axis] for axis in OUTPUT_AXES[node.kind])
    if not is_matrix(node):
        if config.minimize == "latency":
            return 8
        return max(bits, 4) if config.quantize is Quantization.INT8 else bits
    if config.quantize is not Quantization.INT8 or bits == 8:
        return bits
    return 8 if row % 2 else 4 if row % 4 else bits


def is_matrix(node: Node) -> bool:
    """Whether a layer is a FULLY_CONNECTED in its file, which is fast with few bits."""
    if node.kind == "Dense":
        return True
    config = node.config
    ones = [*config.get("kernel_size", (0,)), *config.get("strides", (0,))]
    return node.kind in ("Conv1D", "Conv2D") and {*ones, config.get("groups", 1)} == {1}
