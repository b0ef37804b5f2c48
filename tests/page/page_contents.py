"""A page with every part, and names that would break out of one that is not careful."""

from typing import Any

from tflite_squeeze.page.contents import (
    Contents,
    Front,
    Measure,
    Operator,
    Operators,
    Point,
    Refusal,
    Step,
    Steps,
    Tensor,
    Verdict,
)
from tflite_squeeze.tables.table import Table

EVIL = "</script><script>window.broken = true</script><img src=x onerror='window.broken = true'>"
LONG = "model/" + "block_with_a_long_name_" * 8 + "conv"
TABLE = Table(title=f"Table {EVIL}", columns=("file", "bytes", "share"),
              rows=((EVIL, 12_345, 0.25),), notes=(EVIL,), bar="share")  # fmt: skip


def whole(points: int = 6) -> Contents:
    """A page with every part.

    Args:
        points: how many the front has.
    """
    measured = tuple(
        Point(name=f"{at} {EVIL}", x=20_000 + 7_000 * at, y=0.8 + 0.02 * at,
              kind=("result", "tried", "rejected", "given")[min(at, 3)], recipe=f"prune: {EVIL}",
              details=(("file", f"{at:,} bytes"), (EVIL, EVIL)))
        for at in range(points)
    )  # fmt: skip
    return Contents(
        title=f"small {EVIL}",
        about=f"on a machine {EVIL}",
        verdict=Verdict(passed=False, lines=(f"limit: {EVIL}",)),
        summary=TABLE,
        front=Front(
            x=Measure(label="download", unit="bytes"),
            y=Measure(label="accuracy", unit="share", better="more"),
            points=measured,
            note=EVIL,
        ),
        steps=Steps(
            quality=Measure(label="accuracy", unit="share", better="more"),
            steps=(
                Step(name="float32", quality=0.91, raw_bytes=90_000, download_bytes=80_000),
                Step(name=EVIL, quality=0.9, raw_bytes=30_000, download_bytes=20_000, kept=False),
            ),
            table=TABLE,
        ),
        tensors=(
            Tensor(name=EVIL, before=4000, after=1000, stored_before="float32", stored_after=EVIL),
            Tensor(name=LONG, before=400, after=None, stored_before="float32"),
        ),
        operators=Operators(
            operators=(
                Operator(name=EVIL, kernel="XNNPACK", us=30.0, share=0.75),
                Operator(name="SOFTMAX", kernel=EVIL, us=10.0, share=0.25),
            ),
            table=TABLE,
        ),
        refusals=(Refusal(what=EVIL, reason=EVIL),),
        checks=(TABLE,),
        tables=(TABLE,),
        recipe=EVIL,
        machine=(("processor", EVIL),),
        data=(("source", EVIL),),
        versions=(("numpy", EVIL),),
        commands=(f"tflite-squeeze squeeze '{EVIL}' -o {LONG}",),
    )


def values_of(spec: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The data of a chart, a record for each mark."""
    assert spec is not None
    values: list[dict[str, Any]] = spec["data"]["values"]
    return values
