"""Latency, operators, memory and size of any `.tflite` file."""

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.errors import RuntimeFailure, SqueezeError
from tflite_squeeze.files.tflite_file import read_tflite
from tflite_squeeze.profiling.record import (
    LatencyStats,
    Memory,
    OperatorTime,
    OperatorTimes,
    Profile,
    ProfileRecord,
)
from tflite_squeeze.runtime.inputs import InputUsed
from tflite_squeeze.runtime.larq_files import RUNTIME, larq_notes, runs_in_larq
from tflite_squeeze.runtime.latency import statistics_of
from tflite_squeeze.runtime.machine import this_machine
from tflite_squeeze.runtime.process import run_in_child
from tflite_squeeze.tflite.signatures import LEGACY_UINT8, quantization_name
from tflite_squeeze.tflite.size import size_ledger


@checked_arguments
def profile(tflite: bytes | Path | str, config: Profile | None = None) -> ProfileRecord:
    """Measures a file on this machine, in child processes of its own.

    Args:
        tflite: the file's path, or its content.
        config: how to measure; None for the defaults.

    Returns:
        What was measured. Where the operators' times or the built-in kernels' arena are not
        available, it says why.

    Raises:
        InputError: the file cannot be read, is no .tflite file, or has no such signature.
        UnsupportedError: no values can be generated for an input.
        RuntimeFailure: the runtime refused the file, crashed on it, or took too long.

    Example:
        >>> profile("lenet_5.tflite").latency.median_us
        71.4
    """
    config = config or Profile()
    path = None if isinstance(tflite, bytes) else Path(tflite)
    content = tflite if isinstance(tflite, bytes) else read_tflite(tflite)
    size = size_ledger(content)
    request = config.model_dump()
    larq = runs_in_larq(content, config.runtime)
    jobs = _LARQ if larq else _LITERT
    answer = run_in_child(
        jobs.latency, content, request, time_limit_s=config.time_limit_s, runtime=jobs.runtime
    )
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
        operators=_operators(content, request, config.time_limit_s, jobs),
        memory=_memory(content, request, config.time_limit_s, values["memory"], jobs),
        size=size,
        machine=this_machine(),
        runtime="larq" if larq else "litert",
        notes=(
            *(larq_notes(platform.machine(), indirect=config.indirect_bgemm) if larq else ()),
            *(
                ("The file has legacy uint8 quantization.",)
                if quantization_name(content) == LEGACY_UINT8
                else ()
            ),
        ),
    )


def operator_times(tflite: bytes, config: Profile | None = None) -> OperatorTimes:
    """Measures the operators of a file alone, in a child process of its own.

    Args:
        tflite: the file's content.
        config: how to measure; None for the defaults.

    Returns:
        The times, or why there are none.

    Example:
        >>> operator_times(tflite).operators[0].name
        'Convolution (NHWC, QC8) IGEMM'
    """
    config = config or Profile()
    jobs = _LARQ if runs_in_larq(tflite, config.runtime) else _LITERT
    return _operators(tflite, config.model_dump(), config.time_limit_s, jobs)


@dataclass(frozen=True, kw_only=True)
class _Jobs:
    """What a runtime's measurements are called; None for one that it does not have."""

    runtime: str
    latency: str
    operators: str
    memory: str | None


_LITERT = _Jobs(runtime="LiteRT", latency="latency", operators="operators", memory="memory")
_LARQ = _Jobs(runtime=RUNTIME, latency="larq_latency", operators="larq_operators", memory=None)


def _operators(
    content: bytes, request: dict[str, Any], time_limit_s: float, jobs: _Jobs
) -> OperatorTimes:
    """Times of operators; a process of their own, so that a crash loses nothing else."""
    try:
        values = run_in_child(
            jobs.operators, content, request, time_limit_s=time_limit_s, runtime=jobs.runtime
        ).values
    except SqueezeError as error:
        return OperatorTimes(unavailable=str(error))
    return _times(values).model_copy(update={"by_difference": jobs is _LARQ})


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
    content: bytes,
    request: dict[str, Any],
    time_limit_s: float,
    timed: dict[str, int],
    jobs: _Jobs,
) -> Memory:
    """The figures of the timed runs, and the arena of a runtime without delegate."""
    if jobs.memory is None:
        reason = f"{jobs.runtime} does not report the memory of its tensors"
        return Memory(**timed, builtin_arena_bytes=None, builtin_unavailable=reason)
    try:
        values = run_in_child(jobs.memory, content, request, time_limit_s=time_limit_s).values
    except RuntimeFailure as error:
        return Memory(**timed, builtin_arena_bytes=None, builtin_unavailable=str(error))
    return Memory(**timed, builtin_arena_bytes=values["arena_bytes"])
