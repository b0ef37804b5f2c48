"""One picture a peer: every ratio as a dot, on the side of whoever is better."""

import io
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .results import MEASURES, Row, Verdict, ratio_of, verdict_of

_COLOURS = {Verdict.WIN: "#4477aa", Verdict.TIE: "#888888", Verdict.LOSS: "#ee7733"}
_MARKERS = {Verdict.WIN: "o", Verdict.TIE: "s", Verdict.LOSS: "D"}
_NAMES = {Verdict.WIN: "better here", Verdict.TIE: "tie", Verdict.LOSS: "better there"}


def ratio_plot(title: str, rows: Sequence[Row]) -> bytes | None:
    """Draws here / peer of every row that is judged by a ratio, as an SVG.

    Args:
        title: the peer.
        rows: what was compared.

    Returns:
        The picture, or None where no row has a ratio.
    """
    drawn = [
        (row, ratio)
        for row in rows
        if not MEASURES[row.measure].difference and (ratio := ratio_of(row)) is not None and ratio
    ]
    if not drawn:
        return None
    # Letters stay letters, so that the file is small and readers can search it.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "peers"}):
        figure = Figure(figsize=(9, 1.3 + 0.2 * len(drawn)), layout="constrained")
        axes = figure.add_subplot()
        for verdict, colour in _COLOURS.items():
            points = [
                (ratio, place)
                for place, (row, ratio) in enumerate(drawn)
                if verdict_of(row) is verdict
            ]
            axes.scatter(
                *zip(*points, strict=True) if points else ((), ()),
                c=colour, marker=_MARKERS[verdict], s=28, label=_NAMES[verdict], zorder=3,
            )  # fmt: skip
        axes.axvline(1, color="#444444", linewidth=1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        labels = [f"{row.what}: {MEASURES[row.measure].label.split(',')[0]}" for row, _ in drawn]
        axes.set_yticks(range(len(drawn)), labels, fontsize=7)
        axes.set_ylim(len(drawn) - 0.5, -0.5)
        axes.grid(axis="x", alpha=0.3)
        axes.set_xlabel("here / peer (logarithmic; less is better)")
        axes.set_title(title)
        axes.legend(fontsize=8, loc="best")
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()
