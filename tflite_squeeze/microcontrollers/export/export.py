"""A .tflite file as C and C++ for TensorFlow Lite for Microcontrollers (TFLM)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_squeeze.files.files import read_file
from tflite_squeeze.microcontrollers.export.config import ExportMicro
from tflite_squeeze.microcontrollers.export.golden import (
    MicroGolden,
    check_golden,
    golden_cases,
    golden_header,
    golden_source,
)
from tflite_squeeze.microcontrollers.export.header import data_header, data_source, header
from tflite_squeeze.microcontrollers.export.micro_example import example
from tflite_squeeze.microcontrollers.export.plan import MicroPlan
from tflite_squeeze.microcontrollers.export.readme import readme
from tflite_squeeze.microcontrollers.export.record import MicroExportRecord
from tflite_squeeze.microcontrollers.export.source import source
from tflite_squeeze.microcontrollers.export.tensors import c_tensors
from tflite_squeeze.microcontrollers.graph import check_supported, keeps_state
from tflite_squeeze.microcontrollers.profile import (
    MicroRun,
    example_inputs,
    micro_operators,
    run_micro,
)
from tflite_squeeze.tflite.fields import operator_name, text
from tflite_squeeze.tflite.flatbuffer import read_model

# Versions of TFLM differ a little in what they need.
_MARGIN = 0.02
_ALIGNMENT = 16


@dataclass(frozen=True, kw_only=True)
class MicroExport:
    """What an application on a microcontroller needs.

    Attributes:
        files: content by path below the folder that they go to.
        record: what was measured and written.
    """

    files: dict[str, bytes]
    record: MicroExportRecord

    def _repr_html_(self) -> str:
        return self.record._repr_html_()


def export_micro(tflite: bytes | Path | str, config: ExportMicro | None = None) -> MicroExport:
    """Writes a file as C and C++, after running it on TFLM's interpreter.

    Args:
        tflite: the file's path, or its content.
        config: names, arena and layout; None for the defaults.

    Returns:
        The files: the model as an aligned array, a header with the arena's size, shapes, scales
        and zero points, `init_`, `run_` and `reset_` functions with a resolver of exactly the
        operators that it uses, golden vectors with a self-test, an example and a README.

    Raises:
        InputError: the file cannot be read, or is no .tflite file.
        UnsupportedError: TFLM cannot run it, or not in the arena that was asked for; the message
            names the operator and what to do.
        RuntimeFailure: TFLM crashed on it, or took too long.

    Example:
        >>> sorted(export_micro("lenet_5.tflite").files)[:2]
        ['README.md', 'main.c']
    """
    config = config or ExportMicro()
    content = tflite if isinstance(tflite, bytes) else read_file(Path(tflite), "file")
    model = read_model(content)
    check_supported(model)
    inputs, outputs = c_tensors(model)
    feeds = list(example_inputs(content, golden_cases([*inputs, *outputs]), config.seed).values())
    run = run_micro(
        content, feeds, arena_bytes=config.arena_bytes, time_limit_s=config.time_limit_s
    )
    golden = MicroGolden(inputs=feeds, outputs=run.outputs)
    check_golden(golden)
    plan = MicroPlan(
        name=config.name,
        sha256=hashlib.sha256(content).hexdigest(),
        flash_bytes=len(content),
        arena_bytes=config.arena_bytes or with_margin(run.arena.smallest_bytes),
        used_bytes=run.arena.smallest_bytes,
        tflm=run.tflm,
        inputs=inputs,
        outputs=outputs,
        operators=micro_operators(model),
        resources=_resources(model),
        stateful=keeps_state(model),
        arduino=config.arduino,
    )
    files = _files(plan, golden, content)
    record = _record(plan, golden, run, files, config)
    file = None if isinstance(tflite, bytes) else Path(tflite).name
    return MicroExport(files=files, record=record.model_copy(update={"file": file}))


def with_margin(arena_bytes: int) -> int:
    """The arena to declare where so much works: 2 % more, on a multiple of 16.

    Example:
        >>> with_margin(1000)
        1024
    """
    roomy = round(arena_bytes * (1 + _MARGIN))
    return -(-roomy // _ALIGNMENT) * _ALIGNMENT


def _files(plan: MicroPlan, golden: MicroGolden, tflite: bytes) -> dict[str, bytes]:
    """All files; a sketch is a folder that has its own name."""
    name, folder = plan.name, f"{plan.name}/" if plan.arduino else ""
    texts = {
        f"{name}.h": header(plan),
        f"{name}.{plan.cpp}": source(plan),
        f"{name}_data.h": data_header(plan),
        f"{name}_data.c": data_source(plan, tflite),
        f"{name}_golden.h": golden_header(plan, golden),
        f"{name}_golden.c": golden_source(plan, golden),
        f"{name}.ino" if plan.arduino else "main.c": example(plan),
        "README.md": readme(plan, golden),
    }
    return {f"{folder}{path}": text.encode() for path, text in texts.items()}


def _record(
    plan: MicroPlan,
    golden: MicroGolden,
    run: MicroRun,
    files: dict[str, bytes],
    config: ExportMicro,
) -> MicroExportRecord:
    return MicroExportRecord(
        file=None,
        sha256=plan.sha256,
        config=config,
        tflm=plan.tflm,
        arena_bytes=plan.arena_bytes,
        arena=run.arena,
        flash_bytes=plan.flash_bytes,
        operators=tuple(plan.operators),
        golden_cases=golden.cases,
        golden_bytes=golden.n_bytes,
        golden_tells=golden.tells,
        files={path: len(data) for path, data in files.items()},
    )


def _resources(model: Any) -> int:
    """How many variables a file keeps by name."""
    return len(
        {
            text(operator.builtinOptions.sharedName)
            for graph in model.subgraphs
            for operator in graph.operators
            if operator_name(model, operator) == "VAR_HANDLE"
        }
    )
