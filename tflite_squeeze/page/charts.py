"""Steps, weights and operators as Vega-Lite: pure functions from plain data to specifications."""

import math
from collections.abc import Mapping, Sequence

from tflite_squeeze.page.contents import Measure, Operator, Step, Steps, Tensor
from tflite_squeeze.page.vega import Spec, chart, numbered, quantity, short_bytes, shown, told
from tflite_squeeze.tables.table import text_of

MOST_TENSORS, MOST_OPERATORS = 20, 30
_ROW_PIXELS = 20


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
         "tooltip": told([("after", step.name), (steps.quality.label, shown(step.quality, unit)),
                           ("", _kept(step))])}
        for at, step in measured
    ]  # fmt: skip
    numbers = [step.quality for _, step in measured if step.quality is not None]
    place = {
        "x": quantity("x", steps.quality, numbers),
        "y": numbered([step.name for step in steps.steps]),
    }
    colours = _kept_colours("var(--result)", values)
    return chart(
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
         "tooltip": told([("after", step.name), (of, shown(size, "bytes")), ("", _kept(step))])}
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
         "tooltip": told([("tensor", row.name), (of, shown(size, "bytes")), ("stored as", form)])}
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
         "tooltip": told([("operator", name), ("runs in", one.kernel),
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
        "x": quantity("x", measure, [one["x"] for one in values], from_zero=True),
        "y": numbered(names),
    }
    if offset:
        place["yOffset"] = {"field": "of", "scale": {"domain": list(used)}}
    colour = {
        "field": "of", "type": "nominal", "title": None,
        "scale": {"domain": list(used), "range": list(used.values())},
    }  # fmt: skip
    return chart(
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
