"""Whether a factorized layer pays: both ways of it timed as files on the LiteRT interpreter."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network import flavors
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.techniques.low_rank.allocation import Clock
from tflite_squeeze.techniques.low_rank.factor_schemes import Choice
from tflite_squeeze.techniques.low_rank.factorable import Shapes, Weighed
from tflite_squeeze.techniques.low_rank.record import LayerTime
from tflite_squeeze.techniques.low_rank.splitting import (
    Judge,
    candidate,
    input_spec,
    standing_alone,
)

_CALIBRATION_SAMPLES = 16


def latency_judge(quantize: Quantization) -> Judge:
    """What times models beside another, as files of a quantization.

    Args:
        quantize: of the files. Times do not depend on values: the integer modes calibrate on
            made-up samples.
    """

    def judge(whole: Any, others: Sequence[Any]) -> list[LayerTime]:
        files = {str(at): _file(model, quantize) for at, model in enumerate([whole, *others])}
        times = turn_by_turn(files)
        return [
            LayerTime(
                whole_us=float(times["0"].min()),
                split_us=float(times[str(at)].min()),
                ratio=float(np.median(times[str(at)] / times["0"])),
            )
            for at in range(1, len(files))
        ]

    return judge


def latency_clock(judge: Judge, shapes: Shapes, emit: str) -> Clock:
    """What times a layer and ways to split it, by themselves; alike layers are timed once.

    Args:
        judge: times models beside another.
        shapes: of every call of every layer, by id.
        emit: "plain" or "factorized" layers.
    """
    known: dict[Any, tuple[float, list[float]]] = {}

    def clock(layer: Weighed, ways: Sequence[Choice]) -> tuple[float, list[float]]:
        one = layer.one
        if not ways:
            return 0.0, []
        key = (one.kind, one.size, one.macs, tuple((way.scheme, way.ranks) for way in ways))
        if key not in known:
            spec = input_spec(one, shapes)
            flavor = flavors.known_flavor(one.layer)
            whole = standing_alone(one.whole(), spec, flavor)
            others = [
                standing_alone(candidate(layer, way, emit).specs, spec, flavor) for way in ways
            ]
            times = judge(whole, others)
            alone = min(time.whole_us for time in times)
            known[key] = alone, [alone * time.ratio for time in times]
        return known[key]

    return clock


def _file(model: Any, quantize: Quantization) -> bytes:
    samples = _made_up(model) if quantize.calibrates else None
    config = Convert(quantize=quantize, sparsity="dense")
    return convert(model, config, samples, verification=None).tflite


def _made_up(model: Any) -> dict[str, Any]:
    """Normal numbers for every input of a model; zeros where it takes integers."""
    generator = np.random.default_rng(0)
    made = {}
    for name, spec in flavors.input_specs(model).items():
        shape = (_CALIBRATION_SAMPLES, *[size or 1 for size in spec.shape[1:]])
        values = generator.normal(size=shape) if spec.dtype.is_floating else np.zeros(shape)
        made[name] = values.astype(spec.dtype.as_numpy_dtype)
    return made
