"""Latency, operators, memory and size of any `.tflite` file."""

import hashlib
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import InputError, RuntimeFailure, SqueezeError
from tflite_squeeze.io.files import read_file
from tflite_squeeze.measure.latency import statistics_of
from tflite_squeeze.measure.machine import this_machine
from tflite_squeeze.measure.process import run_in_child
from tflite_squeeze.measure.profile_record import (
    InputUsed,
    LatencyStats,
    Memory,
    OperatorTime,
    OperatorTimes,
    Profile,
    ProfileRecord,
)
from tflite_squeeze.measure.size import size_ledger


def profile(tflite: bytes | Path | str, config: Profile | None = None) -> ProfileRecord:
    """Measures a file on this machine, in child processes of its own.

    Args:
        tflite: the file's path, or its content.
        config: how to measure; None for the defaults.

    Returns:
        What was measured. Where times of operators, or the arena of the built-in kernels, cannot
        be had, it says why.

    Raises:
        InputError: the file cannot be read, is no .tflite file, or has no such signature.
        UnsupportedError: it takes inputs that cannot be made up.
        RuntimeFailure: the runtime refused the file, crashed on it, or took too long.

    Example:
        >>> profile("lenet_5.tflite").latency.median_us
        71.4
    """
    config = config or Profile()
    path = None if isinstance(tflite, bytes) else Path(tflite)
    content = tflite if isinstance(tflite, bytes) else read_file(Path(tflite), "file")
    if path is not None and content[4:8] != b"TFL3":
        raise InputError(
            f"{path} is not a .tflite file (no TFL3 identifier): convert a Keras model first, "
            f"with tflite-squeeze convert"
        )
    size = size_ledger(content)
    request = config.model_dump()
    answer = run_in_child("latency", content, request, time_limit_s=config.time_limit_s)
    values = answer.values
    request["signature"] = values["signature"]
    times = answer.arrays["times_us"]
    return ProfileRecord(
        file=None if path is None else path.name,
        sha256=hashlib.sha256(content).hexdigest(),
        config=config,
        signature=values["signature"],
        inputs=tuple(
            InputUsed(name=name, dtype=dtype, shape=tuple(shape))
            for name, (dtype, *shape) in values["inputs"].items()
        ),
        latency=LatencyStats(
            **statistics_of(times),
            runs=len(times),
            warmup_runs=values["warmup_runs"],
            init_us=values["init_us"],
            first_us=values["first_us"],
        ),
        operators=_operators(content, request, config.time_limit_s),
        memory=_memory(content, request, config.time_limit_s, values["memory"]),
        size=size,
        machine=this_machine(),
    )


def _operators(content: bytes, request: dict[str, Any], time_limit_s: float) -> OperatorTimes:
    """Times of operators; a process of their own, so that a crash loses nothing else."""
    try:
        values = run_in_child("operators", content, request, time_limit_s=time_limit_s).values
    except SqueezeError as error:
        return OperatorTimes(unavailable=str(error))
    return _times(values)


def _times(values: dict[str, Any]) -> OperatorTimes:
    """What the child summed up, with shares."""
    listed = values["operators"]
    sum_us = sum(item["us_per_run"] for item in listed)
    whole_us = max(sum_us, values["invoke_us"])
    operators = tuple(
        OperatorTime(
            name=item["name"],
            subgraph=item["subgraph"],
            index=item["index"],
            delegated=item["delegated"],
            mean_us=item["us_per_run"] / item["calls_per_run"],
            calls=item["calls_per_run"],
            us_per_run=item["us_per_run"],
            share=item["us_per_run"] / whole_us if whole_us else 0.0,
        )
        for item in listed
    )
    return OperatorTimes(
        operators=operators, runs=values["runs"], invoke_us=values["invoke_us"], sum_us=sum_us
    )


def _memory(
    content: bytes, request: dict[str, Any], time_limit_s: float, timed: dict[str, int]
) -> Memory:
    """The figures of the timed runs, and the arena of a runtime without delegate."""
    try:
        values = run_in_child("memory", content, request, time_limit_s=time_limit_s).values
    except RuntimeFailure as error:
        return Memory(**timed, builtin_arena_bytes=None, builtin_unavailable=str(error))
    return Memory(**timed, builtin_arena_bytes=values["arena_bytes"])
