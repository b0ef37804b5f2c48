"""Curves of quality against sparsity as a table and a plot."""

import io

from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.techniques.pruning.sensitivity.record import SensitivityRecord


def sensitivity_tables(record: SensitivityRecord) -> list[Table]:
    """A row per weight, a column per sparsity.

    Args:
        record: the curves.
    """
    sparsities = sorted({sparsity for curve in record.points.values() for sparsity, _ in curve})
    rows: list[tuple[Cell, ...]] = []
    for name, curve in record.points.items():
        values = dict(curve)
        cells = [_quality(values.get(sparsity), record.metric) for sparsity in sparsities]
        rows.append((name, f"{record.sizes[name]:,}", *cells))
    unit = "accuracy" if record.metric == "accuracy" else "loss"
    return [
        Table(
            title=f"{unit.capitalize()} of {record.model} when one weight alone is pruned",
            columns=("weight", "parameters", *(f"{sparsity:.0%}" for sparsity in sparsities)),
            rows=tuple(rows),
            notes=(
                f"whole model: {_quality(record.whole, record.metric)}, on {record.samples:,} "
                f"examples of {record.data}; no training",
            ),
        )
    ]


def _quality(value: float | None, metric: str) -> str | None:
    if value is None:
        return None
    return f"{value:.2%}" if metric == "accuracy" else f"{value:.4g}"


def sensitivity_plot(record: SensitivityRecord) -> bytes:
    """The curves as a PNG.

    Args:
        record: the curves.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    styles = ("-", "--", ":", "-.")
    for number, (name, curve) in enumerate(record.points.items()):
        scale = 100.0 if record.metric == "accuracy" else 1.0
        axes.plot(
            [100.0 * sparsity for sparsity, _ in curve],
            [scale * value for _, value in curve],
            linestyle=styles[number // 10 % len(styles)],
            marker="o",
            markersize=3,
            label=name,
        )
    axes.axhline(
        record.whole * (100.0 if record.metric == "accuracy" else 1.0), color="0.5", linewidth=1
    )
    axes.set_xlabel("zeros in this weight alone (%)")
    axes.set_ylabel("accuracy (%)" if record.metric == "accuracy" else "loss")
    axes.set_title(f"{record.model}: sensitivity to pruning, without training")
    axes.grid(alpha=0.3)
    columns = 1 if len(record.points) <= 16 else 2
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=columns)
    content = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(content, format="png")
    return content.getvalue()
