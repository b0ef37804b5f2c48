"""How often one run of a file runs each of its subgraphs."""

from typing import Any

import numpy as np

from tflite_squeeze.tflite.fields import integers, operator_name
from tflite_squeeze.tflite.tensor_values import tensor_values

_MOST_DEPTH = 32


def subgraph_runs(model: Any) -> tuple[dict[int, int], tuple[str, ...]]:
    """How often one run of the first signature runs each subgraph.

    Args:
        model: what `read_model` returned.

    Returns:
        Runs by subgraph, 0 for those that it does not reach or runs only once in a life; and the
        names of the operators whose number of runs the file does not tell: those count as one.
        A loop runs as often as the constant that its condition compares its counter with.
    """
    signatures = model.signatureDefs or []
    first = signatures[0].subgraphIndex if signatures else 0
    runs = dict.fromkeys(range(len(model.subgraphs)), 0)
    unknown: list[str] = []
    # Calls may go in a circle only in a damaged file; depth bounds what that can cost.
    pending, steps = [(first, 1, 0)], 0
    while pending and steps < 10_000:
        subgraph, times, depth = pending.pop()
        runs[subgraph] += times
        steps += 1
        if depth == _MOST_DEPTH:
            continue
        for operator in model.subgraphs[subgraph].operators:
            for called, often in _calls(model, operator, subgraph):
                if often is None:
                    unknown.append(operator_name(model, operator))
                pending.append((called, times * (1 if often is None else often), depth + 1))
    return runs, tuple(sorted(set(unknown)))


def _calls(model: Any, operator: Any, subgraph: int) -> list[tuple[int, int | None]]:
    """The subgraphs that an operator runs, and how often; None where the file does not tell."""
    name, options = operator_name(model, operator), operator.builtinOptions
    if name == "WHILE" and hasattr(options, "condSubgraphIndex"):
        steps = _loop_steps(model, operator, subgraph)
        again = None if steps is None else steps + 1  # the last time, the condition says no
        return [(options.bodySubgraphIndex, steps), (options.condSubgraphIndex, again)]
    if name == "IF" and hasattr(options, "thenSubgraphIndex"):
        return [(options.thenSubgraphIndex, None), (options.elseSubgraphIndex, None)]
    composite = getattr(operator.builtinOptions2, "decompositionSubgraphIndex", None)
    return [] if composite is None else [(composite, 1)]


def _loop_steps(model: Any, operator: Any, subgraph: int) -> int | None:
    """The smallest constant that a loop's condition wants something to be less than.

    The loops of recurrent layers count from 0 in steps of 1.
    """
    condition = operator.builtinOptions.condSubgraphIndex
    graph = model.subgraphs[condition]
    outer = dict(zip(integers(graph.inputs), integers(operator.inputs), strict=False))
    limits = []
    for inner in graph.operators:
        inputs = integers(inner.inputs)
        if operator_name(model, inner) == "LESS" and len(inputs) == 2:
            limit = _scalar(model, condition, inputs[1])
            if limit is None and inputs[1] in outer:
                limit = _scalar(model, subgraph, outer[inputs[1]])
            limits.append(limit)
    known = [limit for limit in limits if limit is not None and limit >= 0]
    return min(known) if known else None


def _scalar(model: Any, subgraph: int, tensor: int) -> int | None:
    """The value of a constant tensor with one integer."""
    values = None if tensor < 0 else tensor_values(model, subgraph, tensor)
    if values is None or values.size != 1 or not np.issubdtype(values.dtype, np.integer):
        return None
    return int(values.reshape(-1)[0])
