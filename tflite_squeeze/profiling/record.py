"""Options and record of `profile`."""

from typing import Literal

from pydantic import Field

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.runtime.inputs import InputUsed
from tflite_squeeze.runtime.machine import Machine
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.tflite.size import SizeLedger


class Profile(Frozen):
    """How to measure a file.

    Example:
        >>> Profile(runs=200, threads=4)
    """

    runs: int = Field(default=50, ge=1, description="Minimum number of timed runs.")
    min_seconds: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="Minimum total duration of the timed runs, in seconds.",
    )
    warmup_seconds: float = Field(
        default=0.5,
        ge=0,
        allow_inf_nan=False,
        description="Duration of the warm-up, which is not timed, in seconds.",
    )
    threads: int = Field(default=1, ge=1, description="Threads of the kernels.")
    signature: str | None = Field(
        default=None, description="Name of the signature to run; the first by default."
    )
    seed: int = Field(default=0, ge=0, description="Seed of the made-up inputs.")
    time_limit_s: float = Field(
        default=600.0,
        gt=0,
        allow_inf_nan=False,
        description="Time limit of each measurement, in seconds.",
    )
    runtime: Literal["auto", "litert", "larq"] = Field(
        default="auto",
        description='What runs the file: "litert", "larq", or "auto" for the one that the file '
        "is made for.",
    )
    indirect_bgemm: bool = Field(
        default=True, description="Whether Larq's binary convolutions use the indirect kernels."
    )


class LatencyStats(Frozen):
    """Times of the bare invoke, in microseconds.

    Attributes:
        median_us: half of the runs were faster.
        p90_us: nine in ten runs were faster.
        p99_us: 99 in 100 runs were faster.
        min_us: the fastest run.
        mean_us: their mean.
        std_us: their standard deviation.
        runs: how many were timed.
        warmup_runs: how many ran before them, without the first.
        init_us: loading and preparing the file, up to the first run.
        first_us: the first run.
    """

    median_us: float
    p90_us: float
    p99_us: float
    min_us: float
    mean_us: float
    std_us: float
    runs: int
    warmup_runs: int
    init_us: float
    first_us: float


class OperatorTime(Frozen):
    """The time of one operator, or of one kernel of a delegate, in a run.

    Attributes:
        name: the operator's name, or the kernel's own name in XNNPACK.
        subgraph: the subgraph that it runs in.
        index: of the operator in its subgraph, or of the kernel in its part of the delegate.
        delegated: whether a delegate (XNNPACK) runs it.
        mean_us: microseconds per call.
        calls: calls per run.
        us_per_run: microseconds per run; an operator that runs other subgraphs without theirs.
        share: of a run, or of the sum over all operators where that is more.
    """

    name: str
    subgraph: int
    index: int
    delegated: bool
    mean_us: float
    calls: float
    us_per_run: float
    share: float


class OperatorTimes(Frozen):
    """Times of all operators, or why there are none.

    Attributes:
        operators: in order of execution.
        runs: how many runs they are the means of: the fastest three quarters.
        invoke_us: the mean time of these whole runs without the profiler.
        sum_us: what the operators add up to.
        unavailable: why there are none; None when there are.
        by_difference: whether they are differences between runs of ever more operators,
            for a runtime without a profiler.
    """

    operators: tuple[OperatorTime, ...] = ()
    runs: int = 0
    invoke_us: float = 0.0
    sum_us: float = 0.0
    unavailable: str | None = None
    by_difference: bool = False

    @property
    def unseen_us(self) -> float:
        """The time of a run that no operator accounts for."""
        return max(0.0, self.invoke_us - self.sum_us)

    @property
    def coverage(self) -> float | None:
        """The sum over operators as a fraction of the whole run."""
        return self.sum_us / self.invoke_us if self.invoke_us else None


class Memory(Frozen):
    """Memory, in bytes.

    Attributes:
        arena_bytes: what the interpreter's own tensors cover while XNNPACK runs what it can; None
            in a runtime that does not report it.
        builtin_arena_bytes: the same when the built-in kernels run everything, which is about
            what a runtime without delegate plans; None when they cannot run the file.
        builtin_unavailable: why they cannot.
        process_peak_bytes: peak of the process that loads and runs the file, Python included.
        process_growth_bytes: by how much loading and running the file raised that peak.
    """

    arena_bytes: int | None
    builtin_arena_bytes: int | None
    builtin_unavailable: str | None = None
    process_peak_bytes: int
    process_growth_bytes: int


class ProfileRecord(Displayed):
    """Everything that was measured on one file.

    Attributes:
        file: the file's name; None for bytes.
        sha256: of its content.
        config: the options.
        signature: the signature that ran; None in a file without any.
        inputs: what it ran on: real values in [-1, 1), integers of up to 16 bits over their whole
            range, wider ones 0 or 1.
        latency: times of whole runs.
        operators: times of operators.
        memory: memory.
        size: where the bytes are.
        machine: what it was measured on.
        runtime: which runtime ran it.
        notes: further notes about the figures.
    """

    tables_by = ".tables:profile_tables"
    pictures_by = {"time of each operator": ".plots:operator_plot"}

    file: str | None
    sha256: str
    config: Profile
    signature: str | None
    inputs: tuple[InputUsed, ...]
    latency: LatencyStats
    operators: OperatorTimes
    memory: Memory
    size: SizeLedger
    machine: Machine
    runtime: Literal["litert", "larq"] = "litert"
    notes: tuple[str, ...] = ()
