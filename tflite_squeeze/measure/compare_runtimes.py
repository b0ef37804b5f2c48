"""Several files on one runtime: what each takes there, or why it does not run."""

from collections.abc import Callable, Mapping

import numpy as np

from tflite_squeeze.errors import SqueezeError
from tflite_squeeze.measure.compare_record import LITERT, MICRO, Compare, Figures, Ratio
from tflite_squeeze.measure.ethos_u import profile_ethos_u
from tflite_squeeze.measure.ethos_u_names import ETHOS_U
from tflite_squeeze.measure.ethos_u_record import EthosUProfile
from tflite_squeeze.measure.intervals import median_interval
from tflite_squeeze.measure.micro import profile_micro
from tflite_squeeze.measure.micro_record import MicroProfile
from tflite_squeeze.measure.process import run_in_child
from tflite_squeeze.measure.turns import turn_by_turn

Files = Mapping[str, bytes]
_Measure = Callable[[Files, Compare], dict[str, Figures]]


def figures_on(runtime: str, files: Files, config: Compare) -> dict[str, Figures]:
    """Measures files on one runtime.

    Args:
        runtime: one of `RUNTIMES`.
        files: content by name; ratios are to the first.
        config: how to measure.

    Returns:
        By name; of a file that does not run there, the reason.

    Example:
        >>> figures_on("litert", {"a": tflite, "b": other}, Compare())["b"].latency_ratio.value
        0.41
    """
    return RUNTIMES[runtime](files, config)


def _on_litert(files: Files, config: Compare) -> dict[str, Figures]:
    """All that run here, in turns in one process; each alone first, since it may crash."""
    alone = {name: _alone(content, config) for name, content in files.items()}
    able = {name: files[name] for name, one in alone.items() if not one.unavailable}
    if not able:
        return alone
    times = turn_by_turn(
        able, turns=config.turns, threads=config.threads, time_limit_s=config.time_limit_s
    )
    first = times.get(next(iter(files)))
    found = dict(alone)
    for name, taken in times.items():
        ratio = None
        if first is not None:
            interval = median_interval(taken / first)
            ratio = Ratio(value=interval.difference, low=interval.low, high=interval.high)
        measured = {"latency_us": float(np.median(taken)), "latency_ratio": ratio}
        found[name] = alone[name].model_copy(update=measured)
    return found


def _alone(content: bytes, config: Compare) -> Figures:
    """Whether a file runs on LiteRT, and the arena of its built-in kernels."""
    request = {"signature": None, "threads": config.threads, "seed": 0}
    once = {**request, "runs": 1, "min_seconds": 0.0, "warmup_seconds": 0.0}
    try:
        run_in_child("latency", content, once, time_limit_s=config.time_limit_s)
    except SqueezeError as error:
        return Figures(runtime=LITERT, unavailable=str(error))
    try:
        memory = run_in_child("memory", content, request, time_limit_s=config.time_limit_s)
    except SqueezeError:  # what only the delegate can run has no such arena
        return Figures(runtime=LITERT)
    return Figures(runtime=LITERT, arena_bytes=memory.values["arena_bytes"])


def _on_micro(files: Files, config: Compare) -> dict[str, Figures]:
    found = {}
    for name, content in files.items():
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
    LITERT: _on_litert,
    MICRO: _on_micro,
    **{name: _on_ethos_u(name) for name in ETHOS_U},
}
