"""A report with numbers that are easy to follow."""

from typing import Any

from tests.tiny_models import LIBRARIES, dense
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.record import ConvertRecord, Source
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.recipes.claims_in_file import ClaimCheck
from tflite_squeeze.recipes.report import (
    Baseline,
    Claimed,
    Latency,
    LimitCheck,
    Outcome,
    Report,
    StepReport,
)
from tflite_squeeze.runtime.machine import this_machine
from tflite_squeeze.tflite.footprint import Footprint, TensorBytes
from tflite_squeeze.tflite.size import size_ledger

SOURCE = Source(name="net", kind="keras", sha256="0" * 64)
TENSOR = TensorBytes(
    tensor="a$b_" * 20, dtype="int8", bytes=40, parameters=40, zeros=9, sparse=True
)
LIMIT = LimitCheck(limit="raw_bytes", bound=900, found=1000, passed=False)
CLAIM = ClaimCheck(weight="w", kind="zeros", claimed="9 or more", found="8", passed=False)


def cost(scale: int) -> Footprint:
    return Footprint(raw_bytes=1000 * scale, download_bytes=900 * scale, parameters=250,
                     nonzeros=25 * scale, distinct=7 * scale, macs=100 * scale)  # fmt: skip


def step_report(number: int, **values: Any) -> StepReport:
    sound: dict[str, Any] = {
        "number": number, "technique": "prune", "status": "done",
        "settings": {"prune": {"sparsity": 0.75}, "on_refusal": "skip"},
        "metric": "accuracy", "before": 0.9, "after": 0.895, "file": cost(2), "seconds": 1.5,
        "claims": {"w": Claimed(zeros=9)}, "record": {"loss": ["Infinity"]},
    }  # fmt: skip
    return StepReport(**{**sound, **values})


def outcome_of(**values: Any) -> Outcome:
    tflite = convert(dense(LIBRARIES["keras"]), verification=None).tflite
    conversion = ConvertRecord(
        source=SOURCE, config=Convert(), sha256="1", size=size_ledger(tflite), operators={},
        convert_seconds=1.0,
    )  # fmt: skip
    sound: dict[str, Any] = {
        "file": cost(1), "conversion": conversion, "comparison": None, "tensors": (TENSOR,) * 30,
        "latency": Latency(plain_us=30, start_us=20, result_us=10, over_plain=0.25,
                           over_start=0.5),
        "limits": (), "claims": (CLAIM.model_copy(update={"passed": True}),),
    }  # fmt: skip
    return Outcome(**{**sound, **values})


def report_of(**values: Any) -> Report:
    sound: dict[str, Any] = {
        "recipe": {"name": "r", "steps": [{}, {}]},
        "model": SOURCE,
        "data": {"source": "set"},
        "machine": this_machine(),
        "packages": {"numpy": "1.26", "absent": None},
        "baseline": Baseline(
            metric="accuracy", quality=0.9, plain=cost(10), start=cost(4), tensors=(TENSOR,)
        ),
        "steps": (
            step_report(1),
            step_report(2, status="skipped", reasons=("too lossy",), after=0.5),
        ),
        "outcome": outcome_of(),
        "seconds": 12.0,
    }
    return Report(**{**sound, **values})
