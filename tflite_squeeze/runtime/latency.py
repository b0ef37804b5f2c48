"""The latency of a file: the child's side of `profile`, and the statistics of its times."""

import gc
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.runtime.inputs import made_up
from tflite_squeeze.runtime.memory import arena_bytes, forget_peak, peak_bytes, resident_bytes
from tflite_squeeze.runtime.session import Session, litert_errors

_NS_PER_US = 1000.0


def latency_job(
    path: Path, request: Mapping[str, Any], _arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Times a file's bare invoke on made-up inputs, and reads what memory that took.

    Args:
        path: the .tflite file.
        request: signature, threads, runs, min_seconds, warmup_seconds, seed.
        _arrays: none.

    Returns:
        Values (init_us, first_us, warmup_runs, signature, inputs, memory) and the array
        `times_us` with a time per run.
    """

    def opened() -> Session:
        return Session(path, signature=request["signature"], threads=request["threads"])

    with litert_errors():
        return timed_session(
            opened, request, lambda session: arena_bytes(session.interpreter, path)
        )


def timed_session(
    opened: Callable[[], Any], request: Mapping[str, Any], arena: Callable[[Any], int | None]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Times the runs of any runtime's session, and reads what memory opening and running took.

    Args:
        opened: opens the session, which has `inputs`, `signature`, `init_ns` and `invoker`.
        request: as `latency_job` takes it.
        arena: the bytes of the session's arena, None where the runtime does not tell.

    Returns:
        As `latency_job`.
    """
    forget_peak()
    before = resident_bytes()
    session = opened()
    types = {item.name: (item.dtype, item.default_shape) for item in session.inputs}
    inputs = made_up(types, request["seed"])
    invoke = session.invoker(inputs)
    (first,) = timed(invoke, runs=1, min_seconds=0)
    warm = timed(invoke, runs=0, min_seconds=request["warmup_seconds"])
    times = timed(invoke, runs=request["runs"], min_seconds=request["min_seconds"])
    peak = peak_bytes()
    values = {
        "signature": session.signature,
        "init_us": session.init_ns / _NS_PER_US,
        "first_us": first,
        "warmup_runs": len(warm),
        "inputs": {name: [array.dtype.name, *array.shape] for name, array in inputs.items()},
        "memory": {
            "arena_bytes": arena(session),
            "process_peak_bytes": peak,
            "process_growth_bytes": max(peak - before, 0),
        },
    }
    return values, {"times_us": np.array(times)}


def timed(
    invoke: Callable[[], Any],
    *,
    runs: int,
    min_seconds: float,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> list[float]:
    """Calls something again and again and takes the time of each call.

    Python's garbage collector is off meanwhile, so that its pauses are not counted.

    Args:
        invoke: what to time.
        runs: at least so many calls.
        min_seconds: and for at least so long.
        clock: a monotonic clock in nanoseconds.

    Returns:
        The time of each call in microseconds.
    """
    times: list[float] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = clock()
        deadline = start + int(min_seconds * 1e9)
        end = start
        while len(times) < runs or end < deadline:
            begin = clock()
            invoke()
            end = clock()
            times.append((end - begin) / _NS_PER_US)
    finally:
        if collecting:
            gc.enable()
    return times


def statistics_of(times_us: NDArray[np.floating[Any]]) -> dict[str, float]:
    """Median, p90, p99 (interpolated linearly), minimum, mean and standard deviation.

    Args:
        times_us: (N,), one at least.

    Returns:
        The numbers by name, in microseconds; the deviation is the sample's (N - 1), 0 for N = 1.

    Example:
        >>> statistics_of(np.array([1.0, 2.0, 3.0]))["median_us"]
        2.0
    """
    median, p90, p99 = np.percentile(times_us, (50, 90, 99))
    return {
        "median_us": float(median),
        "p90_us": float(p90),
        "p99_us": float(p99),
        "min_us": float(times_us.min()),
        "mean_us": float(times_us.mean()),
        "std_us": float(times_us.std(ddof=1)) if len(times_us) > 1 else 0.0,
    }
