"""What a model is trained on: shuffled batches, with or without labels and teachers' answers."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tflite_squeeze.data.data import Data
from tflite_squeeze.network import flavors
from tflite_squeeze.training.augment import Augmentation
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.objective import objective_of
from tflite_squeeze.training.parts import shuffled_part, training_part
from tflite_squeeze.training.plan import whole_length

if TYPE_CHECKING:
    from tflite_squeeze.training.teaching.teacher_answers import Answers


def training_batches(
    model: Any,
    data: Data,
    config: FineTune,
    *,
    answers: "Answers | None" = None,
    augment: Callable[[Any], Any] | None = None,
    augmentation: Augmentation | None = None,
) -> tuple[Any, int | None]:
    """What is trained on as shuffled batches in the structure that the model takes.

    Args:
        model: the Keras model.
        data: fitted to it.
        config: planned; its `batch`, `seed`, `epochs` and `steps` count.
        answers: what teachers say of each example, to be handed on beside the labels.
        augment: changes a batch of inputs, as the model takes them.
        augmentation: changes inputs and labels before that.

    Returns:
        (batches, steps of an epoch). Where an epoch is one pass over the data, its steps are
        None, and else the batches have no end.
    """
    structure = flavors.input_structure(model)
    names = [spec.name for spec in tf.nest.flatten(structure)]
    dataset = shuffled_part(data, config.seed)
    labelled = isinstance(dataset.element_spec[1], tuple)
    objective = objective_of(model)
    if augmentation is not None and augmentation.mixes and labelled:
        objective = objective.of_soft_labels(flavors.keras_of(flavors.known_flavor(model)))

    def arranged(inputs: Any, labels: Any = None) -> Any:
        packed = tf.nest.pack_sequence_as(structure, [inputs[name] for name in names])
        if isinstance(packed, list):
            packed = tuple(packed)  # tf.data makes one tensor of a list
        if augment is not None:
            packed = augment(packed)
        return (packed,) if labels is None else (packed, labels)

    def ready(given: Any, draw: Any) -> Any:
        positions, examples = given
        inputs, labels = examples if labelled else (examples, None)
        targets = objective.labels(labels)
        if augmentation is not None:
            inputs, targets = augmentation(inputs, targets, draw)
        if answers is not None:
            targets = answers.targets(positions, targets)
        return arranged(inputs, targets)

    draws = tf.data.Dataset.random(seed=config.seed, rerandomize_each_iteration=True)
    numbered = tf.data.Dataset.zip(dataset.batch(config.batch), draws)
    batches = numbered.map(ready, num_parallel_calls=2)
    length = _epoch(data, config)
    return (batches if length is None else batches.repeat()).prefetch(2), length


def _epoch(data: Data, config: FineTune) -> int | None:
    """The steps of an epoch that is not one pass over the data; None for one that is."""
    dataset, raw = training_part(data)
    endless = dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    if config.steps is None and not endless:
        return None
    length = whole_length(config) // (config.epochs or 1)
    one_pass = None if raw.count is None else math.ceil(raw.count / (config.batch or 1))
    return None if length == one_pass else length
