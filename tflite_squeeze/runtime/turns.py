"""Times several files in turns in one child process, so that other load affects all equally."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.runtime.executorch import ExecutorchSession, RemoteCall
from tflite_squeeze.runtime.foreign import opened
from tflite_squeeze.runtime.inputs import made_up
from tflite_squeeze.runtime.kinds import LITERT, kind_of
from tflite_squeeze.runtime.larq import LarqSession
from tflite_squeeze.runtime.larq_files import RUNTIME
from tflite_squeeze.runtime.latency import timed
from tflite_squeeze.runtime.onnx import OnnxSession
from tflite_squeeze.runtime.process import run_in_child
from tflite_squeeze.runtime.session import Session, litert_errors

Arrays = Mapping[str, NDArray[Any]]
AnySession = Session | LarqSession | OnnxSession | ExecutorchSession

_TURNS, _TURN_SECONDS, _WARMUP_SECONDS = 20, 0.02, 0.2


def in_turns(files: Mapping[str, bytes], *, time_limit_s: float = 300.0) -> dict[str, float]:
    """Times files one after the other, again and again, each on inputs of its own types.

    Args:
        files: content by name.
        time_limit_s: time limit in seconds.

    Returns:
        By name, the median microseconds of a run, of as many turns as the others had.

    Raises:
        RuntimeFailure: the runtime refuses one of them.

    Example:
        >>> in_turns({"float": tflite, "int8": other})["int8"]
        27.4
    """
    times = turn_by_turn(files, time_limit_s=time_limit_s)
    return {name: float(np.median(values)) for name, values in times.items()}


def turn_by_turn(
    files: Mapping[str, bytes],
    *,
    turns: int = _TURNS,
    threads: int = 1,
    larq: bool = False,
    whole: bool = False,
    time_limit_s: float = 300.0,
) -> dict[str, NDArray[np.float64]]:
    """The same, turn by turn: the median of ratios is what one file gains over another.

    Args:
        files: content by name.
        turns: how often each has its turn.
        threads: threads for the kernels.
        larq: whether Larq Compute Engine runs them, which runs ordinary files as well.
        whole: whether a call from NumPy arrays to NumPy arrays is timed, else the run alone.
        time_limit_s: time limit in seconds.

    Returns:
        By name, the median microseconds of a run in each turn, (turns,).

    Raises:
        RuntimeFailure: the runtime refuses one of them.

    Example:
        >>> times = turn_by_turn({"float": tflite, "int8": other})
        >>> float(np.median(times["int8"] / times["float"]))
        0.31
    """
    first = next(iter(files.values()))
    arrays = {name: np.frombuffer(content, np.uint8) for name, content in files.items()}
    request = {"seed": 0, "turns": turns, "threads": threads, "larq": larq, "whole": whole}
    return run_in_child(
        "turns",
        first,
        request,
        arrays,
        time_limit_s=time_limit_s,
        runtime=RUNTIME if larq else "LiteRT",
    ).arrays


def turns_job(
    path: Path, request: Mapping[str, Any], arrays: Arrays
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The child's side of `in_turns`.

    Args:
        path: one of the files; the others are written beside it.
        request: seed, turns, threads, larq, whole.
        arrays: the bytes of every file.
    """
    paths = []
    for number, content in enumerate(arrays.values()):
        paths.append(path.with_name(f"file_{number}.tflite"))
        paths[-1].write_bytes(content.tobytes())
    about = {name: request[name] for name in ("turns", "threads", "larq", "whole", "seed")}
    times = times_in_turns(paths, **about)
    return {}, dict(zip(arrays, times, strict=True))


def times_in_turns(
    paths: Sequence[Path],
    inputs: Arrays | None = None,
    turns: int = _TURNS,
    *,
    threads: int = 1,
    larq: bool = False,
    whole: bool = False,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Median times of files, (files, turns); every second turn goes through them backwards.

    Args:
        paths: the files.
        inputs: what all of them run on; None to generate inputs for each.
        turns: how often each has its turn.
        threads: threads for the kernels.
        larq: whether Larq Compute Engine runs them.
        whole: whether a call with its inputs and outputs is timed.
        seed: of the generated inputs.
    """
    sessions = [_opened(path, threads, larq=larq) for path in paths]
    invokes = [
        (session.caller if whole else session.invoker)(inputs or _made_up_for(session, seed))
        for session in sessions
    ]
    times = np.zeros((len(paths), turns))
    with litert_errors():
        for invoke in invokes:
            _taken(invoke, _WARMUP_SECONDS)
        for turn in range(turns):
            for which in range(len(paths))[:: 1 if turn % 2 else -1]:
                taken = _taken(invokes[which], _TURN_SECONDS)
                times[which, turn] = float(np.median(taken))
    return times


def _taken(invoke: Any, seconds: float) -> list[float]:
    """The times of one turn, taken where the file runs."""
    if isinstance(invoke, RemoteCall):
        return invoke.timed(runs=3, min_seconds=seconds)
    return timed(invoke, runs=3, min_seconds=seconds)


def _opened(path: Path, threads: int, *, larq: bool) -> AnySession:
    content = path.read_bytes()
    if larq:
        return LarqSession(content, threads=threads)
    if kind_of(content) != LITERT:
        return opened(content, threads=threads)
    return Session(path, signature=None, threads=threads)


def _made_up_for(session: AnySession, seed: int) -> dict[str, NDArray[Any]]:
    return made_up({end.name: (end.dtype, end.default_shape) for end in session.inputs}, seed)
