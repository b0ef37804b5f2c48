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
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.runtime.session import Endpoint
from tflite_squeeze.tflite.flatbuffer import read_model

Array = NDArray[Any]


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
    model = read_model(content)
    specs = {end.name: _spec(end) for end in main_inputs(model)}
    part: Part = "validation" if data.validation is not None else "train"
    sample = data.fitted_to(specs).sample(part, config.samples)
    labels = sample.labels
    if isinstance(labels, dict) and len(labels) == 1:
        labels = next(iter(labels.values()))
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"data {data.source} have labels that are not class numbers: "
            f"give one class number per example"
        )
    outputs = run_file(
        content,
        sample.inputs,
        signature=main_signature(model),
        threads=config.threads,
        time_limit_s=config.time_limit_s,
    ).outputs
    for output, scores in outputs.items():
        classes = predicted_classes(scores)
        if classes is not None and int(labels.max()) < max(scores.shape[1], 2):
            return _Answer(output=output, classes=classes, labels=labels)
    shapes = ", ".join(f"{name} {list(array.shape[1:])}" for name, array in outputs.items())
    raise InputError(
        f"no output has a score for each of the {int(labels.max()) + 1} classes (it has {shapes}): "
        f"compare it without --data, or with data of its own classes"
    )


def _spec(end: Endpoint) -> tf.TensorSpec:
    """The type that an input takes: floats where it is quantized, which the runner quantizes."""
    dtype = "float32" if end.scale else end.dtype
    shape = [None, *(None if size < 0 else size for size in end.shape[1:])]
    return tf.TensorSpec(shape, tf.as_dtype(dtype), name=end.name)
