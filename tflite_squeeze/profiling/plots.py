"""Pictures of results, as PNG."""

import io
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tflite_squeeze.profiling.record import OperatorTimes, ProfileRecord
from tflite_squeeze.tables.table import text_of

_MOST_BARS = 30
_LEAST_SHARE = 0.001
_LONGEST_NAME = 44
_DELEGATED, _NOT_DELEGATED = "#4477aa", "#ee7733"
_HATCH = "///"
_DPI = 150


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar of the operator plot.

    Attributes:
        label: the text beside it.
        us_per_run: its length.
        share: of a run.
        delegated: None for a bar that is not a single operator.
    """

    label: str
    us_per_run: float
    share: float
    delegated: bool | None


def operator_plot(record: ProfileRecord) -> bytes:
    """Draws each operator's share of a run; operators that are not delegated are hatched.

    Args:
        record: what `tflite_squeeze.profiling.profile.profile` returned.

    Returns:
        A PNG.

    Example:
        >>> Path("operators.png").write_bytes(operator_plot(profile("lenet_5.tflite")))
    """
    bars = operator_bars(record.operators)
    figure = Figure(figsize=(10, 1.6 + 0.26 * max(len(bars), 2)), layout="constrained")
    axes = figure.add_subplot()
    drawn = axes.barh(
        range(len(bars)), [bar.us_per_run for bar in bars], color=[_colour(bar) for bar in bars]
    )
    for patch, bar in zip(drawn.patches, bars, strict=True):
        if bar.delegated is False:
            patch.set_hatch(_HATCH)
            patch.set_edgecolor("white")
    axes.bar_label(drawn, labels=[f"{bar.share:.1%}" for bar in bars], padding=3, fontsize=8)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.01)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("µs per run")
    axes.set_title(_title(record), fontsize=10, loc="left")
    if not bars:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "times of operators are unavailable", ha="center", va="center",
                  transform=axes.transAxes)  # fmt: skip
    handles = [
        Patch(facecolor=_DELEGATED, label="delegated to XNNPACK"),
        Patch(facecolor=_NOT_DELEGATED, hatch=_HATCH, edgecolor="white", label="not delegated"),
    ]
    axes.legend(handles=handles, loc="lower right", fontsize=8, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def operator_bars(times: OperatorTimes) -> list[Bar]:
    """The slowest operators, slowest first, one bar for all others, and one for what is left.

    At most 30 have a bar of their own, and only those with a thousandth of the time or more.

    Args:
        times: operators in order of execution; their place in it goes into the labels.
    """
    numbered = sorted(enumerate(times.operators, 1), key=lambda pair: -pair[1].us_per_run)
    shown = [pair for pair in numbered if pair[1].share >= _LEAST_SHARE][:_MOST_BARS]
    bars = [
        Bar(
            label=f"{_short(item.name)}  #{place}",
            us_per_run=item.us_per_run,
            share=item.share,
            delegated=item.delegated,
        )
        for place, item in shown
    ]
    rest = [item for _, item in numbered[len(shown) :]]
    if rest:
        bars.append(
            Bar(
                label=f"{len(rest)} other{'s' if len(rest) > 1 else ''}",
                us_per_run=sum(item.us_per_run for item in rest),
                share=sum(item.share for item in rest),
                delegated=None,
            )
        )
    if times.unseen_us > _LEAST_SHARE * times.invoke_us:
        share = times.unseen_us / times.invoke_us
        label = "(not accounted for)"
        bars.append(Bar(label=label, us_per_run=times.unseen_us, share=share, delegated=None))
    return bars


def _colour(bar: Bar) -> str:
    if bar.delegated is None:
        return "#bbbbbb"
    return _DELEGATED if bar.delegated else _NOT_DELEGATED


def _short(name: str) -> str:
    shown = text_of(name)
    # Matplotlib would read what stands between dollar signs as a formula.
    shown = shown.replace("$", r"\$")
    return shown if len(shown) <= _LONGEST_NAME else shown[: _LONGEST_NAME - 1] + "…"


def _title(record: ProfileRecord) -> str:
    name = text_of(record.file or record.sha256[:12]).replace("$", r"\$")
    threads = record.config.threads
    return (
        f"{name}: median {record.latency.median_us / 1000:.4g} ms, "
        f"{threads} thread{'s' if threads > 1 else ''}, {record.machine.cpu}"
    )
