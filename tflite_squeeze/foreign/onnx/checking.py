"""Whether a Keras model computes what an ONNX graph does, and where it stops doing so."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import CheckFailed, InputError
from tflite_squeeze.foreign.onnx.building import Built
from tflite_squeeze.foreign.onnx.graph import OnnxGraph
from tflite_squeeze.foreign.onnx.tracing import examples, run
from tflite_squeeze.foreign.onnx.values import Axes

Array = NDArray[Any]
BATCHES = (1, 3)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far a model is from its graph.

    Attributes:
        largest: the largest difference of an output, relative to that output's largest value.
        batches: the batch sizes that were compared.
        evaluator: what computed the graph.
    """

    largest: float
    batches: tuple[int, ...]
    evaluator: str


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a Keras model is to agree with.

    Attributes:
        name: of what computes the answers.
        origin: where the network comes from, for messages.
        compute: inputs → outputs, both by their names in the graph; it raises an InputError where
            it cannot take a batch.
        takes_batches: whether it can take more than one example.
    """

    name: str
    origin: str
    compute: Callable[[dict[str, Array]], dict[str, Array]]
    takes_batches: bool


def evaluated(graph: OnnxGraph) -> Reference:
    """A graph as ONNX's own evaluator computes it."""
    return Reference(
        name="ONNX reference evaluator",
        origin="the ONNX model",
        compute=lambda inputs: {
            name: value for name, value in run(graph, inputs) if name in graph.outputs
        },
        takes_batches=not any(each.fixed for each in graph.inputs),
    )


def check(
    graph: OnnxGraph, built: Built, tolerance: float, reference: Reference | None = None
) -> Agreement:
    """Compares a model with its graph on random examples, alone and in a batch.

    Args:
        graph: the file.
        built: what it has become.
        tolerance: the largest difference, relative to the largest value of an output.
        reference: what computes the right answers; ONNX's own evaluator where None.

    Raises:
        CheckFailed: the difference is larger; it names the first node that differs.
    """
    largest, right = 0.0, reference or evaluated(graph)
    for count in BATCHES:
        inputs = examples(graph, count, seed=count)
        wanted, together = _references(graph, right, inputs, count)
        for name, value, got in _answers(built, graph, inputs):
            difference = difference_of(got, value.axes, wanted[name])
            largest = max(largest, difference)
            if not difference <= tolerance:
                raise CheckFailed(
                    f"the Keras model differs from {right.origin} by {difference:.2g} of the "
                    f"largest value in output {name!r} at batch {count}, more than {tolerance:g}: "
                    f"{first_difference(graph, built, tolerance)}"
                )
    one_by_one = "" if together else ", one example at a time, as the file fixes the batch"
    return Agreement(largest=largest, batches=BATCHES, evaluator=f"{right.name}{one_by_one}")


def _references(
    graph: OnnxGraph, right: Reference, inputs: dict[str, Array], count: int
) -> tuple[dict[str, list[Array]], bool]:
    """Each output for each example, and whether the file computed them all at once."""
    alone = [right.compute(_example(graph, inputs, index)) for index in range(count)]
    if count > 1 and right.takes_batches:
        # Some exporters write a batch of 1 into the graph and leave it open in the input.
        whole = _whole(right, inputs)
        if whole:
            return {
                name: _apart(name, array, alone[0][name].shape, count)
                for name, array in whole.items()
            }, True
    return {name: [one[name] for one in alone] for name in graph.outputs}, False


def _whole(right: Reference, inputs: dict[str, Array]) -> dict[str, Array]:
    """The outputs of a batch; none where it cannot be computed."""
    try:
        return right.compute(inputs)
    except InputError:
        return {}


def _example(graph: OnnxGraph, inputs: dict[str, Array], index: int) -> dict[str, Array]:
    """One example as a batch of its own."""
    return {
        each.name: np.take(inputs[each.name], [index], axis=each.batch_axis)
        for each in graph.inputs
    }


def _apart(name: str, array: Array, shape: tuple[int, ...], count: int) -> list[Array]:
    """The examples of a batch, along the axis that has grown with it.

    Raises:
        CheckFailed: there is no such axis.
    """
    grown = [
        axis for axis, (one, many) in enumerate(zip(shape, array.shape, strict=True)) if one != many
    ]
    if len(grown) != 1 or array.shape[grown[0]] != count * shape[grown[0]]:
        raise CheckFailed(
            f"the ONNX output {name!r} is {list(shape)} for one example and {list(array.shape)} "
            f"for {count}, so the examples are mixed up: leave that to what reads the answers"
        )
    return list(np.split(array, count, axis=grown[0]))


def keras_inputs(graph: OnnxGraph, built: Built, inputs: dict[str, Array]) -> list[Array]:
    """ONNX inputs as the Keras model takes them."""
    made = []
    for each, taken in zip(graph.inputs, built.model.inputs, strict=True):
        array = inputs[each.name].transpose([each.batch_axis, *built.inputs[each.name]])
        made.append(array.astype(taken.dtype))
    return made


def _answers(built: Built, graph: OnnxGraph, inputs: dict[str, Array]) -> Any:
    answers = called(built.model, keras_inputs(graph, built, inputs))
    return zip(graph.outputs, built.outputs, answers, strict=True)


def called(model: Any, inputs: list[Array]) -> list[Array]:
    """What a Keras model makes of a batch."""
    answers = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
    return [
        np.asarray(one) for one in (answers if isinstance(answers, list | tuple) else [answers])
    ]


def difference_of(got: Array, axes: Axes, wanted: Iterable[Array]) -> float:
    """The largest difference of any example, relative to the largest value of all.

    Args:
        got: (N, ...) of a Keras tensor.
        axes: the ONNX axis that each of its further axes holds.
        wanted: each example, in ONNX's order; infinity where only these are finite.
    """
    wanted = list(wanted)
    scale = max((float(np.abs(one).max(initial=0)) for one in wanted), default=0.0) or 1.0
    worst = 0.0
    for answer, reference in zip(got, wanted, strict=False):
        mine = in_onnx_order(answer, axes)
        if mine.size != reference.size:
            return float("inf")
        apart = np.abs(mine.ravel().astype(np.float64) - reference.ravel())
        worst = max(worst, float(np.max(apart, initial=0.0)))
        if not np.isfinite(mine).all() and np.isfinite(reference).all():
            return float("inf")
    return worst / scale


def in_onnx_order(answer: Array, axes: Axes) -> Array:
    """One example of a Keras tensor with its axes in ONNX's order."""
    return answer.transpose(np.argsort(axes)) if axes else answer


def first_difference(graph: OnnxGraph, built: Built, tolerance: float) -> str:
    """Which node is the first whose output differs, for an error."""
    inputs = examples(graph, 1, seed=1)
    names = [
        name for node in graph.nodes for name in node.outputs
        if name in built.values and built.values[name].flattened is None
    ]  # fmt: skip
    whole = keras.Model(built.model.input, [built.values[name].tensor for name in names])
    given = dict(zip(names, called(whole, keras_inputs(graph, built, inputs)), strict=True))
    made_by = {name: node for node in graph.nodes for name in node.outputs}
    for name, reference in run(graph, inputs):
        if name in given:
            difference = difference_of(given[name], built.values[name].axes, [reference])
            if not difference <= tolerance:
                node = made_by[name]
                return f"the first node that differs is {node.name!r} ({node.kind})"
    return (
        "no node differs from its ONNX form for one example, so the batch is mixed up in some "
        "axis, or the export differs from the network"
    )
