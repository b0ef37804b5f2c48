"""What all charts of a page share: numbers with their units, axes, the look.

Colours are custom properties of the page's style sheet, which has one set for light, one for dark
and one for print; Vega writes them into the SVG as they are. Names in the data never become part of
an expression: rows are numbered, and a look-up gives the axis their names.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tflite_squeeze.page.contents import Measure, Unit
from tflite_squeeze.tables.table import text_of

Spec = dict[str, Any]

_LONGEST_NAME = 40
# A logarithmic axis shows what a linear one would press together.
_LOG_FROM = 20
_AXIS_EXPRESSIONS: Mapping[Unit, str] = {
    "": "format(datum.value, '~g')",
    "bytes": "replace(format(datum.value, '~s'), /([kMG]?)$/, ' $1B')",
    "share": "format(datum.value, '.2~%')",
    "µs": "format(datum.value, ',~f')",
    "nJ": "format(datum.value, ',~f')",
}
_WRITTEN_OUT: tuple[Unit, ...] = ("µs", "nJ")  # behind the number, and not in axes
# Labels of rows may take a third of a narrow page and no more.
_LABEL_LIMIT = {"expr": "containerSize()[0] < 500 ? 120 : 270"}


def shown(value: float | None, unit: Unit) -> str:
    """A number with its unit, as people read it.

    Example:
        >>> shown(0.9104, "share"), shown(1048, "bytes"), shown(None, "µs")
        ('91.04%', '1,048 bytes', '')
    """
    if value is None:
        return ""
    if not math.isfinite(value):
        return "not a finite number"
    if unit == "share":
        return f"{value:.2%}"
    if unit == "bytes":
        return f"{value:,.0f} bytes"
    return f"{value:,.1f} {unit}" if unit in _WRITTEN_OUT else text_of(float(value))


def short_bytes(count: float) -> str:
    """A number of bytes with three digits, for the end of a bar.

    Example:
        >>> short_bytes(1069056), short_bytes(271104), short_bytes(40)
        ('1.07 MB', '271 kB', '40 B')
    """
    if count >= 999_500:
        return f"{count / 1e6:.3g} MB"
    return f"{count / 1e3:.3g} kB" if count >= 1000 else f"{count:.0f} B"


def far_apart(low: float, high: float) -> bool:
    """Whether a linear axis would press small numbers together."""
    return low > 0 and high / low >= _LOG_FROM


def quantity(
    field: str, measure: Measure, numbers: Sequence[float], *, from_zero: bool = False
) -> Spec:
    """A channel that shows numbers, on a logarithmic axis where they are far apart.

    Args:
        field: "x" or "y".
        measure: what the numbers are.
        numbers: all of them, finite.
        from_zero: whether the axis begins at 0, for bars.
    """
    low, high = min(numbers), max(numbers)
    logarithmic = not from_zero and far_apart(low, high)
    scale: Spec = {"zero": from_zero, "nice": True, "padding": 18}
    if logarithmic:
        scale = {"type": "log", "nice": True, "padding": 18}
    if from_zero:
        # Numbers stand behind the bars.
        scale = {"zero": True, "domainMax": 1.15 * high or 1.0}
    return {
        "field": field,
        "type": "quantitative",
        "scale": scale,
        "axis": {
            "title": _titled(measure),
            "labelExpr": _AXIS_EXPRESSIONS[measure.unit],
            "tickCount": {"expr": "width < 300 ? 3 : 6"} if field == "x" else 5,
        },
    }


def _titled(measure: Measure) -> str:
    """The label, with the unit where the numbers on the axis do not have it."""
    label = text_of(measure.label)
    unit = measure.unit
    return f"{label} ({unit})" if unit in _WRITTEN_OUT and unit not in label else label


def numbered(names: Sequence[str]) -> Spec:
    """A channel of numbered rows that show their names.

    Args:
        names: of the rows, from the top; `chart` takes the same.
    """
    return {
        "field": "row",
        "type": "ordinal",
        "scale": {"domain": list(range(len(names)))},
        "axis": {
            "title": None, "labelExpr": "names[datum.value]", "labelLimit": _LABEL_LIMIT,
            "ticks": False, "domain": False, "grid": False,
        },
    }  # fmt: skip


def told(lines: Sequence[tuple[str, str]]) -> Spec:
    """What is shown while the pointer rests on a mark.

    Args:
        lines: (label, text); those without text are left out.
    """
    return {label: text for label, text in lines if text}


def chart(
    values: list[Spec],
    *,
    height: int,
    layer: list[Spec],
    names: Sequence[str] = (),
) -> Spec:
    """A chart as wide as the page.

    Args:
        values: the data, a record for each mark.
        height: in pixels.
        layer: what is drawn, from the back to the front.
        names: of numbered rows.
    """
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": [{"name": "names", "value": short_names(names)}],
        "data": {"values": values},
        "layer": layer,
        "config": _CONFIG,
    }


def short_names(names: Sequence[str]) -> list[str]:
    """Names without the folders that all begin with; of those that are long, the end.

    Args:
        names: the whole names.
    """
    shown_names = [text_of(name) for name in names]
    folders = [name.split("/")[:-1] for name in shown_names if "/" in name]
    common = 0
    for parts in zip(*folders, strict=False):
        if len(folders) == 1 or len(set(parts)) > 1:
            break
        common += 1
    cut = [name.split("/", common)[-1] if "/" in name else name for name in shown_names]
    return [name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}" for name in cut]


_FONT = "system-ui, sans-serif"
_CONFIG: Spec = {
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "gridColor": "var(--rule)",
        "domainColor": "var(--rule)",
        "tickColor": "var(--rule)",
        "labelFontSize": 12,
        "titleFontSize": 12,
    },
    "legend": {
        "orient": "top",
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "symbolOpacity": 1,
    },
    "text": {"fontSize": 11},
}
