"""Options and record of an estimate for an Ethos-U NPU."""

from typing import Literal, get_args

from pydantic import Field

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tables.displayed import Displayed

# The last number is how many multiply-accumulates it does in a cycle.
EthosU = Literal[
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256",
    "ethos-u65-256", "ethos-u65-512",
    "ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048",
]  # fmt: skip


_PJ_OF_A_MAC, _PJ_OF_A_BYTE_ON_CHIP, _PJ_OF_A_BYTE_OFF_CHIP = 0.3, 100 / 8, 1300 / 8

ETHOS_U: tuple[str, ...] = get_args(EthosU)


class EthosUProfile(Frozen):
    """The NPU to estimate for, and the budgets of a file.

    Example:
        >>> EthosUProfile(accelerator="ethos-u55-128", max_ram_bytes=256 * 1024)
    """

    accelerator: EthosU = Field(
        default="ethos-u55-128",
        description="Configuration of the NPU, by Vela's name; the last number is its "
        "multiply-accumulates per cycle.",
    )
    max_ram_bytes: int | None = Field(
        default=None,
        ge=1,
        description="RAM budget (SRAM and DRAM), in bytes; no limit by default.",
    )
    max_flash_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Flash budget (compiled file), in bytes; no limit by default.",
    )
    time_limit_s: float = Field(
        default=600.0,
        gt=0,
        allow_inf_nan=False,
        description="Time limit of the compiler, in seconds.",
    )


class CpuOperator(Frozen):
    """Operators of a kind that stay on the processor beside the NPU.

    Attributes:
        name: the operator's name.
        count: how many there are.
        reason: the compiler's own reason, of the first one; empty where it gives none.
    """

    name: str
    count: int
    reason: str


class EthosURecord(Displayed):
    """What the compiler Vela estimates; nothing here was measured on a device.

    Attributes:
        file: the file's name; None for bytes.
        sha256: of its content.
        config: the options.
        vela: version of the compiler.
        system_config: the compiler's assumptions about the memories, by its own name.
        memory_mode: the compiler's placement of data in memory, by its own name.
        clock_hz: the NPU's clock that times refer to.
        sram_bytes: on-chip memory for activations.
        dram_bytes: external memory.
        on_chip_flash_bytes: weights and commands in flash on the chip.
        off_chip_flash_bytes: weights and commands in external flash.
        source_bytes: the file as it was given; compiled_bytes: the file to flash instead.
        weights_bytes: weights of the operators that the NPU runs, as they were.
        encoded_weights_bytes: the same in the NPU's compressed encoding.
        macs: multiply-accumulates of a run on the NPU.
        npu_cycles: cycles of the NPU's own work.
        cycles: cycles of a run, waiting for memory included.
        inferences_per_second: at the stated clock, without the operators on the CPU.
        on_chip_traffic_bytes: what a run reads and writes in memory on the chip.
        off_chip_traffic_bytes: the same in DRAM and external flash.
        operators: how many operators the file has.
        cpu_operators: those that the NPU does not run.
        over_budget: budgets that it exceeds, one line each.
    """

    tables_by = ".ethos_u_tables:ethos_u_tables"

    file: str | None
    sha256: str
    config: EthosUProfile
    vela: str
    system_config: str
    memory_mode: str
    clock_hz: float
    sram_bytes: int
    dram_bytes: int
    on_chip_flash_bytes: int
    off_chip_flash_bytes: int
    source_bytes: int
    compiled_bytes: int
    weights_bytes: int
    encoded_weights_bytes: int
    macs: int
    npu_cycles: int
    cycles: int
    inferences_per_second: float
    on_chip_traffic_bytes: int
    off_chip_traffic_bytes: int
    operators: int
    cpu_operators: tuple[CpuOperator, ...]
    over_budget: tuple[str, ...]

    @property
    def microseconds(self) -> float:
        """Of a run, at the stated clock."""
        return 1e6 / self.inferences_per_second

    @property
    def energy_nj(self) -> float:
        """What a run's arithmetic and memory accesses would take in a process of 45 nm, in nJ.

        A proxy, by which files can be compared: no chip was measured.

        Reference: Horowitz 2014, "Computing's energy problem", ISSCC 2014, figure 1.1.9: 0.2 pJ
        for 8 bits times 8 bits, 0.1 pJ for a sum of 32 bits, 100 pJ for 8 bytes from 1 MB of SRAM,
        1.3 nJ for 8 bytes from DRAM.
        """
        arithmetic = self.macs * _PJ_OF_A_MAC
        memory = (
            self.on_chip_traffic_bytes * _PJ_OF_A_BYTE_ON_CHIP
            + self.off_chip_traffic_bytes * _PJ_OF_A_BYTE_OFF_CHIP
        )
        return (arithmetic + memory) / 1000

    @property
    def passed(self) -> bool:
        """Whether it is within its budgets."""
        return not self.over_budget
