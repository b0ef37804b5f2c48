"""What every kind of data source is read into: parts of raw, unbatched examples as tf.data."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError

PART_NAMES = ("train", "val", "validation", "test", "calibration")


@dataclass(frozen=True, kw_only=True)
class RawPart:
    """One part of a data set, before preprocessing.

    Attributes:
        dataset: unbatched examples: a dict of inputs by name, or (that dict, labels).
        count: how many there are, None where only reading to the end would tell.
        pick: the examples at given positions, for sources that can be read in any order.
        damaged: finds the file that cannot be read, once reading has failed.
        shuffled: (position, example) in the order of a seed, another one each time it is read,
            for parts of which a shuffle buffer would hold too much.
        labels: of all examples, by output name for several outputs; None where only reading the
            examples would tell.
    """

    dataset: tf.data.Dataset
    count: int | None
    pick: Callable[[NDArray[Any]], tf.data.Dataset] | None = None
    damaged: Callable[[], str | None] | None = None
    shuffled: Callable[[int], tf.data.Dataset] | None = None
    labels: NDArray[Any] | dict[str, NDArray[Any]] | None = None

    @property
    def labelled(self) -> bool:
        """Whether its examples carry labels."""
        return isinstance(self.dataset.element_spec, tuple)

    @property
    def input_specs(self) -> dict[str, tf.TensorSpec]:
        """One example's raw inputs by name."""
        spec = self.dataset.element_spec
        return dict(spec[0] if isinstance(spec, tuple) else spec)

    def spread(self, count: int | None) -> tf.data.Dataset:
        """So many examples, evenly spread over the part where it can be read in any order.

        Spreading matters because sets are often sorted by class. A stream gives its first ones,
        and no more than those are read.
        """
        if count is None or (self.count is not None and count >= self.count):
            return self.dataset
        if self.pick is None or self.count is None:
            return self.dataset.take(count)
        return self.pick(np.arange(count) * self.count // count)


@dataclass(frozen=True, kw_only=True)
class RawData:
    """A data source that has been opened but not preprocessed.

    Attributes:
        source: what the user gave.
        train: the training part, if there is one.
        validation: what accuracy is measured on.
        calibration: what ranges are calibrated on.
        class_names: a name per class id, or empty.
        preprocessing: what the source says about itself, if anything.
        images: the inputs whose raw values are encoded image files.
        notes: what was decided on the way.
    """

    source: str
    train: RawPart | None
    validation: RawPart
    calibration: RawPart
    class_names: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    images: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def assemble(
    source: str,
    parts: Mapping[str, RawPart],
    *,
    class_names: tuple[str, ...] = (),
    preprocessing: Preprocessing | None = None,
    images: frozenset[str] = frozenset(),
    notes: tuple[str, ...] = (),
) -> RawData:
    """Decides which part trains, which calibrates and which one accuracy is measured on.

    Args:
        source: what the user gave.
        parts: by name, out of `PART_NAMES`; at least one.
        class_names: a name per class id, or empty.
        preprocessing: what the source says about itself.
        images: the inputs that are encoded image files.
        notes: what was decided before.

    Raises:
        InputError: there is no part, or the parts differ in form.
    """
    found = {name: parts[name] for name in PART_NAMES if name in parts}
    if not found:
        raise InputError(f"data {source} holds no examples: give at least one part of them")
    _refuse_differing(source, found)
    added = list(notes)
    train = found.get("train")
    tests = [name for name in ("test", "validation", "val") if name in found]
    test_name = tests[0] if tests else "train" if train else "calibration"
    if not tests:
        judged = "accuracy is measured" if found[test_name].labelled else "answers are compared"
        added.append(
            f"there is no test part: {judged} on the {test_name} part, which is optimistic: give a "
            f"test part too"
        )
    added += [f"part {name!r} is not used: measured on {test_name!r}" for name in tests[1:]]
    calibration = found.get("calibration") or train
    if calibration is None:
        added.append(
            f"there is no training part: ranges are calibrated on the {test_name} part, "
            f"which is optimistic"
        )
    return RawData(
        source=source,
        train=train,
        validation=found[test_name],
        calibration=calibration or found[test_name],
        class_names=class_names,
        preprocessing=preprocessing,
        images=images,
        notes=tuple(added),
    )


def _refuse_differing(source: str, parts: Mapping[str, RawPart]) -> None:
    """Parts must have the same inputs, and labels in all of them or in none."""
    (first_name, first), *others = parts.items()
    for name, part in others:
        mine, its = first.input_specs, part.input_specs
        if set(mine) != set(its):
            raise InputError(
                f"data {source}: part {first_name!r} has inputs {sorted(mine)}, part {name!r} has "
                f"{sorted(its)}: give all parts the same inputs"
            )
        for key, spec in mine.items():
            if not spec.shape.is_compatible_with(its[key].shape) or spec.dtype != its[key].dtype:
                raise InputError(
                    f"data {source}: input {key!r} is {text_of(spec)} in part {first_name!r} and "
                    f"{text_of(its[key])} in part {name!r}: give all parts the same form"
                )
    measured = {name: part.labelled for name, part in parts.items() if name != "calibration"}
    if len(set(measured.values())) > 1:
        bare = next(name for name, labelled in measured.items() if not labelled)
        raise InputError(
            f"data {source}: part {bare!r} has no labels but another has: label it too, or name "
            f"it 'calibration' if it is only there for calibrating"
        )


def text_of(spec: tf.TensorSpec) -> str:
    """A shape and a dtype as a user reads them.

    Example:
        >>> text_of(tf.TensorSpec((28, None), tf.uint8))
        '(28, ?) uint8'
    """
    return f"{shape_text(spec.shape)} {spec.dtype.name}"


def shape_text(shape: tf.TensorShape) -> str:
    """A shape as a user reads it; open dimensions are question marks."""
    if shape.rank is None:
        return "(any shape)"
    sizes = ["?" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


@contextmanager
def reading(source: str, part: RawPart | None = None) -> Iterator[None]:
    """Turns what goes wrong while examples are read into one line about the data.

    Args:
        source: what the user gave.
        part: what is read, if it can tell which file is damaged.

    Raises:
        InputError: TensorFlow could not read, parse or decode an example.
    """
    try:
        yield
    # TensorFlow quotes the bytes that it cannot parse, which need not be text.
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        culprit = part.damaged() if part is not None and part.damaged is not None else None
        said = error.message if isinstance(error, tf.errors.OpError) else "its bytes make no sense"
        raise InputError(
            f"data {culprit or source} cannot be read ({first_line(said)}): repair it, or leave "
            f"the example out"
        ) from error


def first_line(message: str) -> str:
    """The first line of a TensorFlow message without the names of graph nodes."""
    cleaned = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*?\]", "", message)
    lines = [line.strip() for line in cleaned.splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"
