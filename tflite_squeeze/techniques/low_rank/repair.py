"""What factorizing broke, repaired without training.

In the order of the data, the last factor of each split layer, and each layer whose inputs have
changed, is solved by least squares: from what it receives now to what the original answered
before its activation. Where its output is added to others, it makes up for what they lost too.

Reference: Zhang et al. 2015, arXiv:1505.06798, section 3.2 (asymmetric reconstruction).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.factorized_layers import Factorized
from tflite_squeeze.network.forward import (
    Forward,
    Values,
    answers,
    first_values,
    walk,
    without_activation,
)
from tflite_squeeze.network.graph import Graph, Node, graph_of
from tflite_squeeze.network.least_squares import (
    NormalEquations,
    drawn,
    output_rows,
    ridge_depthwise,
    rows,
)
from tflite_squeeze.network.observing import observed
from tflite_squeeze.techniques.low_rank.record import Repair
from tflite_squeeze.training.divergence import Divergence

Array = NDArray[Any]
Told = Callable[[int, int], None]

_KINDS = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "EinsumDense")
# Rows of a regression for each number to be solved for one output, and how many at least and at
# most: a layer moves over thousands of places, many of them alike.
_ROWS_EACH, _FEWEST_ROWS, _MOST_ROWS = 32, 2048, 8192
# Wider layers that are not split stay as they are: solving them takes longer than it gains.
_WIDEST = 1200
# How much a kernel is held near to what it was; the last all but keeps it.
_PENALTIES = (1e-2, 0.3, 1e3)
# One in so many examples is held back to choose the penalty.
_EVERY = 4
# A channel that normalisation nearly switches off cannot make up for anything.
_LEAST_SCALE = 1e-3


@dataclass
class _Job:
    """A layer to be solved.

    Attributes:
        node: of the factorized model.
        layer: the layer whose kernel is solved; the last of a chain within one layer.
        normalised: the BatchNormalization that alone reads it, or None.
        sum: the addition that alone reads that, with all others of its terms known before.
        others: those terms.
        at: drawn positions.
        wanted: what the original answers there, before the activation.
        total: what the original's addition answers there.
    """

    node: Node
    layer: Any
    normalised: Any = None
    sum: str = ""
    others: tuple[str, ...] = ()
    at: Any = None
    wanted: Any = None
    total: Any = None


class Shown(NamedTuple):
    """Unlabelled samples by input name: those to fit to, and those held back to judge by."""

    fit: dict[str, Array]
    held: dict[str, Array]


def repaired(original: Any, made: Any, shown: Shown, told: Told) -> Repair:
    """Repairs a factorized model in place, if that brings it nearer to the original.

    Args:
        original: the Keras model that it was made of.
        made: the factorized model.
        shown: samples.
        told: called with how many layers are solved, and of how many.
    """
    judge = Divergence(original, Forward(original, shown.held).outputs)
    weights, before = made.get_weights(), judge.of(Forward(made, shown.held).outputs)
    layers = repair(original, made, shown.fit, told)
    after = judge.of(Forward(made, shown.held).outputs) if layers else before
    fit, held = (len(next(iter(some.values()))) for some in shown)
    done = Repair(layers=layers, samples=fit, held_back=held, before=before, after=after)
    if not done.kept:
        made.set_weights(weights)
    return done


def repair(original: Any, made: Any, inputs: dict[str, Array], told: Told, *, seed: int = 0) -> int:
    """Solves the layers of a factorized model, which is changed in place.

    Args:
        original: the Keras model that it was made of.
        made: the factorized model; layers keep their names, the last factor that of the whole.
        inputs: unlabelled samples by input name, (N, ...).
        told: called with how many layers are solved, and of how many.
        seed: of the positions that are drawn.

    Returns:
        How many layers were solved.
    """
    before, after = graph_of(original), graph_of(made)
    jobs = _jobs(before, after)
    if not jobs:
        return 0
    _watch(before, original, inputs, jobs, np.random.default_rng(seed))
    solved = 0
    values = first_values(after, made, inputs)
    for node, known in walk(after, values):
        job = jobs.get(node.name)
        if job is not None and job.wanted is not None:
            told(solved, len(jobs))
            _solve(job, known)
            solved += 1
        values |= answers(node, known)
    told(len(jobs), len(jobs))
    return solved


def _jobs(before: Graph, after: Graph) -> dict[str, _Job]:
    """The layers to be solved, by the name of their node in both graphs."""
    called = {key: len(nodes) for key, nodes in after.calls().items()}
    changed: set[str] = set()
    jobs = {}
    for node in after.nodes.values():
        fresh = node.name not in before.nodes or _reshaped(before.nodes[node.name], node)
        if not fresh and not any(one.node in changed for one in node.inputs):
            continue
        changed.add(node.name)
        attention = node.kind == "MultiHeadAttention"
        alone = called[id(node.source)] == 1 and (node.plain_call or attention)
        if node.name not in before.nodes or not alone:
            continue
        layer = node.source.chain[-1] if isinstance(node.source, Factorized) else node.source
        layer = layer._output_dense if attention else layer
        if _solvable(layer, before.nodes[node.name].source):
            jobs[node.name] = _placed(_Job(node=node, layer=layer), after, before)
    return jobs


def _reshaped(before: Node, after: Node) -> bool:
    """Whether a layer has other weights than it had, by their shapes."""
    if after.operation or after.source is None:
        return False
    shapes = ([tuple(one.shape) for one in node.source.weights] for node in (before, after))
    return next(shapes) != next(shapes)


def _solvable(layer: Any, whole: Any) -> bool:
    """Whether a layer's outputs are a position's channels, and solving it is worth the time."""
    if type(layer).__name__ not in _KINDS or getattr(layer, "groups", 1) != 1:
        return False
    if _depthwise(layer):
        return True
    if type(layer).__name__ == "EinsumDense" and not _plain_einsum(layer):
        return False
    width = int(np.prod(layer.kernel.shape)) // _outputs(layer)
    kernel = getattr(whole, "kernel", None)
    split = kernel is None or kernel.shape != layer.kernel.shape
    return split or width <= _WIDEST


def _plain_einsum(layer: Any) -> bool:
    """Whether what is summed over comes last in the input, and the other axes in the output."""
    received, letters, result = layer.equation.replace("->", ",").split(",")
    summed = "".join(letter for letter in letters if letter not in result)
    kept = "".join(letter for letter in letters if letter in result)
    if not (letters == summed + kept and received.endswith(summed) and result.endswith(kept)):
        return False
    return layer.bias is None or tuple(layer.bias.shape) == tuple(layer.kernel.shape[len(summed) :])


def _outputs(layer: Any) -> int:
    """How many numbers a layer puts out at a position."""
    shape = layer.kernel.shape
    if type(layer).__name__ != "EinsumDense":
        return int(shape[-1])
    _, letters, result = layer.equation.replace("->", ",").split(",")
    return int(np.prod([size for one, size in zip(letters, shape, strict=True) if one in result]))


def _depthwise(layer: Any) -> bool:
    return type(layer).__name__.startswith("Depthwise")


def _placed(job: _Job, after: Graph, before: Graph) -> _Job:
    """Finds what reads a layer: normalisation, and an addition that it can make up for."""
    readers = after.consumers(job.node.name)
    last = job.node
    if len(readers) == 1 and readers[0].kind == "BatchNormalization":
        job.normalised, last = readers[0].source, readers[0]
        readers = after.consumers(last.name)
    linear = job.normalised is not None or _is_linear(job.layer)
    if _depthwise(job.layer) or not linear or len(readers) != 1 or readers[0].kind != "Add":
        return job
    (addition,) = readers
    order = list(after.nodes)
    others = [value for value in addition.inputs if value.node != last.name]
    early = all(order.index(one.node) < order.index(job.node.name) for one in others)
    if addition.name in before.nodes and early and len(others) == len(addition.inputs) - 1:
        job.sum, job.others = addition.name, tuple(map(str, others))
    return job


def _is_linear(layer: Any) -> bool:
    return getattr(getattr(layer, "activation", None), "__name__", "linear") == "linear"


def _watch(
    graph: Graph,
    model: Any,
    inputs: dict[str, Array],
    jobs: dict[str, _Job],
    rng: np.random.Generator,
) -> None:
    """Runs the original and notes what the layers answer at drawn positions."""
    sums = {job.sum: job for job in jobs.values() if job.sum}
    values = first_values(graph, model, inputs)
    for node, known in walk(graph, values):
        job = jobs.get(node.name)
        if job is None:
            values |= answers(node, known)
        else:
            with without_activation(node.source) as activation:
                ((name, linear),) = answers(node, known).items()
            outputs = linear.shape[-1] if _depthwise(job.layer) else _outputs(job.layer)
            y = np.asarray(linear).reshape(len(linear), -1, outputs)
            job.at = drawn(len(y), y.shape[1], _rows_wanted(job.layer) // len(y) + 1, rng)
            job.wanted = output_rows(y, job.at)
            values[name] = linear if activation is None else activation(linear)
        if node.name in sums:
            one = sums[node.name]
            one.total = output_rows(np.asarray(values[node.name]), one.at)


def _rows_wanted(layer: Any) -> int:
    kernel = layer.weights[0].shape
    width = int(np.prod(kernel[:2] if _depthwise(layer) else kernel)) // (
        1 if _depthwise(layer) else _outputs(layer)
    )
    return min(max(_ROWS_EACH * width, _FEWEST_ROWS), _MOST_ROWS)


def _solve(job: _Job, known: Values) -> None:
    """Solves one layer for what the original answered."""
    layer = job.layer
    seen, wanted = rows(layer, np.asarray(_received(job, known)), job.at), _target(job, known)
    kernel = layer.weights[0]
    start = np.asarray(kernel, np.float64).reshape(*seen.shape[1:], -1)
    centred = layer.bias is not None or job.normalised is not None
    held = np.repeat(np.arange(len(job.at)) % _EVERY == 0, job.at.shape[1])
    solved, intercept = _fitted(seen, wanted, start, held, centred=centred)
    kernel.assign(solved.reshape(kernel.shape).astype(np.float32))
    if layer.bias is not None:
        layer.bias.assign(intercept.reshape(layer.bias.shape).astype(np.float32))
    elif job.normalised is not None:
        mean = np.asarray(job.normalised.moving_mean, np.float64)
        job.normalised.moving_mean.assign((mean - intercept).astype(np.float32))


def _received(job: _Job, known: Values) -> Any:
    """What the layer that is solved receives; it may be inside another."""
    if job.node.kind == "MultiHeadAttention":
        seen: list[Any] = []
        with observed([job.layer], lambda _layer, inputs, _outputs: seen.append(inputs)):
            answers(job.node, known)
        return seen[0]
    x = known[str(job.node.inputs[0])]
    if isinstance(job.node.source, Factorized):
        for one in job.node.source.chain[:-1]:
            x = one(x)
    return x


def _fitted(
    x: Array, y: Array, start: Array, held: NDArray[np.bool_], *, centred: bool
) -> tuple[Array, Array]:
    """The matrix and intercept under the penalty that is best on held-back rows."""
    fit = ~held if held.any() and not held.all() else np.ones_like(held)
    if x.ndim > 2:
        known, whole = (
            partial(ridge_depthwise, x[some], y[some], start) for some in (fit, slice(None))
        )
    else:
        sums = [NormalEquations(*start.shape) for _ in range(2)]
        for one, some in zip(sums, (fit, ~fit), strict=True):
            one.add(x[some], y[some])
        known, whole = (
            partial(one.solved, start, intercept=centred) for one in (sums[0], sums[0] + sums[1])
        )
    best, least = _PENALTIES[-1], np.inf
    for alpha in _PENALTIES:
        matrix, intercept = known(alpha=alpha)
        error = float(np.mean(np.square(y[held] - _multiplied(x[held], matrix) - intercept)))
        if error < least:
            best, least = alpha, error
    return whole(alpha=best)


def _multiplied(x: Array, matrix: Array) -> Array:
    if x.ndim == 2:
        return np.asarray(x @ matrix)
    each = np.matmul(x.transpose(2, 0, 1), matrix.transpose(1, 0, 2))
    return np.asarray(each.transpose(1, 0, 2).reshape(len(x), -1))


def _target(job: _Job, known: Values) -> Array:
    """What a layer is to answer, with what the other terms of its addition lost."""
    if job.total is None:
        return np.asarray(job.wanted)
    others = sum(output_rows(np.asarray(known[name]), job.at) for name in job.others)
    missing = np.asarray(job.total - others)
    norm = job.normalised
    if norm is None:
        return missing
    scale = np.asarray(norm.gamma) if norm.scale else 1.0
    scale = scale / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    able = np.abs(scale) > _LEAST_SCALE
    offset = np.asarray(norm.beta) if norm.center else 0.0
    raised = (missing - offset) / np.where(able, scale, 1.0) + np.asarray(norm.moving_mean)
    return np.asarray(np.where(able, raised, job.wanted))
