"""What a model is trained on: shuffled batches, with or without labels and teachers' answers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tflite_squeeze.data.data import Data
from tflite_squeeze.network import flavors
from tflite_squeeze.training.objective import objective_of
from tflite_squeeze.training.parts import training_part

if TYPE_CHECKING:
    from tflite_squeeze.training.teaching.teacher_answers import Answers

_LONGEST_SHUFFLE = 60_000


def training_batches(
    model: Any,
    data: Data,
    batch: int,
    seed: int,
    *,
    answers: "Answers | None" = None,
    augment: Callable[[Any], Any] | None = None,
) -> Any:
    """What is trained on as shuffled batches in the structure that the model takes.

    Args:
        model: the Keras model.
        data: fitted to it.
        batch: examples a step.
        seed: of their order.
        answers: what teachers say of each example, to be handed on beside the labels.
        augment: changes a batch of inputs, as the model takes them.
    """
    structure = flavors.input_structure(model)
    names = [spec.name for spec in tf.nest.flatten(structure)]
    dataset, raw = training_part(data)
    labelled = isinstance(dataset.element_spec, tuple)
    objective = objective_of(model)

    def arranged(inputs: Any, labels: Any = None) -> Any:
        packed = tf.nest.pack_sequence_as(structure, [inputs[name] for name in names])
        if isinstance(packed, list):
            packed = tuple(packed)  # tf.data makes one tensor of a list
        if augment is not None:
            packed = augment(packed)
        return (packed,) if labels is None else (packed, labels)

    def alone(inputs: Any, labels: Any = None) -> Any:
        return arranged(inputs, objective.labels(labels))

    def answered(index: Any, element: Any) -> Any:
        assert answers is not None
        inputs, labels = element if labelled else (element, None)
        return arranged(inputs, answers.targets(index, objective.labels(labels)))

    if answers is not None:
        dataset = dataset.enumerate()
    shuffled = dataset.shuffle(min(raw.count or 10_000, _LONGEST_SHUFFLE), seed=seed)
    ready = alone if answers is None else answered
    return shuffled.batch(batch).map(ready, num_parallel_calls=2).prefetch(2)
