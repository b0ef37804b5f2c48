"""Accuracy of files on the same labelled examples, each fed in its own input types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.comparison.limits import Classes, file_accuracy
from tflite_squeeze.comparison.record import Compare, FileAccuracy
from tflite_squeeze.data.data import Data, Part, load_data
from tflite_squeeze.errors import InputError, SqueezeError, UsageError
from tflite_squeeze.microcontrollers.graph import main_inputs, main_signature
from tflite_squeeze.runtime.fidelity import predicted_classes
from tflite_squeeze.runtime.foreign import foreign_inputs, run_foreign
from tflite_squeeze.runtime.kinds import LITERT, kind_of
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import read_model

Array = NDArray[Any]

_IMAGES = 4  # the rank of a batch of them
_CHANNELS_LAST = (0, 2, 3, 1)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The accuracy of each file, and why some could not be evaluated.

    Attributes:
        source: where the examples come from.
        files: by name.
        reasons: by name, for the files that could not be evaluated.
    """

    source: str
    files: dict[str, FileAccuracy]
    reasons: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class _Answer:
    output: str
    classes: Classes
    labels: Array


def judged(contents: Mapping[str, bytes], data: Any, config: Compare) -> Judged:
    """Runs each file on the labelled examples and compares it with the first.

    Args:
        contents: content by name.
        data: `Data`, or anything that `load_data` takes.
        config: number of examples, threads and time limit.

    Raises:
        UsageError: the data have no labels.
        InputError: the data cannot be read, or do not match the first file.
        RuntimeFailure: the first file does not run.
    """
    samples = load_data(data)
    if not samples.labelled:
        raise UsageError(f"data {samples.source} have no labels: accuracy needs labelled examples")
    answers: dict[str, _Answer] = {}
    reasons = {}
    for name, content in contents.items():
        try:
            answers[name] = _answer(content, samples, config)
        except SqueezeError as error:
            if not answers:
                raise
            reasons[name] = str(error)
    first = next(iter(answers.values()))
    return Judged(
        source=samples.source,
        files={
            name: file_accuracy(
                one.output, first.classes, one.classes, one.labels, samples.class_names
            )
            for name, one in answers.items()
        },
        reasons=reasons,
    )


def _answer(content: bytes, data: Data, config: Compare) -> _Answer:
    """The classes that a file predicts."""
    part: Part = "validation" if data.validation is not None else "train"
    specs = _inputs_of(content, config)
    fitted, moved = _fitted(data, specs, may_move=kind_of(content) != LITERT)
    sample = fitted.sample(part, config.samples)
    labels = sample.labels
    if isinstance(labels, dict) and len(labels) == 1:
        labels = next(iter(labels.values()))
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"data {data.source} have labels that are not class numbers: "
            f"give one class number per example"
        )
    inputs = {
        name: np.moveaxis(array, -1, 1) if name in moved else array
        for name, array in sample.inputs.items()
    }
    outputs = _outputs_of(content, inputs, config)
    for output, scores in outputs.items():
        classes = predicted_classes(scores)
        if classes is not None and int(labels.max()) < max(scores.shape[1], 2):
            return _Answer(output=output, classes=classes, labels=labels)
    shapes = ", ".join(f"{name} {list(array.shape[1:])}" for name, array in outputs.items())
    raise InputError(
        f"no output has a score for each of the {int(labels.max()) + 1} classes (it has {shapes}): "
        f"compare it without --data, or with data of its own classes"
    )


def _inputs_of(content: bytes, config: Compare) -> dict[str, tf.TensorSpec]:
    """What a file takes, by name: floats where it is quantized, which the runner quantizes."""
    if kind_of(content) == LITERT:
        ends = main_inputs(read_model(content))
        found = {one.name: ("float32" if one.scale else one.dtype, one.shape) for one in ends}
    else:
        found = foreign_inputs(content, time_limit_s=config.time_limit_s)
    return {
        name: tf.TensorSpec(
            [None, *(None if size < 0 else size for size in shape[1:])], dtype, name=name
        )
        for name, (dtype, shape) in found.items()
    }


def _fitted(
    data: Data, specs: dict[str, tf.TensorSpec], *, may_move: bool
) -> tuple[Data, frozenset[str]]:
    """Data that fit a file, and the inputs whose channels are to be moved to the front.

    Data have their channels last; a file from PyTorch takes images with their channels first.
    """
    try:
        return data.fitted_to(specs), frozenset()
    except InputError:
        images = frozenset(name for name, spec in specs.items() if spec.shape.rank == _IMAGES)
        if not (may_move and images):
            raise
    last = {
        name: tf.TensorSpec([spec.shape[axis] for axis in _CHANNELS_LAST], spec.dtype, name=name)
        if name in images
        else spec
        for name, spec in specs.items()
    }
    return data.fitted_to(last), images


def _outputs_of(content: bytes, inputs: dict[str, Array], config: Compare) -> dict[str, Array]:
    """The outputs of a file in its runtime, by name."""
    about: dict[str, Any] = {"threads": config.threads, "time_limit_s": config.time_limit_s}
    if kind_of(content) == LITERT:
        signature = main_signature(read_model(content))
        return run_file(content, inputs, signature=signature, **about).outputs
    return run_foreign(content, inputs, **about)
