"""The page itself: what `Contents` holds, with its charts and the script that draws them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from tflite_squeeze.files.templates import environment
from tflite_squeeze.page.charts import (
    operators_chart,
    quality_chart,
    sizes_chart,
    tensors_chart,
)
from tflite_squeeze.page.contents import Contents, Front
from tflite_squeeze.page.front import front_chart, nondominated
from tflite_squeeze.page.vega import shown
from tflite_squeeze.tables.table import Table, text_of
from tflite_squeeze.version import __version__

MOST_BYTES = 2 * 1024 * 1024
_LONGEST_LINE = 24
# A table of more rows than this is folded; print unfolds it.
_FOLDED_FROM = 15


@dataclass(frozen=True, kw_only=True)
class _Chart:
    """A chart and where it stands.

    Attributes:
        name: of the element that it is drawn into.
        words: what it shows, for those who do not see it.
        spec: in Vega-Lite.
    """

    name: str
    words: str
    spec: dict[str, Any]


def report_page(contents: Contents) -> bytes:
    """Writes a report as one HTML file, which needs no network.

    Args:
        contents: what it shows; parts that are empty are left out with their headings.

    Returns:
        The file, in UTF-8. The script that draws the charts is in it only where there are any.

    Raises:
        ValueError: the page would be larger than 2 MB: give it fewer points or shorter tables.

    Example:
        >>> Path("report.html").write_bytes(report_page(Contents(title="int8 beside float32")))
        6437
    """
    charts = {chart.name: chart for chart in _charts(contents)}
    text = (
        environment(
            __package__,
            {"shown": shown, "cell": text_of, "side": _side, "wraps": _wraps, "bar": _bar},
            html=True,
        )
        .get_template("page.html.j2")
        .render(
            page=contents,
            charts=charts,
            front_table=_front_table(contents.front) if contents.front else None,
            script=_script() if charts else "",
            version=__version__,
            folded_from=_FOLDED_FROM,
        )
    )
    content = text.encode()
    if len(content) > MOST_BYTES:
        raise ValueError(
            f"the page {contents.title!r} would take {len(content):,} bytes, and {MOST_BYTES:,} is "
            f"the limit: give it fewer points or shorter tables"
        )
    return content


def _charts(contents: Contents) -> list[_Chart]:
    """Everything that there is something to draw of."""
    front, steps = contents.front, contents.steps
    drawn: list[tuple[str, str, Callable[[], dict[str, Any] | None]]] = []
    if front is not None and front.points:
        words = f"{front.y.label} by {front.x.label} of {len(front.points)} files"
        drawn.append(("front-chart", words, lambda: front_chart(front)))
    if steps is not None:
        drawn += [
            ("quality-chart", f"{steps.quality.label} by step", lambda: quality_chart(steps)),
            ("sizes-chart", "bytes by step", lambda: sizes_chart(steps)),
        ]
    drawn.append(("tensors-chart", "bytes of each weight", lambda: tensors_chart(contents.tensors)))
    operators = contents.operators.operators if contents.operators else ()
    drawn.append(("operators-chart", "time of each operator", lambda: operators_chart(operators)))
    return [
        _Chart(name=name, words=words, spec=spec)
        for name, words, draw in drawn
        if (spec := draw()) is not None
    ]


def _front_table(front: Front) -> list[dict[str, Any]]:
    """The points as rows, those of the front first."""
    best = nondominated(front.points, front.x, front.y)
    others = [at for at in range(len(front.points)) if at not in best]
    return [
        {"at": at, "point": front.points[at], "on_front": at in best} for at in (*best, *others)
    ]


@cache
def _script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which defines `vegaEmbed`."""
    # Loaded here only: the library is large, and most commands write no page.
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # Inside of a script element, nothing may look like its end or like a comment; strings and
    # regular expressions read the escape as the character.
    return re.sub(r"<(?=/?script|!--)", r"\\x3c", bundle, flags=re.IGNORECASE)


def _side(table: Table, column: str) -> str:
    return "number" if table.is_numeric(column) else "text"


def _wraps(cell: Any) -> str:
    """Sentences break into lines; names and numbers stay whole."""
    return "wraps" if isinstance(cell, str) and len(cell) > _LONGEST_LINE else ""


def _bar(cell: Any) -> str:
    """The width of a bar for a share in [0, 1]."""
    share = min(max(cell, 0.0), 1.0) if isinstance(cell, int | float) else 0.0
    return f"{share:.1%}"
