"""The compiler's estimate for an Ethos-U NPU, as tables."""

from tflite_squeeze.microcontrollers.ethos_u_record import EthosURecord
from tflite_squeeze.tables.table import Cell, Table


def ethos_u_tables(record: EthosURecord) -> list[Table]:
    """Memory, cycles and operators as Vela estimates them.

    Args:
        record: what `tflite_squeeze.microcontrollers.ethos_u.profile_ethos_u` returned.

    Returns:
        The estimate, and what stays on the CPU.

    Example:
        >>> print_tables(ethos_u_tables(profile_ethos_u("lenet_5.tflite")))
    """
    return [_estimate(record), cpu_operator_table(record)]


def cpu_operator_table(record: EthosURecord) -> Table:
    """Operators that the NPU leaves to the processor beside it.

    Args:
        record: what was estimated.
    """
    rows = tuple((item.name, item.count, item.reason) for item in record.cpu_operators)
    count = sum(item.count for item in record.cpu_operators)
    return Table(
        title="Operators left on the CPU",
        columns=("operator", "count", "why"),
        rows=rows,
        notes=(
            f"{count} operators stay on the CPU, of the {record.operators} in the file; their time "
            f"is in none of these figures.",
        ),
    )


def _estimate(record: EthosURecord) -> Table:
    memories: list[tuple[Cell, ...]] = [
        ("SRAM (bytes)", record.sram_bytes),
        ("DRAM (bytes)", record.dram_bytes),
        ("flash on the chip (bytes)", record.on_chip_flash_bytes),
        ("flash off the chip (bytes)", record.off_chip_flash_bytes),
    ]
    rows: list[tuple[Cell, ...]] = [row for row in memories if row[1]]
    rows += [
        ("compiled file (bytes)", record.compiled_bytes),
        ("file (bytes)", record.source_bytes),
        ("weights (bytes)", record.weights_bytes),
        ("weights, compressed (bytes)", record.encoded_weights_bytes),
        ("multiply-accumulates", record.macs),
        ("cycles of the NPU's own work", record.npu_cycles),
        ("cycles, waiting for memory included", record.cycles),
        ("bytes moved on the chip", record.on_chip_traffic_bytes),
        ("bytes moved off the chip", record.off_chip_traffic_bytes),
        ("energy, a proxy (µJ)", round(record.energy_nj / 1000, 1)),
        (f"inferences/s at {record.clock_hz / 1e6:g} MHz", record.inferences_per_second),
    ]
    name = record.file or f"sha256 {record.sha256[:12]}"
    notes = (
        f"An estimate by the compiler (Vela {record.vela}, {record.system_config}, "
        f"{record.memory_mode}); nothing of it was measured on a device.",
        *(f"OVER BUDGET: {line}" for line in record.over_budget),
    )
    title = f"{name} on {record.config.accelerator}: the compiler's estimate"
    return Table(title=title, columns=("", "estimate"), rows=tuple(rows), notes=notes)
