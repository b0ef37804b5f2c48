"""What the reports of all techniques have in common."""

import io

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tflite_squeeze.tables.table import Table, points
from tflite_squeeze.training.record import StepRecord

# With as many examples the interval of an accuracy is at most 3 points to each side.
_MANY = 1_000


def quality_note(record: StepRecord, technique: str) -> str:
    """One line of what a technique cost in quality.

    Args:
        record: what was done.
        technique: its name as a noun, such as "pruning".
    """
    said = []
    if record.before is None or record.after is None:
        if record.agreement is None and record.divergence is None:
            return f"no labelled data: the cost of {technique} in quality was not measured"
        if record.agreement is not None:
            said.append(
                f"no labelled data: after {technique} the class is the same as before for "
                f"{record.agreement:.2%} of the examples{_interval(record)}"
            )
        else:
            said.append("no labelled data")
    elif record.metric == "accuracy":
        change = points(record.after - record.before)
        fell = f"{record.before:.2%} → {record.after:.2%}"
        said.append(f"accuracy {fell} ({change} points){_interval(record)}")
        if record.agreement is not None:
            said.append(f"the same class as before for {record.agreement:.2%}")
    else:
        said.append(f"{record.metric} {record.before:.4g} → {record.after:.4g}")
    if record.divergence is not None:
        said.append(f"divergence from the answers before {record.divergence:.3g}")
    return "; ".join(said)


def _interval(record: StepRecord) -> str:
    """The interval of a share, where few examples make it wide."""
    if record.interval is None or record.examples is None or record.examples >= _MANY:
        return ""
    low, high = record.interval
    return f", on {record.examples} examples within {low:.1%} to {high:.1%} (95 %)"


def skipped_tables(record: StepRecord) -> list[Table]:
    """The layers that stayed as they were, with reasons; no table where there are none."""
    if not record.skipped:
        return []
    return [
        Table(
            title="Left as they are",
            columns=("layer", "type", "reason"),
            rows=tuple((s.layer, s.layer_type, s.reason) for s in record.skipped),
        )
    ]


_DPI = 110


_VALIDATION = "val_"


_TRAINING_COLOUR, _VALIDATION_COLOUR = "#4477aa", "#ee7733"


def training_plot(record: StepRecord) -> bytes | None:
    """Draws the training of a record; None where there was none, or one epoch only."""
    return history_plot(record.history)


def history_plot(history: dict[str, list[float]]) -> bytes | None:
    """Draws loss and accuracy by epoch, on the training and the validation part.

    Args:
        history: metric → value per epoch, as `fit` returns it.

    Returns:
        A PNG; None where there are fewer than two epochs, which make no curve.

    Example:
        >>> Path("history.png").write_bytes(history_plot(record.history))
    """
    names = [name for name in ("loss", "accuracy") if len(history.get(name, ())) > 1]
    if not names:
        return None
    figure = Figure(figsize=(4.2 * len(names), 2.9), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for key, label, colour in (
            (name, "training", _TRAINING_COLOUR),
            (_VALIDATION + name, "validation", _VALIDATION_COLOUR),
        ):
            values = history.get(key, [])
            if values:
                axes.plot(range(1, len(values) + 1), values, "o-", ms=3, color=colour, label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()
