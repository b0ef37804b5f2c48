"""Estimates what a file takes on an Ethos-U NPU, with the compiler Vela."""

import hashlib
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.files.tflite_file import read_tflite
from tflite_squeeze.microcontrollers.ethos_u_compiler import NOT_INSTALLED
from tflite_squeeze.microcontrollers.ethos_u_record import CpuOperator, EthosUProfile, EthosURecord
from tflite_squeeze.microcontrollers.remedies import (
    AS_DENSE_INT8,
    AS_EIGHT_BITS,
    AS_INT8,
    few_bit_places,
    operator_places,
    places_text,
)
from tflite_squeeze.runtime.machine import exceeded
from tflite_squeeze.runtime.process import run_in_child
from tflite_squeeze.tflite.fields import integers, operator_name, text
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model

_NPU = "ethos-u"
_KIB = 1024
_TYPE_CHANGES = ("QUANTIZE", "DEQUANTIZE", "CAST", "DENSIFY")


def profile_ethos_u(
    tflite: bytes | Path | str, config: EthosUProfile | None = None
) -> EthosURecord:
    """Compiles a file for an Ethos-U NPU, in a child process, and reads the estimates.

    Args:
        tflite: the file's path, or its content.
        config: which NPU, and budgets; None for the defaults.

    Returns:
        The compiler's estimates.

    Raises:
        InputError: the file cannot be read, or is no .tflite file.
        UnsupportedError: the NPU can run none of its operators, or Vela is not installed.
        RuntimeFailure: Vela does not compile it, crashed on it, or took too long.

    Example:
        >>> profile_ethos_u("lenet_5.tflite").cycles
        437671
    """
    config = config or EthosUProfile()
    content = tflite if isinstance(tflite, bytes) else read_tflite(tflite)
    model = read_model(content)
    _check_dense(model, config)
    _check_weight_bits(model, config)
    answer = run_in_child(
        "ethos_u",
        content,
        {"accelerator": config.accelerator},
        time_limit_s=config.time_limit_s,
        runtime="Vela",
    )
    compiled = answer.arrays["compiled"].tobytes()
    stays = _cpu_operators(compiled, answer.values["reasons"])
    operators = sum(len(names) for names in operator_names(content))
    _check_anything_runs(compiled, stays, config)
    figures = _figures(answer.values["summary"])
    ram_bytes = figures["sram_bytes"] + figures["dram_bytes"]
    return EthosURecord(
        file=None if isinstance(tflite, bytes) else Path(tflite).name,
        sha256=hashlib.sha256(content).hexdigest(),
        config=config,
        vela=answer.values["vela"],
        source_bytes=len(content),
        compiled_bytes=len(compiled),
        operators=operators,
        cpu_operators=stays,
        over_budget=exceeded(
            (
                ("SRAM and DRAM take", ram_bytes, config.max_ram_bytes),
                ("the compiled file takes", len(compiled), config.max_flash_bytes),
            )
        ),
        **figures,
    )


def check_vela() -> None:
    """Complains where the compiler is missing, before anything is made for it.

    Raises:
        UnsupportedError: Vela is not installed.
    """
    if find_spec("ethosu") is None:
        raise UnsupportedError(NOT_INSTALLED)


def _check_dense(model: Any, config: EthosUProfile) -> None:
    """Refuses sparse weights: the NPU's compiler has an encoding of its own, and none for these."""
    sparse = operator_places(model, lambda _graph, _operator, name: name == "DENSIFY")
    if sparse:
        raise UnsupportedError(
            f"{config.accelerator} takes dense weights, and compresses zeros itself; this file "
            f"unpacks sparse ones with {places_text(sparse)}: convert the model again with dense "
            f"weights ({AS_DENSE_INT8})"
        )


def _check_weight_bits(model: Any, config: EthosUProfile) -> None:
    """Refuses weights of 4 and 2 bits, on which Vela crashes."""
    few = few_bit_places(model, lambda _graph, _operator, _name: True)
    if few:
        raise UnsupportedError(
            f"Vela, the compiler for {config.accelerator}, takes weights of 8 bits, and this file "
            f"has weights of 4 or 2 bits in {places_text(few)}: convert the model again with 8 "
            f"({AS_EIGHT_BITS})"
        )


def _figures(summary: dict[str, str]) -> dict[str, Any]:
    """Vela's figures in this project's names and units; it states memories in KiB."""

    def size(name: str) -> int:
        return round(float(summary[name]) * _KIB)

    def moved(*memories: str) -> int:
        return round(sum(float(summary[f"{name}_total_bytes"]) for name in memories))

    return {
        "system_config": summary["system_config"],
        "memory_mode": summary["memory_mode"],
        "clock_hz": float(summary["core_clock"]),
        "sram_bytes": size("sram_memory_used"),
        "dram_bytes": size("dram_memory_used"),
        "on_chip_flash_bytes": size("on_chip_flash_memory_used"),
        "off_chip_flash_bytes": size("off_chip_flash_memory_used"),
        "weights_bytes": round(float(summary["total_original_weights"])),
        "encoded_weights_bytes": round(float(summary["total_npu_encoded_weights"])),
        "macs": round(float(summary["nn_macs"])),
        "npu_cycles": round(float(summary["cycles_npu"])),
        "cycles": round(float(summary["cycles_total"])),
        "inferences_per_second": float(summary["inferences_per_second"]),
        "on_chip_traffic_bytes": moved("sram", "on_chip_flash"),
        "off_chip_traffic_bytes": moved("dram", "off_chip_flash"),
    }


def _cpu_operators(compiled: bytes, reasons: list[list[str]]) -> tuple[CpuOperator, ...]:
    """What the compiled file still holds beside the NPU's own operator.

    Vela names an operator with an activation by the activation; the output's name identifies it.
    """
    by_output = {output: reason for _, output, reason in reversed(reasons)}
    by_name = {name: reason for name, _, reason in reversed(reasons)}
    model = read_model(compiled)
    counted: Counter[str] = Counter()
    first: dict[str, str] = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            name = operator_name(model, operator)
            outputs = [text(graph.tensors[at].name) for at in integers(operator.outputs)]
            told = [by_output[output] for output in outputs if output in by_output]
            counted[name] += 1
            first.setdefault(name, told[0] if told else by_name.get(name, ""))
    return tuple(
        CpuOperator(name=name, count=count, reason=first[name])
        for name, count in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        if name != _NPU
    )


def _check_anything_runs(
    compiled: bytes, stays: tuple[CpuOperator, ...], config: EthosUProfile
) -> None:
    """Refuses a file of which no operator runs on the NPU."""
    if any(_NPU in names for names in operator_names(compiled)):
        return
    # What only changes the type says nothing about why the operators around it stay.
    told = sorted(
        (item for item in stays if item.reason), key=lambda item: item.name in _TYPE_CHANGES
    )
    why = f" ({told[0].name}: {told[0].reason})" if told else ""
    raise UnsupportedError(
        f"{config.accelerator} can run no operator of this file{why}: convert the model again as "
        f"int8 ({AS_INT8})"
    )
