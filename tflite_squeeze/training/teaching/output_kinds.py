"""Whether a model outputs probabilities or logits, detected from its graph or its answers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.network.graph import Node
from tflite_squeeze.network.outputs import output_nodes
from tflite_squeeze.training.config import OutputKind
from tflite_squeeze.training.objective import loss_name, objective_of

_COMPUTING = ("Dense", "Conv1D", "Conv2D", "Conv3D", "EinsumDense")
_BY_ACTIVATION: dict[str, OutputKind] = {
    "softmax": "softmax", "sigmoid": "sigmoid", "linear": "logits"
}  # fmt: skip
# The smallest probability: far below what a float32 softmax gives to any class that matters.
SMALLEST = 1e-30


def kinds_by_graph(model: Any) -> list[OutputKind | None]:
    """What each output of a Keras model is, from the layer that computes it and from its loss.

    Args:
        model: a Keras model of either version.

    Returns:
        A kind per output, None where the graph does not tell.
    """
    nodes = output_nodes(model)
    goals = objective_of(model).goals
    if nodes is None:  # no graph, which tells of the outputs one by one
        return [None] * len(goals)
    losses = [loss_name(goal.loss) if goal.own else "" for goal in goals]
    return [_kind_of(node, loss) for node, loss in zip(nodes, losses, strict=True)]


def _kind_of(node: Node, loss: str) -> OutputKind | None:
    if node.kind == "Softmax":
        return "softmax"
    if node.kind == "Sigmoid":
        return "sigmoid"
    if node.kind not in (*_COMPUTING, "Activation"):
        return None
    layer = node.source
    name = str(getattr(getattr(layer, "activation", None), "__name__", ""))
    found = _BY_ACTIVATION.get(name)
    if found != "logits":
        return found
    if "binarycrossentropy" in loss:
        return "sigmoid-logits"
    if "crossentropy" in loss:
        return "logits"
    if loss or getattr(layer, "units", 2) == 1:  # a regression, as far as a loss or a shape tells
        return "values" if loss else None
    return "logits"


def kind_by_values(outputs: NDArray[Any], step: float = 0.0) -> OutputKind | None:
    """What outputs on real examples can only be.

    Args:
        outputs: (N, ..., K), of enough examples.
        step: the smallest difference that the outputs can express, where they were quantized.

    Returns:
        "softmax" where every row is a distribution; "logits" where values lie outside [0, 1], so
        that they are no probabilities; None where both could be.

    Example:
        >>> kind_by_values(np.array([[0.25, 0.75], [0.5, 0.5]]))
        'softmax'
    """
    if outputs.ndim < 2 or outputs.shape[-1] < 2:
        return None
    slack = 1e-3 + step * outputs.shape[-1]
    if outputs.min() < -slack or outputs.max() > 1 + slack:
        return "logits"
    sums = outputs.sum(axis=-1)
    return "softmax" if np.abs(sums - 1).max() <= slack else None


def as_logits(outputs: Any, kind: OutputKind, *, smallest: float = SMALLEST) -> Any:
    """Outputs as logits over classes; plain numbers as they are.

    Args:
        outputs: (N, ..., K).
        kind: what they are.
        smallest: what probabilities are raised to; half a step where they were quantized.

    Returns:
        float32 (N, ..., K) for softmax, logits and values; (N, ..., K, 2) for sigmoids: the logits
        of no and yes for each label.
    """
    outputs = tf.cast(outputs, tf.float32)
    if kind == "softmax":
        return tf.math.log(tf.maximum(outputs, smallest))
    if kind == "sigmoid":
        yes = tf.math.log(tf.maximum(outputs, smallest))
        # 1 - p of a float32 p near 1 has no value between 0 and 6e-8.
        no = tf.math.log(tf.maximum(1.0 - outputs, max(smallest, 3e-8)))
        return tf.stack([no, yes], axis=-1)
    if kind == "sigmoid-logits":
        return tf.stack([tf.zeros_like(outputs), outputs], axis=-1)
    return outputs


def family(kind: OutputKind) -> str:
    """Which kinds can be compared with each other."""
    return {"softmax": "classes", "logits": "classes", "values": "values"}.get(kind, "labels")


def undecided(what: str, name: str, kinds: Sequence[OutputKind | None]) -> str:
    """The message where a kind could not be determined.

    Args:
        what: "student" or "teacher".
        name: the model's name.
        kinds: of its outputs.
    """
    number = next(index for index, kind in enumerate(kinds) if kind is None)
    which = "its output" if len(kinds) == 1 else f"its output {number}"
    return (
        f"whether {what} {name!r} outputs probabilities or logits cannot be determined from "
        f"{which}: pass {what}_outputs='softmax', 'logits', 'sigmoid', 'sigmoid-logits' or 'values'"
    )
