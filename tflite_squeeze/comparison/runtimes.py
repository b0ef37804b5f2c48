"""Measures several files on one runtime, or finds why they do not run there."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.comparison.record import LARQ, MICRO, Compare, Figures, Ratio
from tflite_squeeze.errors import SqueezeError
from tflite_squeeze.microcontrollers.ethos_u import profile_ethos_u
from tflite_squeeze.microcontrollers.ethos_u_record import ETHOS_U, EthosUProfile
from tflite_squeeze.microcontrollers.profile import profile_micro
from tflite_squeeze.microcontrollers.record import MicroProfile
from tflite_squeeze.runtime.foreign import NAMES
from tflite_squeeze.runtime.intervals import median_interval
from tflite_squeeze.runtime.kinds import LITERT, kind_of
from tflite_squeeze.runtime.larq_files import RUNTIME
from tflite_squeeze.runtime.process import run_in_child
from tflite_squeeze.runtime.turns import turn_by_turn

Files = Mapping[str, bytes]
Times = NDArray[np.float64]
_Measure = Callable[[Files, Compare], dict[str, Figures]]


def figures_on(runtime: str, files: Files, config: Compare) -> dict[str, Figures]:
    """Measures files on one runtime.

    Args:
        runtime: one of `RUNTIMES`.
        files: content by name; ratios are to the first.
        config: how to measure.

    Returns:
        By name; for a file that does not run there, the reason.

    Example:
        >>> figures_on("litert", {"a": tflite, "b": other}, Compare())["b"].latency_ratio.value
        0.41
    """
    return RUNTIMES[runtime](files, config)


def _here(runtime: str) -> _Measure:
    """All files that run here, interleaved in one process; each alone first, since it may crash."""

    def measure(files: Files, config: Compare) -> dict[str, Figures]:
        alone = {name: _alone(runtime, content, config) for name, content in files.items()}
        able = {name: files[name] for name, one in alone.items() if not one.unavailable}
        if not able:
            return alone
        found = _timed(runtime, able, alone, config, whole=False)
        if len({kind_of(content) for content in files.values()}) > 1:
            found = _timed(runtime, able, found, config, whole=True)
        return found

    return measure


def _timed(
    runtime: str, able: Files, found: Mapping[str, Figures], config: Compare, *, whole: bool
) -> dict[str, Figures]:
    """What files take, with their times; ratios are taken turn by turn."""
    times = turn_by_turn(
        able,
        turns=config.turns,
        threads=config.threads,
        larq=runtime == LARQ,
        whole=whole,
        time_limit_s=config.time_limit_s,
    )
    field = "call" if whole else "latency"
    first = times.get(next(iter(found)))
    measured = {}
    for name, one in found.items():
        taken = times.get(name)
        update: dict[str, Any] = {}
        if taken is not None:
            update = {
                f"{field}_us": float(np.median(taken)),
                f"{field}_ratio": _ratio(taken, first),
            }
        measured[name] = one.model_copy(update=update)
    return measured


def _ratio(taken: Times, first: Times | None) -> Ratio | None:
    if first is None:
        return None
    interval = median_interval(taken / first)
    return Ratio(value=interval.difference, low=interval.low, high=interval.high)


def _alone(runtime: str, content: bytes, config: Compare) -> Figures:
    """Whether a file runs here, and the arena of LiteRT's built-in kernels."""
    if runtime == LITERT and (kind := kind_of(content)) != LITERT:
        runtime = kind
    elif (reason := _why_not(content)) is not None:
        return Figures(runtime=runtime, unavailable=reason)
    request = {"signature": None, "threads": config.threads, "seed": 0, "indirect_bgemm": True}
    once = {**request, "runs": 1, "min_seconds": 0.0, "warmup_seconds": 0.0}
    job, name = _TRIED[runtime]
    try:
        run_in_child(job, content, once, time_limit_s=config.time_limit_s, runtime=name)
    except SqueezeError as error:
        return Figures(runtime=runtime, unavailable=str(error))
    if runtime != LITERT:
        return Figures(runtime=runtime)  # it reports no arena
    try:
        memory = run_in_child("memory", content, request, time_limit_s=config.time_limit_s)
    except SqueezeError:  # what only the delegate can run has no such arena
        return Figures(runtime=runtime)
    return Figures(runtime=runtime, arena_bytes=memory.values["arena_bytes"])


# The job that opens a file and runs it once, and what the runtime is called.
_TRIED = {
    LITERT: ("latency", "LiteRT"),
    LARQ: ("larq_latency", RUNTIME),
    **{kind: ("foreign_latency", name) for kind, name in NAMES.items()},
}


def _why_not(content: bytes) -> str | None:
    """Why a runtime of `.tflite` files does not run a file of another kind."""
    kind = kind_of(content)
    return None if kind == LITERT else f"it is a file for {kind}, and no .tflite file"


def _on_micro(files: Files, config: Compare) -> dict[str, Figures]:
    found = {}
    for name, content in files.items():
        if (reason := _why_not(content)) is not None:
            found[name] = Figures(runtime=MICRO, unavailable=reason)
            continue
        try:
            record = profile_micro(content, MicroProfile(time_limit_s=config.time_limit_s))
        except SqueezeError as error:
            found[name] = Figures(runtime=MICRO, unavailable=str(error))
            continue
        found[name] = Figures(
            runtime=MICRO,
            arena_bytes=record.arena.smallest_bytes,
            flash_bytes=record.flash_bytes,
        )
    return found


def _on_ethos_u(accelerator: str) -> _Measure:
    def measure(files: Files, config: Compare) -> dict[str, Figures]:
        found: dict[str, Figures] = {}
        about = EthosUProfile.model_validate(
            {"accelerator": accelerator, "time_limit_s": config.time_limit_s}
        )
        for name, content in files.items():
            if (reason := _why_not(content)) is not None:
                found[name] = Figures(runtime=accelerator, unavailable=reason)
                continue
            try:
                record = profile_ethos_u(content, about)
            except SqueezeError as error:
                found[name] = Figures(runtime=accelerator, unavailable=str(error))
                continue
            found[name] = Figures(
                runtime=accelerator,
                arena_bytes=record.sram_bytes + record.dram_bytes,
                flash_bytes=record.compiled_bytes,
                latency_us=record.cycles / record.clock_hz * 1e6,
            )
        return _with_ratios(found)

    return measure


def _with_ratios(found: dict[str, Figures]) -> dict[str, Figures]:
    """Ratios of times that are estimates: the same again and again, so without an interval."""
    first = next(iter(found.values())).latency_us
    if not first:
        return found
    return {
        name: one
        if one.latency_us is None
        else one.model_copy(update={"latency_ratio": _exactly(one.latency_us / first)})
        for name, one in found.items()
    }


def _exactly(value: float) -> Ratio:
    return Ratio(value=value, low=value, high=value)


# A runtime that can measure more files goes here, and the command knows it.
RUNTIMES: dict[str, _Measure] = {
    LITERT: _here(LITERT),
    LARQ: _here(LARQ),
    MICRO: _on_micro,
    **{name: _on_ethos_u(name) for name in ETHOS_U},
}
