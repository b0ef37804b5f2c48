"""The front: files by two measures, and which of them no other one beats."""

import math
from collections.abc import Mapping, Sequence

from tflite_squeeze.page.contents import Front, Kind, Measure, Point
from tflite_squeeze.page.vega import Spec, chart, far_apart, quantity, short_names, shown, told
from tflite_squeeze.tables.table import text_of

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
    known = list(costs)
    best = [known[at] for at in unbeaten(list(costs.values()))]
    return sorted(best, key=lambda at: points[at].x)


def unbeaten(costs: Sequence[tuple[float, float]]) -> list[int]:
    """The pairs of costs that no other pair beats in both.

    Args:
        costs: finite numbers, of which less is better.

    Returns:
        Their positions, by the first cost.

    Example:
        >>> unbeaten([(3.0, 1.0), (1.0, 3.0), (3.0, 3.0)])
        [1, 0]
    """
    best = [
        at
        for at, (first, second) in enumerate(costs)
        if not any(
            one <= first and other <= second and (one, other) != (first, second)
            for one, other in costs
        )
    ]
    return sorted(best, key=lambda at: costs[at])


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
        "x": quantity("x", front.x, [point.x for point in drawn]),
        "y": quantity("y", front.y, [point.y for point in drawn]),
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
    return chart(_front_values(front, called), height=320, layer=[line, points, names])


def _front_values(front: Front, called: Mapping[Kind, str]) -> list[Spec]:
    """The points that can be drawn, by their place in the list below the plot."""
    on_front = set(nondominated(front.points, front.x, front.y))
    names = short_names([point.name for point in front.points])
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
            "tooltip": told(
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
    if far_apart(low, high):
        return [math.log(one / low) / math.log(high / low) if one > 0 else one for one in numbers]
    return [(one - low) / ((high - low) or 1.0) for one in numbers]


def _middle(numbers: Sequence[float]) -> float:
    """The middle of an axis that shows numbers."""
    low, high = min(numbers), max(numbers)
    return math.sqrt(low * high) if far_apart(low, high) else (low + high) / 2
