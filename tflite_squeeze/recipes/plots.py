"""A run of a recipe as pictures: quality and size by step, and the bytes of each tensor."""

import io
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tflite_squeeze.recipes.report import Report
from tflite_squeeze.tables.table import text_of
from tflite_squeeze.tflite.footprint import Footprint, TensorBytes

_DPI = 150
_QUALITY, _RAW, _DOWNLOAD, _DROPPED = "#aa3377", "#4477aa", "#66ccee", "#bbbbbb"
_MOST_TENSORS = 20
_LONGEST_NAME = 40
# Type → colour; Paul Tol's bright scheme, which colour-blind people can tell apart.
_TYPES = {"float32": "#4477aa", "float16": "#66ccee", "int8": "#228833", "int4": "#ccbb44",
          "int2": "#ee6677", "int32": "#aa3377"}  # fmt: skip
_OTHER = "#bbbbbb"


def steps_plot(report: Report) -> bytes:
    """Draws quality above and bytes below, from the plain file to the result.

    A step that was not kept is hatched: what it would have given.

    Args:
        report: the evidence.

    Returns:
        A PNG.

    Example:
        >>> Path("steps.png").write_bytes(steps_plot(report))
    """
    places = _places(report)
    figure = Figure(figsize=(max(5.5, 1.3 * len(places) + 2), 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    _draw_quality(above, places, report.baseline.metric)
    _draw_sizes(below, places)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    above.set_title(_title(report), fontsize=10, loc="left")
    return _png(figure)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """One position on the horizontal axis."""

    name: str
    quality: float | None
    file: Footprint | None
    kept: bool = True


def _places(report: Report) -> list[_Place]:
    base = report.baseline
    return [
        _Place(name="float32", quality=base.quality, file=base.plain),
        _Place(name="as converted", quality=None, file=base.start),
        *(
            _Place(
                name=f"{step.number} {step.technique}",
                quality=step.after,
                file=step.file,
                kept=step.status == "done",
            )
            for step in report.steps
        ),
    ]


def _draw_quality(axes: Axes, places: list[_Place], metric: str) -> None:
    known = [(at, one, one.quality) for at, one in enumerate(places) if one.quality is not None]
    line = [(at, value) for at, one, value in known if one.kept]
    axes.plot([at for at, _ in line], [value for _, value in line], "o-", color=_QUALITY)
    for at, one, value in known:
        if not one.kept:
            axes.plot([at], [value], "x", color=_DROPPED, markersize=9)
        text = f"{value:.2%}" if metric == "accuracy" else f"{value:.4g}"
        axes.annotate(
            text, (at, value), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=8
        )
    axes.set_ylabel(f"{metric} of the model")
    axes.margins(y=0.35)
    if metric == "accuracy":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2%}"))
    if not known:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no labels: not measured", ha="center", transform=axes.transAxes)


def _draw_sizes(axes: Axes, places: list[_Place]) -> None:
    for offset, kind, colour in ((-0.2, "raw_bytes", _RAW), (0.2, "download_bytes", _DOWNLOAD)):
        for at, one in enumerate(places):
            if one.file is None:
                continue
            size = getattr(one.file, kind)
            drawn = axes.bar(
                at + offset,
                size,
                0.38,
                color=colour if one.kept else _DROPPED,
                hatch=None if one.kept else "///",
                edgecolor="white",
            )
            axes.bar_label(drawn, labels=[_bytes(size)], fontsize=7, padding=1)
    axes.set_yscale("log")
    axes.margins(y=0.15)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _bytes(value)))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.set_ylabel("bytes (log scale)")
    axes.set_xticks(range(len(places)), [one.name for one in places], fontsize=8)
    handles = [
        Patch(color=_RAW, label="file"),
        Patch(color=_DOWNLOAD, label="download (gzip -9)"),
    ]
    if not all(one.kept for one in places):
        handles.append(Patch(color=_DROPPED, label="not kept"))
    axes.legend(
        handles=handles,
        fontsize=8,
        frameon=False,
        ncols=3,
        loc="lower left",
        bbox_to_anchor=(0, 1),
    )


def tensors_plot(report: Report) -> bytes:
    """Draws the bytes of each weight tensor, of the plain file and of the result side by side.

    Args:
        report: the evidence of a run that made a file.

    Returns:
        A PNG.

    Example:
        >>> Path("tensors.png").write_bytes(tensors_plot(report))
    """
    sides = [("model in float32", report.baseline.tensors)]
    if report.outcome is not None:
        sides.append(("result" if report.passed else "REJECTED", report.outcome.tensors))
    rows = max(min(len(tensors), _MOST_TENSORS + 1) for _, tensors in sides)
    figure = Figure(figsize=(12, 1.6 + 0.26 * max(rows, 2)), layout="constrained")
    types: dict[str, str] = {}
    for axes, (title, tensors) in zip(figure.subplots(1, 2), sides, strict=False):
        bars = _bars(tensors)
        for at, (_, size, dtype, sparse) in enumerate(bars):
            colour = types.setdefault(dtype, _TYPES.get(dtype, _OTHER))
            hatch = "..." if sparse else None
            drawn = axes.barh(at, size, color=colour, hatch=hatch, edgecolor="white")
            axes.bar_label(drawn, labels=[_bytes(size)], padding=3, fontsize=7)
        axes.set_yticks(range(len(bars)), [name for name, *_ in bars], fontsize=7)
        axes.invert_yaxis()
        axes.margins(x=0.15, y=0.02)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _bytes(value)))
        total = sum(one.bytes for one in tensors)
        axes.set_title(f"{title}: {total:,} bytes of weights", fontsize=9, loc="left")
    handles = [Patch(color=colour, label=dtype) for dtype, colour in types.items()]
    handles.append(Patch(facecolor="#dddddd", hatch="...", edgecolor="white", label="sparse"))
    figure.legend(handles=handles, loc="outside lower center", ncols=8, fontsize=8, frameon=False)
    return _png(figure)


def _bars(tensors: tuple[TensorBytes, ...]) -> list[tuple[str, int, str, bool]]:
    """(name, bytes, type, sparse) of the largest tensors, and one for all others."""
    shown = [(_short(one.tensor), one.bytes, one.dtype, one.sparse) for one in tensors]
    rest = tensors[_MOST_TENSORS:]
    if rest:
        others = (f"{len(rest)} others", sum(one.bytes for one in rest), "several types", False)
        return [*shown[:_MOST_TENSORS], others]
    return shown


def _bytes(count: float) -> str:
    if count >= 1e6:
        return f"{count / 1e6:.3g} MB"
    return f"{count / 1e3:.3g} kB" if count >= 1000 else f"{count:.0f} B"


def _short(name: str) -> str:
    shown = text_of(name)
    # The end of a name says most; Matplotlib would read dollar signs as a formula.
    shown = shown if len(shown) <= _LONGEST_NAME else f"…{shown[1 - _LONGEST_NAME :]}"
    return shown.replace("$", r"\$")


def _title(report: Report) -> str:
    name = text_of(f"{report.recipe['name']} on {report.model.name}").replace("$", r"\$")
    if report.outcome is None:
        return f"{name}: stopped"
    if not report.passed:
        return f"{name}: REJECTED, the recipe is not met"
    smaller = report.baseline.plain.download_bytes / report.outcome.file.download_bytes
    return f"{name}: download {smaller:.1f}x smaller"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()
