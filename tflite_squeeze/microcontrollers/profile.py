"""Measures what a file takes on a microcontroller, with TFLM's own interpreter.

TFLM is TensorFlow Lite for Microcontrollers; its Python interpreter runs the reference kernels
that every target can build, in an arena of a chosen size.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.files.tflite_file import read_tflite
from tflite_squeeze.microcontrollers.graph import (
    check_supported,
    keeps_state,
    main_inputs,
    main_outputs,
    main_signature,
    refusal,
    resolver_method,
    tflm_operators,
    used_operators,
)
from tflite_squeeze.microcontrollers.record import (
    Arena,
    MicroAgreement,
    MicroOperator,
    MicroProfile,
    MicroRecord,
    PersistentPart,
)
from tflite_squeeze.runtime.fidelity import (
    cosine,
    largest_difference,
    mean_difference,
    predicted_classes,
    sqnr_db,
)
from tflite_squeeze.runtime.inputs import InputUsed, made_up
from tflite_squeeze.runtime.machine import exceeded
from tflite_squeeze.runtime.process import run_in_child
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.runtime.session import Endpoint, dequantized
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.signatures import quantization_name
from tflite_squeeze.tflite.size import size_ledger

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class MicroRun:
    """The outputs of a file on TFLM, and the arena that it took.

    Attributes:
        tflm: version of TFLM.
        arena: what it took.
        outputs: in order of the main subgraph (examples, *the tensor's shape), as they come.
    """

    tflm: str
    arena: Arena
    outputs: tuple[Array, ...]


def profile_micro(tflite: bytes | Path | str, config: MicroProfile | None = None) -> MicroRecord:
    """Runs a file on TFLM's interpreter, in a child process, and compares it with LiteRT.

    Args:
        tflite: the file's path, or its content.
        config: how to measure, and budgets; None for the defaults.

    Returns:
        What was measured.

    Raises:
        InputError: the file cannot be read, or is no .tflite file.
        UnsupportedError: TFLM cannot run it, or is not installed; the message names the operator
            and what to do.
        RuntimeFailure: a runtime crashed on it, or took too long.

    Example:
        >>> profile_micro("lenet_5.tflite").arena.total_bytes
        21616
    """
    config = config or MicroProfile()
    content = tflite if isinstance(tflite, bytes) else read_tflite(tflite)
    model = read_model(content)
    inputs = example_inputs(content, config.examples, config.seed)
    run = run_micro(content, list(inputs.values()), time_limit_s=config.time_limit_s)
    return MicroRecord(
        file=None if isinstance(tflite, bytes) else Path(tflite).name,
        sha256=hashlib.sha256(content).hexdigest(),
        config=config,
        tflm=run.tflm,
        inputs=tuple(
            InputUsed(name=end.name, dtype=end.dtype, shape=end.shape) for end in main_inputs(model)
        ),
        arena=run.arena,
        flash_bytes=len(content),
        operators=micro_operators(model),
        stateful=keeps_state(model),
        outputs=_agreements(content, model, inputs, run, config),
        tflm_only=tflm_operators(model),
        size=size_ledger(content),
        over_budget=exceeded(
            (
                ("the arena takes", run.arena.smallest_bytes, config.max_ram_bytes),
                ("the file takes", len(content), config.max_flash_bytes),
            )
        ),
    )


def run_micro(
    tflite: bytes,
    inputs: list[Array],
    *,
    arena_bytes: int | None = None,
    time_limit_s: float = 600.0,
) -> MicroRun:
    """Runs a file on TFLM in a child process.

    A file that keeps state takes the examples as one stream, from its initial state on.

    Args:
        tflite: the file's content.
        inputs: in order of the main subgraph (examples, *the tensor's shape), of its own type.
        arena_bytes: the arena to run in; None for any size.
        time_limit_s: time limit of the run in seconds.

    Returns:
        The outputs and what they took.

    Raises:
        UnsupportedError: TFLM cannot run the file in this arena, or is not installed.
        RuntimeFailure: TFLM crashed on it, or took too long.
    """
    model = read_model(tflite)
    check_supported(model)
    request = {"arena_bytes": arena_bytes, "outputs": len(main_outputs(model))}
    arrays = {str(index): array for index, array in enumerate(inputs)}
    answer = run_in_child(
        "micro", tflite, request, arrays, time_limit_s=time_limit_s, runtime="TFLM"
    )
    values = answer.values
    if values["said"] is not None:
        raise refusal(values["said"], quantization_name(tflite))
    if not values["fits"]:
        raise UnsupportedError(
            f"this file does not run in an arena of {arena_bytes:,} bytes: the smallest that works "
            f"has {values['smallest']:,}"
        )
    arena = Arena(
        total_bytes=values["total"],
        head_bytes=values["head"],
        tail_bytes=values["tail"],
        smallest_bytes=values["smallest"],
        persistent=tuple(
            PersistentPart(kind=kind, used_bytes=used) for kind, used in values["parts"]
        ),
    )
    outputs = tuple(answer.arrays[str(index)] for index in range(len(answer.arrays)))
    return MicroRun(tflm=values["tflm"], arena=arena, outputs=outputs)


def example_inputs(tflite: bytes, examples: int, seed: int) -> dict[str, Array]:
    """Made-up inputs for the main subgraph.

    Args:
        tflite: the file's content.
        examples: how many.
        seed: of the random numbers.

    Returns:
        By name, in order (examples, *the tensor's shape), of the tensor's own type.

    Raises:
        UnsupportedError: TFLM cannot run the file, or no values can be generated for an input.
    """
    model = read_model(tflite)
    check_supported(model)
    ends = main_inputs(model)
    return made_up({end.name: (end.dtype, (examples, *end.shape)) for end in ends}, seed)


def micro_operators(model: Any) -> tuple[MicroOperator, ...]:
    """The operators of a file that TFLM can run, the most frequent first.

    Args:
        model: what `read_model` returned, after `check_supported`.
    """
    counted = sorted(used_operators(model).items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(
        MicroOperator(name=name, count=count, method=str(resolver_method(name)))
        for name, count in counted
    )


def _agreements(
    tflite: bytes, model: Any, inputs: Mapping[str, Array], run: MicroRun, config: MicroProfile
) -> tuple[MicroAgreement, ...]:
    """TFLM's outputs beside LiteRT's on the same inputs; none where LiteRT cannot run the file."""
    if tflm_operators(model):
        return ()
    answers = run_file(
        tflite,
        inputs,
        signature=main_signature(model),
        stream=True,
        time_limit_s=config.time_limit_s,
    ).outputs
    return tuple(
        _agreement(end, values, answers[end.name])
        for end, values in zip(main_outputs(model), run.outputs, strict=True)
        if end.name in answers
    )


def _agreement(end: Endpoint, values: Array, reference: Array) -> MicroAgreement:
    """One output on both runtimes."""
    reals = dequantized(values, end).reshape(reference.shape)
    classes = predicted_classes(reference), predicted_classes(reals)
    worst = largest_difference(reference, reals)
    return MicroAgreement(
        output=end.name,
        dtype=end.dtype,
        max_abs_difference=worst,
        max_steps=worst / end.scale if end.scale else None,
        mean_abs_difference=mean_difference(reference, reals),
        sqnr_db=sqnr_db(reference, reals),
        cosine=cosine(reference, reals),
        agreement=(
            None
            if classes[0] is None or classes[1] is None
            else float(np.mean(classes[0] == classes[1]))
        ),
        varies=bool(np.any(reference != reference[:1])),
    )
