"""What a model is trained on: shuffled batches, with or without labels and teachers' answers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tflite_squeeze.data.data import Data
from tflite_squeeze.network import flavors
from tflite_squeeze.training.objective import objective_of
from tflite_squeeze.training.parts import shuffled_part

if TYPE_CHECKING:
    from tflite_squeeze.training.teaching.teacher_answers import Answers


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
    dataset = shuffled_part(data, seed)
    labelled = isinstance(dataset.element_spec[1], tuple)
    objective = objective_of(model)

    def arranged(inputs: Any, labels: Any = None) -> Any:
        packed = tf.nest.pack_sequence_as(structure, [inputs[name] for name in names])
        if isinstance(packed, list):
            packed = tuple(packed)  # tf.data makes one tensor of a list
        if augment is not None:
            packed = augment(packed)
        return (packed,) if labels is None else (packed, labels)

    def ready(positions: Any, examples: Any) -> Any:
        inputs, labels = examples if labelled else (examples, None)
        targets = objective.labels(labels)
        if answers is not None:
            targets = answers.targets(positions, targets)
        return arranged(inputs, targets)

    return dataset.batch(batch).map(ready, num_parallel_calls=2).prefetch(2)
