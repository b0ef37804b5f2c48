"""What a page draws, as Vega-Lite: pure functions from plain data to specifications.

Colours are custom properties of the page's style sheet, which has one set for light, one for dark
and one for print; Vega writes them into the SVG as they are. Names in the data never become part of
an expression: rows are numbered, and a look-up gives the axis their names.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tflite_squeeze.page.contents import (
    Front,
    Kind,
    Measure,
    Operator,
    Point,
    Step,
    Steps,
    Tensor,
    Unit,
)
from tflite_squeeze.tables.table import text_of

Spec = dict[str, Any]

MOST_TENSORS, MOST_OPERATORS = 20, 30
_LONGEST_NAME = 40
# A logarithmic axis shows what a linear one would press together.
_LOG_FROM = 20
_ROW_PIXELS = 20
_KINDS: Mapping[Kind, tuple[str, str]] = {
    "given": ("var(--given)", "square"),
    "tried": ("var(--tried)", "circle"),
    "rejected": ("var(--rejected)", "cross"),
    "result": ("var(--result)", "diamond"),
}
# With more points than this, only the unchanged model and the result have their names beside them.
_MOST_NAMED = 6
# Names of points that are nearer than this, as shares of both axes, would cover each other.
_NEAR = (0.3, 0.07)
_AXIS_EXPRESSIONS: Mapping[Unit, str] = {
    "": "format(datum.value, '~g')",
    "bytes": "replace(format(datum.value, '~s'), /([kMG]?)$/, ' $1B')",
    "share": "format(datum.value, '.2~%')",
    "µs": "format(datum.value, ',~f')",
}
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
    return f"{value:,.1f} µs" if unit == "µs" else text_of(float(value))


def short_bytes(count: float) -> str:
    """A number of bytes with three digits, for the end of a bar.

    Example:
        >>> short_bytes(1069056), short_bytes(271104), short_bytes(40)
        ('1.07 MB', '271 kB', '40 B')
    """
    if count >= 999_500:
        return f"{count / 1e6:.3g} MB"
    return f"{count / 1e3:.3g} kB" if count >= 1000 else f"{count:.0f} B"


def nondominated(points: Sequence[Point], x: Measure, y: Measure) -> list[int]:
    """The points that no other one beats in both measures, from left to right.

    Args:
        points: the files; those that were rejected, or have no finite numbers, neither count nor
            beat others.
        x: the horizontal measure.
        y: the vertical one.

    Returns:
        Their positions in `points`.

    Example:
        >>> nondominated([Point(name="a", x=1, y=0.9), Point(name="b", x=2, y=0.8)], x, y)
        [0]
    """
    signs = tuple(-1.0 if measure.better == "more" else 1.0 for measure in (x, y))
    costs = {
        at: (signs[0] * point.x, signs[1] * point.y)
        for at, point in enumerate(points)
        if point.kind != "rejected" and point.finite
    }
    best = [
        at
        for at, (first, second) in costs.items()
        if not any(
            one <= first and other <= second and (one, other) != (first, second)
            for one, other in costs.values()
        )
    ]
    return sorted(best, key=lambda at: points[at].x)


def front_chart(front: Front) -> Spec | None:
    """The files as points, the front as a line through those that no other one beats.

    A file without finite numbers, such as the loss of a model that broke, is not drawn; None where
    no file has any.

    Args:
        front: the files and what they are measured by.
    """
    drawn = [one for one in front.points if one.finite]
    if not drawn:
        return None
    called: dict[Kind, str] = {"given": text_of(front.given), "tried": text_of(front.tried),
              "rejected": "rejected", "result": "result"}  # fmt: skip
    kinds = [kind for kind in _KINDS if any(point.kind == kind for point in drawn)]
    domain = [called[kind] for kind in kinds]
    place = {
        "x": _quantity("x", front.x, [point.x for point in drawn]),
        "y": _quantity("y", front.y, [point.y for point in drawn]),
    }
    colour, shape = (
        {"field": "kind", "type": "nominal", "title": None,
         "scale": {"domain": domain, "range": [_KINDS[kind][at] for kind in kinds]}}
        for at in (0, 1)
    )  # fmt: skip
    line = {
        "transform": [{"filter": "datum.on"}],
        "mark": {"type": "line", "color": "var(--muted)", "strokeDash": [4, 3]},
        "encoding": {**place, "order": {"field": "x", "type": "quantitative"}},
    }
    picked = {"condition": {"param": "picked", "empty": False, "value": "var(--ink)"},
              "value": None}  # fmt: skip
    points = {
        "params": [{"name": "picked", "select": {"type": "point", "fields": ["at"]}}],
        "mark": {"type": "point", "filled": True, "size": 110, "cursor": "pointer", "opacity": 1},
        "encoding": {**place, "color": colour, "shape": shape, "stroke": picked,
                     "strokeWidth": {"value": 2.5}, "tooltip": {"field": "tooltip"}},
    }  # fmt: skip
    names = {
        "mark": {"type": "text", "dy": -10, "color": "var(--ink)",
                 "dx": {"expr": "datum.align == 'left' ? 8 : -8"},
                 "align": {"expr": "datum.align"}},
        "encoding": {**place, "text": {"field": "label"}},
    }  # fmt: skip
    return _chart(_front_values(front, called), height=320, layer=[line, points, names])


def _front_values(front: Front, called: Mapping[Kind, str]) -> list[Spec]:
    """The points that can be drawn, by their place in the list below the plot."""
    on_front = set(nondominated(front.points, front.x, front.y))
    names = _short([point.name for point in front.points])
    named = _named(front)
    middle = _middle([one.x for one in front.points if one.finite])
    return [
        {
            "at": at,
            "x": point.x,
            "y": point.y,
            "kind": called[point.kind],
            "on": at in on_front,
            "label": names[at] if at in named else "",
            # Names point to the middle, so that none is cut off.
            "align": "right" if point.x > middle else "left",
            "tooltip": _said(
                [
                    ("file", text_of(point.name)),
                    (front.x.label, shown(point.x, front.x.unit)),
                    (front.y.label, shown(point.y, front.y.unit)),
                    ("recipe", point.recipe),
                ]
            ),
        }
        for at, point in enumerate(front.points)
        if point.finite
    ]


def _named(front: Front) -> set[int]:
    """The points that have their names beside them: the result first, no two near each other."""
    few = len(front.points) <= _MOST_NAMED
    order: list[Kind] = ["result", "given", "tried", "rejected"]
    candidates = sorted(
        (
            at
            for at, point in enumerate(front.points)
            if point.finite and (few or point.kind in order[:2])
        ),
        key=lambda at: order.index(front.points[at].kind),
    )
    sides = [_shares([point.x for point in front.points]),
             _shares([point.y for point in front.points])]  # fmt: skip
    named: list[int] = []
    for at in candidates:
        if not any(
            all(abs(side[at] - side[other]) < near for side, near in zip(sides, _NEAR, strict=True))
            for other in named
        ):
            named.append(at)
    return set(named)


def _shares(numbers: Sequence[float]) -> list[float]:
    """Places on an axis from 0 to 1."""
    finite = [one for one in numbers if math.isfinite(one)]
    low, high = min(finite), max(finite)
    if _far_apart(low, high):
        return [math.log(one / low) / math.log(high / low) if one > 0 else one for one in numbers]
    return [(one - low) / ((high - low) or 1.0) for one in numbers]


def _middle(numbers: Sequence[float]) -> float:
    """The middle of an axis that shows numbers."""
    low, high = min(numbers), max(numbers)
    return math.sqrt(low * high) if _far_apart(low, high) else (low + high) / 2


def _far_apart(low: float, high: float) -> bool:
    return low > 0 and high / low >= _LOG_FROM


def quality_chart(steps: Steps) -> Spec | None:
    """Quality of the model after each step; None where it was never measured.

    Args:
        steps: the steps, in order.
    """
    measured = [
        (at, step)
        for at, step in enumerate(steps.steps)
        if step.quality is not None and math.isfinite(step.quality)
    ]
    if not measured:
        return None
    unit = steps.quality.unit
    values = [
        {"row": at, "x": step.quality, "kept": _kept(step),
         "label": shown(step.quality, unit),
         "tooltip": _said([("after", step.name), (steps.quality.label, shown(step.quality, unit)),
                           ("", _kept(step))])}
        for at, step in measured
    ]  # fmt: skip
    numbers = [step.quality for _, step in measured if step.quality is not None]
    place = {
        "x": _quantity("x", steps.quality, numbers),
        "y": _rows([step.name for step in steps.steps]),
    }
    colours = _kept_colours("var(--result)", values)
    return _chart(
        values,
        height=2 * _ROW_PIXELS * len(steps.steps),
        names=[step.name for step in steps.steps],
        layer=[
            {
                "transform": [{"filter": "datum.kept == 'kept'"}],
                "mark": {"type": "line", "color": "var(--muted)"},
                "encoding": {**place, "order": {"field": "row", "type": "quantitative"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": {**place, "color": colours, "tooltip": {"field": "tooltip"}},
            },
            {
                "mark": {"type": "text", "dy": -11, "color": "var(--ink)"},
                "encoding": {**place, "text": {"field": "label"}},
            },
        ],
    )


def sizes_chart(steps: Steps) -> Spec | None:
    """Bytes of the file and of the download after each step; None without any file.

    Args:
        steps: the steps, in order.
    """
    values = [
        {"row": at, "x": size, "of": of,
         "label": short_bytes(size),
         "tooltip": _said([("after", step.name), (of, shown(size, "bytes")), ("", _kept(step))])}
        for at, step in enumerate(steps.steps)
        for of, size in (("file", step.raw_bytes), ("download (gzip -9)", step.download_bytes))
        if size is not None
    ]  # fmt: skip
    return _paired(
        values,
        [step.name for step in steps.steps],
        {"file": "var(--given)", "download (gzip -9)": "var(--tried)"},
    )


def tensors_chart(tensors: Sequence[Tensor]) -> Spec | None:
    """Bytes of each weight before and after, the largest first; None without weights.

    Args:
        tensors: the weights; the smallest of many are added up.
    """
    rows = _largest(tensors)
    values = [
        {"row": at, "x": size, "of": of,
         "label": short_bytes(size),
         "tooltip": _said([("tensor", row.name), (of, shown(size, "bytes")), ("stored as", form)])}
        for at, row in enumerate(rows)
        for of, size, form in (("before", row.before, row.stored_before),
                               ("after", row.after, row.stored_after))
        if size is not None
    ]  # fmt: skip
    return _paired(
        values, [row.name for row in rows], {"before": "var(--given)", "after": "var(--result)"}
    )


def operators_chart(operators: Sequence[Operator]) -> Spec | None:
    """Time of each operator, the slowest first, coloured by what runs it; None without any.

    Args:
        operators: in order of execution; the fastest of many are added up.
    """
    if not operators:
        return None
    ranked = sorted(enumerate(operators, 1), key=lambda pair: -pair[1].us)
    shown_first, rest = ranked[:MOST_OPERATORS], [one for _, one in ranked[MOST_OPERATORS:]]
    rows = [(f"{one.name} #{place}", one) for place, one in shown_first]
    if rest:
        others = Operator(name=f"{len(rest)} others", kernel="several", us=sum(o.us for o in rest),
                          share=sum(o.share for o in rest))  # fmt: skip
        rows.append((others.name, others))
    values = [
        {"row": at, "x": one.us, "of": text_of(one.kernel), "label": f"{one.share:.1%}",
         "tooltip": _said([("operator", name), ("runs in", one.kernel),
                           ("time", shown(one.us, "µs")), ("share of a run", f"{one.share:.1%}")])}
        for at, (name, one) in enumerate(rows)
    ]  # fmt: skip
    kernels = list(dict.fromkeys(text_of(one.kernel) for _, one in rows))
    palette = ("var(--given)", "var(--rejected)", "var(--tried)", "var(--result)", "var(--muted)")
    colours = {kernel: palette[min(at, 4)] for at, kernel in enumerate(kernels)}
    names = [name for name, _ in rows]
    return _bars(values, names, Measure(label="µs per run", unit="µs"), colours, offset=False)


def _paired(values: list[Spec], names: Sequence[str], colours: Mapping[str, str]) -> Spec | None:
    """Bars of bytes, two a row; None where there are none."""
    if not values:
        return None
    return _bars(values, names, Measure(label="bytes", unit="bytes"), colours, offset=True)


def _bars(
    values: list[Spec],
    names: Sequence[str],
    measure: Measure,
    colours: Mapping[str, str],
    *,
    offset: bool,
) -> Spec:
    """Rows of bars with their numbers; with an offset, one bar below the other in each row."""
    used = {of: colour for of, colour in colours.items() if any(one["of"] == of for one in values)}
    place: Spec = {
        "x": _quantity("x", measure, [one["x"] for one in values], from_zero=True),
        "y": _rows(names),
    }
    if offset:
        place["yOffset"] = {"field": "of", "scale": {"domain": list(used)}}
    colour = {
        "field": "of", "type": "nominal", "title": None,
        "scale": {"domain": list(used), "range": list(used.values())},
    }  # fmt: skip
    return _chart(
        values,
        height=_ROW_PIXELS * (2 if offset else 1) * len(names),
        names=names,
        layer=[
            {
                "mark": {"type": "bar", "height": {"band": 0.85}},
                "encoding": {**place, "color": colour, "tooltip": {"field": "tooltip"}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4, "color": "var(--ink)"},
                "encoding": {**place, "text": {"field": "label"}},
            },
        ],
    )


def _largest(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The largest, and one row for all others."""
    ranked = sorted(tensors, key=lambda one: -max(one.before or 0, one.after or 0))
    rest = ranked[MOST_TENSORS:]
    if not rest:
        return ranked
    others = Tensor(
        name=f"{len(rest)} others",
        before=sum(one.before or 0 for one in rest),
        after=sum(one.after or 0 for one in rest),
        stored_before="several",
        stored_after="several",
    )
    return [*ranked[:MOST_TENSORS], others]


def _quantity(
    field: str, measure: Measure, numbers: Sequence[float], *, from_zero: bool = False
) -> Spec:
    """A channel that shows numbers, on a logarithmic axis where they are far apart."""
    low, high = min(numbers), max(numbers)
    far_apart = not from_zero and _far_apart(low, high)
    scale: Spec = {"zero": from_zero, "nice": True, "padding": 18}
    if far_apart:
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
    return f"{label} (µs)" if measure.unit == "µs" and "µs" not in label else label


def _rows(names: Sequence[str]) -> Spec:
    """Numbered rows that show their names."""
    return {
        "field": "row",
        "type": "ordinal",
        "scale": {"domain": list(range(len(names)))},
        "axis": {
            "title": None, "labelExpr": "names[datum.value]", "labelLimit": _LABEL_LIMIT,
            "ticks": False, "domain": False, "grid": False,
        },
    }  # fmt: skip


def _kept(step: Step) -> str:
    return "kept" if step.kept else "not kept"


def _kept_colours(colour: str, values: Sequence[Spec]) -> Spec:
    """Colours of steps that were kept and of those that were not; a legend where there are both."""
    kinds = {"kept": colour, "not kept": "var(--rejected)"}
    both = len({one["kept"] for one in values}) > 1
    return {
        "field": "kept", "type": "nominal", "title": None,
        "scale": {"domain": list(kinds), "range": list(kinds.values())},
        **({} if both else {"legend": None}),
    }  # fmt: skip


def _said(lines: Sequence[tuple[str, str]]) -> Spec:
    """What is shown while the pointer rests on a mark; lines without text are left out."""
    return {label: text for label, text in lines if text}


def _chart(
    values: list[Spec],
    *,
    height: int,
    layer: list[Spec],
    names: Sequence[str] = (),
) -> Spec:
    """A chart as wide as the page."""
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": [{"name": "names", "value": _short(names)}],
        "data": {"values": values},
        "layer": layer,
        "config": _CONFIG,
    }


def _short(names: Sequence[str]) -> list[str]:
    """Names without the folders that all begin with; of those that are long, the end."""
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
