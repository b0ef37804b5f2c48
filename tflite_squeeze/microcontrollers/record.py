"""Options and record of a profile on TFLM."""

from pydantic import Field

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.runtime.inputs import InputUsed
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.tflite.size import SizeLedger


class MicroProfile(Frozen):
    """How to profile a file on TFLM, and its budgets.

    Example:
        >>> MicroProfile(max_ram_bytes=256 * 1024, max_flash_bytes=1024 * 1024)
    """

    examples: int = Field(
        default=16,
        ge=1,
        description="Number of made-up inputs on which TFLM is compared with LiteRT.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the made-up inputs.")
    max_ram_bytes: int | None = Field(
        default=None, ge=1, description="RAM budget (arena), in bytes; no limit by default."
    )
    max_flash_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Flash budget (file), in bytes; no limit by default.",
    )
    time_limit_s: float = Field(
        default=600.0,
        gt=0,
        allow_inf_nan=False,
        description="Time limit of the measurement, in seconds.",
    )


class PersistentPart(Frozen):
    """The part of the arena for one purpose that lives as long as the interpreter.

    Attributes:
        kind: TFLM's own name for it.
        used_bytes: with alignment.
    """

    kind: str
    used_bytes: int


class Arena(Frozen):
    """TFLM's working memory, measured on this machine, where pointers take 8 bytes.

    Attributes:
        total_bytes: head and tail, once everything is allocated.
        head_bytes: activations and scratch buffers, which share memory where their lifetimes allow.
        tail_bytes: what stays as long as the interpreter.
        smallest_bytes: the smallest arena, in steps of 16, with which the file starts and runs:
            planning temporarily needs memory of its own.
        persistent: what the tail consists of, as far as TFLM reports it.
    """

    total_bytes: int
    head_bytes: int
    tail_bytes: int
    smallest_bytes: int
    persistent: tuple[PersistentPart, ...]


class MicroOperator(Frozen):
    """An operator that the file uses.

    Attributes:
        name: its built-in name, or the code of a custom one.
        count: how often it occurs, in all subgraphs.
        method: the method of `MicroMutableOpResolver` that registers its kernel.
    """

    name: str
    count: int
    method: str


class MicroAgreement(Frozen):
    """One output on TFLM beside the same output on LiteRT.

    Attributes:
        output: its name.
        dtype: NumPy's name of its type.
        max_abs_difference: largest absolute difference, as real values.
        max_steps: the same in steps of the output's own scale; None for an output without one.
        mean_abs_difference: mean absolute difference.
        sqnr_db: LiteRT's output as signal, the difference as noise.
        cosine: cosine similarity.
        agreement: share of examples with the same predicted class; None where it has no classes.
        varies: whether it was not the same for all examples, in which case agreement would prove
            little.
    """

    output: str
    dtype: str
    max_abs_difference: float
    max_steps: float | None
    mean_abs_difference: float
    sqnr_db: float
    cosine: float
    agreement: float | None
    varies: bool


class MicroRecord(Displayed):
    """What a file takes on a microcontroller, measured with TFLM's own interpreter.

    Attributes:
        file: the file's name; None for bytes.
        sha256: of its content.
        config: the options.
        tflm: version of TFLM.
        inputs: what it ran on.
        arena: working memory.
        flash_bytes: the file itself, which is in flash; the runtime's code is not included.
        operators: what it is made of, the most frequent first.
        stateful: whether it keeps state between runs; then the examples were one stream.
        outputs: its outputs compared with LiteRT's.
        tflm_only: TFLM's own operators, with which LiteRT cannot run the file for comparison.
        size: where the bytes are.
        over_budget: budgets that it exceeds, one line each.
    """

    tables_by = ".tables:micro_tables"

    file: str | None
    sha256: str
    config: MicroProfile
    tflm: str
    inputs: tuple[InputUsed, ...]
    arena: Arena
    flash_bytes: int
    operators: tuple[MicroOperator, ...]
    stateful: bool
    outputs: tuple[MicroAgreement, ...]
    tflm_only: tuple[str, ...] = ()
    size: SizeLedger
    over_budget: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it is within its budgets."""
        return not self.over_budget
