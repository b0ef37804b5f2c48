"""What a page can show, as plain data; every part but the title may be left out."""

import math
from dataclasses import dataclass
from typing import Literal

from tflite_squeeze.tables.table import Table

Unit = Literal["", "bytes", "share", "µs", "nJ"]
# What became of a point: the unchanged model, an attempt, one that may not be used, the result.
Kind = Literal["given", "tried", "rejected", "result"]
# What is known of something, line by line: (label, text).
Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A quantity that is drawn.

    Attributes:
        label: what it is, such as "download (gzip -9)".
        unit: how its numbers are shown; "share" is a fraction, shown in percent.
        better: which numbers are the better ones.
    """

    label: str
    unit: Unit = ""
    better: Literal["less", "more"] = "less"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A file among others.

    Attributes:
        name: what it is called.
        x: its value of the horizontal measure.
        y: its value of the vertical one.
        kind: what became of it; those that are rejected are never on the front.
        recipe: how it is made again, in short; shown while the pointer rests on it.
        details: what else is known; shown with the recipe when it is clicked.
    """

    name: str
    x: float
    y: float
    kind: Kind = "tried"
    recipe: str = ""
    details: Facts = ()

    @property
    def finite(self) -> bool:
        """Whether it has a place in a plot."""
        return math.isfinite(self.x) and math.isfinite(self.y)


@dataclass(frozen=True, kw_only=True)
class Front:
    """Files by two measures, of which one is paid for with the other.

    Attributes:
        x: the horizontal measure.
        y: the vertical one.
        points: the files.
        given: what points of kind "given" are.
        tried: what those of kind "tried" are.
        note: what to know when reading it.
    """

    x: Measure
    y: Measure
    points: tuple[Point, ...]
    given: str = "unchanged model"
    tried: str = "tried"
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """The model after one step.

    Attributes:
        name: of the step.
        quality: of the model; None where it was not measured.
        raw_bytes: size of the file; None without one.
        download_bytes: the same after gzip -9.
        kept: whether the run went on with it.
    """

    name: str
    quality: float | None = None
    raw_bytes: int | None = None
    download_bytes: int | None = None
    kept: bool = True


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps of a run, in order.

    Attributes:
        quality: what quality is measured by.
        steps: the model as it was, then after each step.
        table: the steps as a table.
    """

    quality: Measure
    steps: tuple[Step, ...]
    table: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """The bytes of a weight.

    Attributes:
        name: of the tensor.
        before: its bytes in the unchanged file; None where that has no such tensor.
        after: its bytes in the result; None where that has none.
        stored_before: in which form, such as "float32".
        stored_after: in which form, such as "int8, sparse".
    """

    name: str
    before: int | None = None
    after: int | None = None
    stored_before: str = ""
    stored_after: str = ""


@dataclass(frozen=True, kw_only=True)
class Operator:
    """The time of an operator.

    Attributes:
        name: of the operator, or of the kernel.
        kernel: what runs it, such as "XNNPACK".
        us: microseconds per run.
        share: of the run, in [0, 1].
    """

    name: str
    kernel: str
    us: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Operators:
    """The operators of a file, in order of execution.

    Attributes:
        operators: their times.
        table: the operators as a table.
    """

    operators: tuple[Operator, ...]
    table: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What was not done, and why."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether everything that was asked is met.

    Attributes:
        passed: whether it is.
        lines: the reasons, or what to know about it.
    """

    passed: bool
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a page shows, from top to bottom; what is empty is left out with its heading.

    Attributes:
        title: what the page is about.
        about: one line below the title: the model, the date, the machine.
        verdict: whether everything is met.
        summary: the figures to read first, such as the unchanged model beside the result.
        front: files by two measures.
        steps: quality and bytes by step.
        tensors: bytes of each weight before and after.
        operators: times of operators, with their kernels.
        refusals: what was not done, and why.
        checks: limits, claims, the comparison with the model.
        tables: any other tables.
        recipe: how the result is made again, as text.
        machine: what it was measured on.
        data: where the samples come from.
        versions: exact versions of packages.
        commands: what to type for the same result.
    """

    title: str
    about: str = ""
    verdict: Verdict | None = None
    summary: Table | None = None
    front: Front | None = None
    steps: Steps | None = None
    tensors: tuple[Tensor, ...] = ()
    operators: Operators | None = None
    refusals: tuple[Refusal, ...] = ()
    checks: tuple[Table, ...] = ()
    tables: tuple[Table, ...] = ()
    recipe: str = ""
    machine: Facts = ()
    data: Facts = ()
    versions: Facts = ()
    commands: tuple[str, ...] = ()
