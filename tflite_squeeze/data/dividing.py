"""Examples divided into those that decide and those that judge what was decided."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.data import Data
from tflite_squeeze.data.raw_data import RawPart

# With fewer in a half, a check on it says little.
_FEWEST = 64
# Of a training part of so many examples a tenth or fewer are set aside, and no more than so many.
_ENOUGH, _MOST_SET_ASIDE, _SHARE = 2_000, 5_000, 10


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


def set_aside(data: Data) -> Divided:
    """Divides data so that training, the choice between its results, and the judgement are apart.

    Half of a large validation part chooses, and half judges: the model that was given answers the
    examples that it was trained on better than others, so that on these all candidates would seem
    to lose (LeNet-5 on Fashion-MNIST: 0.8 points more than they do). Where the validation part is
    small, a large training part gives the examples to choose by all the same; of a small one none
    are missing. Where one part is all that there is, a fifth of it chooses, a fifth judges, and the
    rest is trained on.

    Args:
        data: of any kind.

    Returns:
        Data whose `choosing` has the training part too; `apart` is False where there are too few
        examples, and both are the data itself.

    Example:
        >>> parts = set_aside(load_data({"x": np.zeros((500, 2))}))
        >>> parts.judging.sample("validation", None).count
        100
    """
    raw = data.raw
    train, judge = raw.train, raw.validation
    if train is not None and train is not judge:
        few = judge.count is None or judge.count < 2 * _ENOUGH
        if few and (train.count is None or train.count >= _ENOUGH):
            every = max(_SHARE, -(-(train.count or 0) // _MOST_SET_ASIDE))
            chosen, rest = _some(train, every, {0}), _some(train, every, set(range(1, every)))
            calibration = rest if raw.calibration is train else raw.calibration
            return _set_aside(data, rest, chosen, judge, calibration)
        if judge.count is not None and judge.count < 2 * _FEWEST:
            return Divided(choosing=data, judging=data, apart=False)
        chosen, judge = halves(judge)
        calibration = chosen if raw.calibration is raw.validation else raw.calibration
        return _set_aside(data, train, chosen, judge, calibration)
    if judge.count is not None and judge.count < 5 * _FEWEST:
        return Divided(choosing=data, judging=data, apart=False)
    chosen, judged, rest = (_some(judge, 5, picked) for picked in ({0}, {1}, {2, 3, 4}))
    calibration = rest if raw.calibration in (judge, train) else raw.calibration
    return _set_aside(data, None if train is None else rest, chosen, judged, calibration)


def _set_aside(
    data: Data, train: RawPart | None, chosen: RawPart, judge: RawPart, calibration: RawPart
) -> Divided:
    return Divided(
        choosing=data.with_parts(train=train, validation=chosen, calibration=calibration),
        judging=data.with_parts(train=train, validation=judge, calibration=calibration),
        apart=True,
    )


def halves(part: RawPart) -> tuple[RawPart, RawPart]:
    """The examples of a part at even and at odd positions; both are the whole if it has only one.

    Args:
        part: of any source; a stream stays one.
    """
    if part.count == 1:
        return part, part
    return _some(part, 2, {0}), _some(part, 2, {1})


def _some(part: RawPart, every: int, picked: set[int]) -> RawPart:
    """The examples whose position, divided by `every`, leaves one of the remainders in `picked`.

    Halves are every second one; others are at random, since labels may take turns.
    """
    count, pick = part.count, part.pick
    kept = np.array(sorted(picked))
    if pick is None or count is None:
        numbered = part.dataset.enumerate().filter(
            lambda at, _: tf.reduce_any(at % every == tf.constant(kept))
        )
        return RawPart(
            dataset=numbered.map(lambda _, example: example),
            count=None if count is None else int(np.isin(np.arange(count) % every, kept).sum()),
            damaged=part.damaged,
        )
    remainders = np.arange(count) % every
    if every > 2:
        remainders = np.random.default_rng(0).permutation(remainders)
    positions = np.flatnonzero(np.isin(remainders, kept))

    def own(chosen: NDArray[np.int64]) -> tf.data.Dataset:
        return pick(positions[chosen])

    return RawPart(dataset=pick(positions), count=len(positions), pick=own, damaged=part.damaged)
