"""A profile on TFLM, as tables."""

import math

from tflite_squeeze.microcontrollers.record import MicroAgreement, MicroRecord
from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.tflite.size_tables import size_tables


def micro_tables(record: MicroRecord) -> list[Table]:
    """Memory, operators and outputs of a file on TFLM as tables.

    Args:
        record: what `tflite_squeeze.microcontrollers.profile.profile_micro` returned.

    Returns:
        The tables, the size ledger last.

    Example:
        >>> print_tables(micro_tables(profile_micro("lenet_5.tflite")))
    """
    return [_memory(record), _outputs(record), micro_operator_table(record), *_size(record)]


def micro_operator_table(record: MicroRecord) -> Table:
    """The operators that a `MicroMutableOpResolver` must register.

    Args:
        record: what was measured.
    """
    rows = tuple((item.name, item.count, item.method) for item in record.operators)
    count = sum(item.count for item in record.operators)
    note = f"{count} operators of {len(rows)} kinds; all of them have kernels in TFLM."
    return Table(
        title="Operators", columns=("operator", "count", "registered by"), rows=rows, notes=(note,)
    )


def _memory(record: MicroRecord) -> Table:
    arena, config = record.arena, record.config
    rows: list[tuple[Cell, ...]] = [
        ("RAM", "smallest arena that works", arena.smallest_bytes, config.max_ram_bytes),
        ("RAM", "arena, once planned", arena.total_bytes, None),
        ("RAM", "head: activations and scratch", arena.head_bytes, None),
        ("RAM", "tail: persistent", arena.tail_bytes, None),
    ]
    rows += [("RAM", f"  {part.kind}", part.used_bytes, None) for part in arena.persistent]
    rows.append(("flash", "the file", record.flash_bytes, config.max_flash_bytes))
    name = record.file or f"sha256 {record.sha256[:12]}"
    if config.max_ram_bytes is None and config.max_flash_bytes is None:
        rows = [row[:3] for row in rows]
    columns = ("memory", "what", "bytes", "budget")[: len(rows[0])]
    notes = (
        f"TFLM {record.tflm}, reference kernels, on this machine with 8-byte pointers: a 32-bit "
        f"target needs less of the tail. Optimised kernels may ask for more scratch.",
        "The runtime's own code comes on top of the flash.",
        *(f"OVER BUDGET: {line}" for line in record.over_budget),
    )
    return Table(title=f"{name} on TFLM", columns=columns, rows=tuple(rows), notes=notes)


def _outputs(record: MicroRecord) -> Table:
    rows = tuple(_output(item) for item in record.outputs)
    ends = ", ".join(f"{item.name} {item.dtype} {list(item.shape)}" for item in record.inputs)
    kind = "one stream of" if record.stateful else "the same"
    notes = [f"{kind} {record.config.examples} made-up inputs: {ends or 'none'}"]
    if record.tflm_only:
        notes.append(
            f"not compared: LiteRT cannot run TFLM's own operators ({', '.join(record.tflm_only)})"
        )
    notes += [
        f"{item.output} was the same for all of them, so that equality proves little"
        for item in record.outputs
        if not item.varies
    ]
    return Table(
        title="TFLM beside LiteRT",
        columns=("output", "type", "max |Δ|", "steps", "mean |Δ|", "SQNR (dB)", "cosine", "class"),
        rows=rows,
        notes=tuple(notes),
    )


def _output(item: MicroAgreement) -> tuple[Cell, ...]:
    return (
        item.output,
        item.dtype,
        f"{item.max_abs_difference:.3g}",
        None if item.max_steps is None else f"{item.max_steps:.3g}",
        f"{item.mean_abs_difference:.3g}",
        "equal" if math.isinf(item.sqnr_db) and item.sqnr_db > 0 else f"{item.sqnr_db:.1f}",
        f"{item.cosine:.6f}",
        None if item.agreement is None else f"{item.agreement:.2%}",
    )


def _size(record: MicroRecord) -> tuple[Table, ...]:
    return size_tables(record.size)[:1]
