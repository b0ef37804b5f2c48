"""Options and record of a comparison of files."""

from pydantic import Field

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.runtime.kinds import LITERT
from tflite_squeeze.runtime.machine import Machine
from tflite_squeeze.tables.displayed import Displayed

LARQ, MICRO = "larq", "micro"


class Compare(Frozen):
    """How to compare files.

    Example:
        >>> Compare(fail_if=("accuracy_drop > 0.005 or latency_ratio > 1.0",))
    """

    runtimes: tuple[str, ...] = Field(
        default=(LITERT,),
        min_length=1,
        description="What runs the files: litert or larq on this machine, micro (TFLM), or a "
        "configuration of Ethos-U, whose compiler estimates. Beside litert an .onnx file runs in "
        "ONNX Runtime, a .pte file in ExecuTorch.",
    )
    fail_if: tuple[str, ...] = Field(
        default=(),
        description="Conditions on the figures of each file after the first, such as "
        "accuracy_drop > 0.005 or latency_ratio > 1.0; a file fails when one holds.",
    )
    samples: int | None = Field(
        default=None, ge=1, description="Number of labelled samples to run; all by default."
    )
    threads: int = Field(default=1, ge=1, description="Threads of the kernels on this machine.")
    turns: int = Field(default=20, ge=1, description="Number of turns in which each file is timed.")
    time_limit_s: float = Field(
        default=600.0,
        gt=0,
        allow_inf_nan=False,
        description="Time limit of each measurement, in seconds.",
    )


class Ratio(Frozen):
    """A file's time over the first file's, in turns with it.

    Attributes:
        value: the median over turns.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


class ClassAccuracy(Frozen):
    """The examples of one class.

    Attributes:
        name: the class's name, or its number.
        examples: how many there are.
        first: the first file's accuracy on them.
        file: this file's accuracy on them.
        p_value: how likely chance alone is to make so much of a difference (McNemar, exact).
    """

    name: str
    examples: int
    first: float
    file: float
    p_value: float

    @property
    def drop(self) -> float:
        """The loss of accuracy; negative for a gain."""
        return self.first - self.file


class FileAccuracy(Frozen):
    """How a file classifies labelled examples, beside the first file.

    Attributes:
        output: the output that was judged.
        examples: how many there were.
        accuracy: the file's accuracy.
        drop: the first file's accuracy minus this one's.
        low: lower end of the drop's 95 % interval (paired).
        high: upper end.
        p_value: how likely chance alone is to make so much of a difference (McNemar, exact).
        agreement: share of examples that both files assign to the same class.
        classes: class by class.
    """

    output: str
    examples: int
    accuracy: float
    drop: float
    low: float
    high: float
    p_value: float
    agreement: float
    classes: tuple[ClassAccuracy, ...]

    @property
    def worst_class(self) -> ClassAccuracy:
        """The class that loses most."""
        return max(self.classes, key=lambda one: one.drop)


class Figures(Frozen):
    """What a file takes on one runtime.

    Attributes:
        runtime: the runtime.
        arena_bytes: working memory: of LiteRT's built-in kernels, of TFLM, or SRAM and DRAM.
        flash_bytes: flash that it takes there; None on this machine.
        latency_us: time of a run: the median on this machine, the compiler's estimate for an NPU.
        latency_ratio: that time over the first file's; without an interval where it is estimated.
        call_us: median time of a call from NumPy arrays to NumPy arrays, where files of several
            runtimes are compared.
        call_ratio: that time over the first file's.
        unavailable: why the file does not run there; empty where it does.
    """

    runtime: str
    arena_bytes: int | None = None
    flash_bytes: int | None = None
    latency_us: float | None = None
    latency_ratio: Ratio | None = None
    call_us: float | None = None
    call_ratio: Ratio | None = None
    unavailable: str = ""


class FileCompared(Frozen):
    """One file.

    Attributes:
        file: its name as it was given.
        sha256: of its content.
        quantization: its quantization, determined from its tensors or operators; empty where
            these do not tell.
        raw_bytes: its size.
        download_bytes: its size after gzip -9.
        figures: per runtime.
        accuracy: how it classifies; None without labelled data or a class output.
        accuracy_unavailable: why there is none although data was given.
        failed: the conditions that hold, with their figures.
    """

    file: str
    sha256: str
    quantization: str
    raw_bytes: int
    download_bytes: int
    figures: tuple[Figures, ...]
    accuracy: FileAccuracy | None = None
    accuracy_unavailable: str = ""
    failed: tuple[str, ...] = ()


class CompareRecord(Displayed):
    """Files beside the first of them.

    Attributes:
        config: the options.
        files: in the order that they were given.
        data: where the examples come from; None without data.
        machine: what ran them.
    """

    tables_by = ".tables:compare_tables"

    config: Compare
    files: tuple[FileCompared, ...]
    data: str | None = None
    machine: Machine

    @property
    def passed(self) -> bool:
        """Whether no condition holds."""
        return not any(one.failed for one in self.files)
