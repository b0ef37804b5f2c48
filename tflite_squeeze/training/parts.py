"""Which part of the data is trained on."""

from typing import Any

import tensorflow as tf

from tflite_squeeze.data.data import Data
from tflite_squeeze.data.prepare import preparation
from tflite_squeeze.data.raw_data import RawPart

_LONGEST_SHUFFLE = 60_000


def uses_labels(data: Data) -> bool:
    """Whether what is trained on carries labels; a part that only calibrates does not."""
    return data.labelled and data.train is not None


def training_part(data: Data) -> tuple[Any, RawPart]:
    """The examples to train on: the training part, else the calibration part.

    Args:
        data: fitted to a model.

    Returns:
        Preprocessed unbatched examples, (inputs by name, labels) or the inputs alone, and the
        source that they are of.
    """
    if data.train is not None and data.raw.train is not None:
        return data.train, data.raw.train
    dataset = data.calibration
    if isinstance(dataset.element_spec, tuple):
        dataset = dataset.map(lambda inputs, _: inputs)
    return dataset, data.raw.calibration


def shuffled_part(data: Data, seed: int) -> Any:
    """What is trained on, in the order of a seed, another one each time it is read.

    Args:
        data: fitted to a model.
        seed: of the order.

    Returns:
        (position in the part, preprocessed example as `training_part` has it).
    """
    dataset, raw = training_part(data)
    if raw.shuffled is None:
        longest = min(raw.count or 10_000, _LONGEST_SHUFFLE)
        return dataset.enumerate().shuffle(longest, seed=seed)
    ready = preparation(data.plans, data.preprocessing)
    labelled = isinstance(dataset.element_spec, tuple)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def numbered(position: Any, example: Any) -> Any:
        inputs, *labels = example if isinstance(example, tuple) else (example,)
        return position, ready(inputs, *(labels if labelled else ()))

    return raw.shuffled(seed).map(numbered, num_parallel_calls=tf.data.AUTOTUNE)


def examples_of(data: Data) -> int | None:
    """How many examples there are to train on; None where only reading to the end would tell."""
    return training_part(data)[1].count
