"""Whether a factorized layer pays: both ways of it timed as files on the LiteRT interpreter."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_squeeze.conversion.model_times import model_times
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network import flavors
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


def latency_judge(quantize: Quantization) -> Judge:
    """What times models beside another, as files of a quantization.

    Args:
        quantize: of the files. Times do not depend on values: the integer modes calibrate on
            made-up samples.
    """

    def judge(whole: Any, others: Sequence[Any]) -> list[LayerTime]:
        alone, *split = model_times([whole, *others], quantize)
        return [
            LayerTime(
                whole_us=float(alone.min()),
                split_us=float(times.min()),
                ratio=float(np.median(times / alone)),
            )
            for times in split
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
