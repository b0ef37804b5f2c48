"""The time of each operator: the child's side of `profile`, and the sums over its events.

LiteRT's profiler reports operators of the graph and, in place of those that a delegate took
over, the delegate's kernels. An operator that runs other subgraphs (WHILE, IF, CALL) contains
the events of these; its own time is what they leave.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.errors import RuntimeFailure
from tflite_squeeze.runtime.inputs import made_up
from tflite_squeeze.runtime.litert_c import CompiledModel, Event

# LiteRtProfilerEventType. "Invoke" of kind 32 is telemetry and not a time.
_PLAIN, _OPERATOR, _DELEGATE_KERNEL, _DELEGATE_OPERATOR = 1, 2, 4, 8
_INVOKE = "Invoke"
# XNNPACK cuts its kernels' times off to whole microseconds, which loses half of one on average.
# A time of 0 stays 0: most of these kernels do nothing at all.
_CUT_OFF_US = 0.5
# Runs that the system interrupted would count as the operators' own slowness.
_KEPT_SHARE = 0.75

# Subgraph, delegated or not, partition of the delegate, index of node or kernel, name.
Key = tuple[int, bool, int, int, str]


@dataclass(kw_only=True)
class Total:
    """What one operator took in one run or in several.

    Attributes:
        own_us: its own time.
        calls: how many times it ran.
        watched: how often it ran a subgraph, or prepared one.
    """

    own_us: float = 0.0
    calls: int = 0
    watched: int = 0


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run with the profiler, and one without.

    Attributes:
        plain_us: the whole run without the profiler.
        profiled_us: the whole run with it.
        totals: by operator, in order of execution.
    """

    plain_us: float
    profiled_us: float
    totals: dict[Key, Total]


@dataclass(kw_only=True)
class _Frame:
    """An event that others may lie in.

    Attributes:
        subgraph: which one it runs, or belongs to.
        end_us: when it ended.
        key: the operator; None for the run of a whole subgraph.
        partition: how many times operators and delegate took turns in this run of a subgraph.
        last_kernel: index of the delegate's last kernel in this partition.
    """

    subgraph: int
    end_us: int
    key: Key | None
    partition: int = 0
    last_kernel: int = -1


def operators_job(
    path: Path, request: Mapping[str, Any], _arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Profiles a file run after run on made-up inputs.

    Args:
        path: the .tflite file.
        request: signature, threads, runs, min_seconds, warmup_seconds, seed.
        _arrays: none.

    Returns:
        What `summed` returns, and no arrays.
    """
    tflite = path.read_bytes()
    runs: list[Run] = []
    how = {"threads": request["threads"], "signature": request["signature"]}
    with (
        CompiledModel(tflite, **how, profiler=False) as plain,
        CompiledModel(tflite, **how, profiler=True) as profiled,
    ):
        for model in (plain, profiled):
            shapes = {
                name: (kind.dtype, tuple(1 if size < 0 else size for size in kind.shape))
                for name, kind in model.input_types().items()
            }
            model.prepare(made_up(shapes, request["seed"]))
            model.run()
        warm = time.perf_counter() + request["warmup_seconds"]
        while time.perf_counter() < warm:
            _observed(plain, profiled)
        end = time.perf_counter() + request["min_seconds"]
        while len(runs) < request["runs"] or time.perf_counter() < end:
            runs.append(_observed(plain, profiled))
    return summed(runs), {}


def _observed(plain: CompiledModel, profiled: CompiledModel) -> Run:
    """Runs without and with the profiler, one after the other."""
    plain_us = _second_run_us(plain)
    profiled.start_profiler()  # forgets the last run's events, so that the buffer never fills
    profiled.run()
    profiled.start_profiler()
    begin = time.perf_counter_ns()
    profiled.run()
    profiled_us = (time.perf_counter_ns() - begin) / 1000
    profiled.stop_profiler()
    events = profiled.events()
    return Run(
        plain_us=plain_us,
        profiled_us=profiled_us,
        totals=totals_of(events),
    )


def _second_run_us(model: CompiledModel) -> float:
    """How long a run takes when the caches hold what the last one left there."""
    model.run()
    begin = time.perf_counter_ns()
    model.run()
    return (time.perf_counter_ns() - begin) / 1000


def totals_of(events: Sequence[Event]) -> dict[Key, Total]:
    """Adds up the events of one run.

    Args:
        events: in the order in which they began, delegates' kernels in that of execution.

    Returns:
        By operator, in order of execution.

    Raises:
        RuntimeFailure: there is no event of the whole run.
    """
    stack: list[_Frame] = []
    totals: dict[Key, Total] = {}
    for event in events:
        end_us = event.start_us + event.elapsed_us
        if _is_watched(event):
            while stack and stack[-1].end_us <= event.start_us:
                stack.pop()
            owner = _owner(stack)
            if owner is not None:
                totals[owner].watched += 1
            if event.tag == _INVOKE:
                stack.append(_Frame(subgraph=event.subgraph, end_us=end_us, key=None))
        elif stack and event.kind in (_OPERATOR, _DELEGATE_KERNEL, _DELEGATE_OPERATOR):
            key = _enter(stack, event)
            total, elapsed_us = totals.setdefault(key, Total()), _elapsed_us(event)
            total.own_us += elapsed_us
            total.calls += 1
            owner = _owner(stack)
            if owner is not None:
                totals[owner].own_us -= elapsed_us
            if event.kind == _OPERATOR:
                stack.append(_Frame(subgraph=event.subgraph, end_us=end_us, key=key))
    if not any(_is_watched(event) and event.tag == _INVOKE for event in events):
        raise RuntimeFailure("LiteRT's profiler reported no run: update ai-edge-litert")
    return totals


def summed(runs: Sequence[Run]) -> dict[str, Any]:
    """Means over the fastest three quarters of the runs, each with its plain twin.

    The time that an operator spends on running other subgraphs is mostly the profiler's own,
    which reads the process's memory at each; such operators get no more than what all others
    leave of the run without the profiler.

    Args:
        runs: one at least.

    Returns:
        runs (how many were kept), invoke_us (without the profiler), and operators: name,
        subgraph, index, delegated, us_per_run, calls_per_run of each.
    """
    count = max(1, int(len(runs) * _KEPT_SHARE))
    kept = sorted(runs, key=lambda run: run.plain_us + run.profiled_us)[:count]
    invoke_us = sum(run.plain_us for run in kept) / count
    totals: dict[Key, Total] = {}
    for run in kept:
        for key, part in run.totals.items():
            total = totals.setdefault(key, Total())
            total.own_us += part.own_us / count
            total.calls += part.calls
            total.watched += part.watched
    _limit_callers(totals, invoke_us)
    operators = [
        {
            "name": name,
            "subgraph": subgraph,
            "index": index,
            "delegated": delegated,
            "us_per_run": max(0.0, total.own_us),
            "calls_per_run": total.calls / count,
        }
        for (subgraph, delegated, _, index, name), total in totals.items()
    ]
    return {"runs": count, "invoke_us": invoke_us, "operators": operators}


def _limit_callers(totals: dict[Key, Total], invoke_us: float) -> None:
    """Cuts the time of operators that run subgraphs down to what the others leave."""
    callers = [total for total in totals.values() if total.watched]
    claimed = sum(total.own_us for total in callers)
    left = max(0.0, invoke_us - sum(total.own_us for total in totals.values()) + claimed)
    if claimed > left:
        for total in callers:
            total.own_us *= left / claimed


def _is_watched(event: Event) -> bool:
    return event.kind == _PLAIN


def _elapsed_us(event: Event) -> float:
    if event.kind == _OPERATOR or event.elapsed_us == 0:
        return event.elapsed_us
    return event.elapsed_us + _CUT_OFF_US


def _owner(stack: Sequence[_Frame]) -> Key | None:
    """The innermost operator that runs."""
    return next((frame.key for frame in reversed(stack) if frame.key is not None), None)


def _enter(stack: list[_Frame], event: Event) -> Key:
    """Leaves everything that the event does not lie in; returns what to count it under."""
    while len(stack) > 1 and (stack[-1].key is not None or stack[-1].subgraph != event.subgraph):
        stack.pop()
    frame = stack[-1]
    if event.kind == _OPERATOR:
        frame.partition += 1  # whatever the delegate does next is another partition
        frame.last_kernel = -1
        return (event.subgraph, False, 0, event.node, event.tag)
    if event.node <= frame.last_kernel:
        frame.partition += 1
    frame.last_kernel = event.node
    return (event.subgraph, True, frame.partition, event.node, event.tag)
