"""A .tflite file as C and C++ for TensorFlow Lite for Microcontrollers (TFLM)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_squeeze.files.tflite_file import read_tflite
from tflite_squeeze.microcontrollers.export.config import ExportMicro
from tflite_squeeze.microcontrollers.export.golden import (
    MicroGolden,
    check_golden,
    golden_cases,
)
from tflite_squeeze.microcontrollers.export.project import MicroProject
from tflite_squeeze.microcontrollers.export.record import MicroExportRecord
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
        UnsupportedError: TFLM cannot run it, or not in the requested arena; the message
            names the operator and what to do.
        RuntimeFailure: TFLM crashed on it, or took too long.

    Example:
        >>> sorted(export_micro("lenet_5.tflite").files)[:2]
        ['README.md', 'main.c']
    """
    config = config or ExportMicro()
    content = tflite if isinstance(tflite, bytes) else read_tflite(tflite)
    model = read_model(content)
    check_supported(model)
    inputs, outputs = c_tensors(model)
    feeds = list(example_inputs(content, golden_cases([*inputs, *outputs]), config.seed).values())
    run = run_micro(
        content, feeds, arena_bytes=config.arena_bytes, time_limit_s=config.time_limit_s
    )
    golden = MicroGolden(inputs=feeds, outputs=run.outputs)
    check_golden(golden)
    project = MicroProject(
        name=config.name,
        tflite=content,
        arena_bytes=config.arena_bytes or with_margin(run.arena.smallest_bytes),
        used_bytes=run.arena.smallest_bytes,
        tflm=run.tflm,
        inputs=inputs,
        outputs=outputs,
        operators=micro_operators(model),
        resources=_resources(model),
        stateful=keeps_state(model),
        arduino=config.arduino,
        golden=golden,
    )
    files = project.files()
    file = None if isinstance(tflite, bytes) else Path(tflite).name
    return MicroExport(files=files, record=_record(file, project, run, files, config))


def with_margin(arena_bytes: int) -> int:
    """The arena to declare where so much works: 2 % more, on a multiple of 16.

    Example:
        >>> with_margin(1000)
        1024
    """
    roomy = round(arena_bytes * (1 + _MARGIN))
    return -(-roomy // _ALIGNMENT) * _ALIGNMENT


def _record(
    file: str | None,
    project: MicroProject,
    run: MicroRun,
    files: dict[str, bytes],
    config: ExportMicro,
) -> MicroExportRecord:
    golden = project.golden
    return MicroExportRecord(
        file=file,
        sha256=project.sha256,
        config=config,
        tflm=run.tflm,
        arena_bytes=project.arena_bytes,
        arena=run.arena,
        flash_bytes=len(project.tflite),
        operators=tuple(project.operators),
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
