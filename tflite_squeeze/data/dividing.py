"""Examples divided into those that decide and those that judge what was decided."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.data import Data
from tflite_squeeze.data.raw_data import RawPart

# With fewer in a half, a check on it says little.
_FEWEST = 64


@dataclass(frozen=True, kw_only=True)
class Divided:
    """Data for a choice, and data for the judgement on it.

    Attributes:
        choosing: its calibration and validation parts are what a choice is made on.
        judging: its validation part is what the choice has not seen.
        apart: whether that is so; there may be too few examples.
    """

    choosing: Data
    judging: Data
    apart: bool


def divided(data: Data) -> Divided:
    """Divides data so that what is chosen is judged on other examples, where there are enough.

    The training part, where there is one, is divided into examples to calibrate on and examples to
    choose by, and the validation part judges; without one, each second example judges.

    Args:
        data: of any kind.

    Example:
        >>> parts = divided(load_data(np.zeros((400, 2))))
        >>> parts.choosing.sample("validation", None).count
        100
    """
    raw = data.raw
    seen, judge = raw.train, raw.validation
    if seen is None or seen is judge or raw.calibration is judge:
        if (judge.count or _FEWEST * 2) < _FEWEST * 2:
            return Divided(choosing=data, judging=data, apart=False)
        seen, judge = halves(judge)
    if raw.calibration in (raw.train, raw.validation):
        calibration, seen = halves(seen)
    else:
        calibration = raw.calibration
    chosen = data.with_parts(validation=seen, calibration=calibration)
    judged = data.with_parts(validation=judge, calibration=calibration)
    return Divided(choosing=chosen, judging=judged, apart=True)


def halves(part: RawPart) -> tuple[RawPart, RawPart]:
    """The examples of a part at even and at odd positions; both are the whole if it has only one.

    Args:
        part: of any source; a stream stays one.
    """
    if part.count == 1:
        return part, part
    return _every_second(part, 0), _every_second(part, 1)


def _every_second(part: RawPart, first: int) -> RawPart:
    count, pick = part.count, part.pick
    if pick is None or count is None:
        numbered = part.dataset.enumerate().filter(lambda at, _: at % 2 == first)
        return RawPart(
            dataset=numbered.map(lambda _, example: example),
            count=None if count is None else (count + 1 - first) // 2,
            damaged=part.damaged,
        )
    positions = np.arange(first, count, 2)

    def own(chosen: NDArray[np.int64]) -> tf.data.Dataset:
        return pick(positions[chosen])

    return RawPart(dataset=pick(positions), count=len(positions), pick=own, damaged=part.damaged)
