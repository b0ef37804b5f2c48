"""A conversion as tables."""

from tflite_squeeze.conversion.mixed.bits_tables import bits_tables
from tflite_squeeze.conversion.mixed.tables import mixed_tables
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.emission.calibration.tables import calibration_tables
from tflite_squeeze.emission.low_bit.tables import few_bit_tables, low_bit_tables, narrowed_tables
from tflite_squeeze.emission.shared_values.tables import sharing_tables
from tflite_squeeze.emission.sparse.tables import sparsity_tables
from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.verification.tables import verify_tables


def convert_tables(record: ConvertRecord) -> list[Table]:
    """The result of a conversion, how zeros were stored, and the comparison with the model.

    Args:
        record: what was done.
    """
    checks = verify_tables(record.verification, record.notes) if record.verification else []
    sparsity = sparsity_tables(record.sparsity) if record.sparsity else ()
    low_bit = low_bit_tables(record.low_bit) if record.low_bit else ()
    bits = bits_tables(record.bits) if record.bits else ()
    narrowed = (*bits, *narrowed_tables(record.narrowed), *few_bit_tables(record.few_bits))
    sharing = sharing_tables(record.sharing)
    calibration = calibration_tables(record.calibration) if record.calibration else ()
    mixed = mixed_tables(record.mixed) if record.mixed else ()
    return [
        _summary(record),
        *mixed,
        *calibration,
        *sharing,
        *low_bit,
        *narrowed,
        *sparsity,
        *checks,
    ]


def _summary(record: ConvertRecord) -> Table:
    size = record.size
    rows: list[tuple[Cell, ...]] = [
        ("model", _model(record)),
        ("quantization", _quantization(record)),
        ("batch", str(record.config.batch)),
        ("file", _bytes(size.raw_bytes, record.source.model_bytes)),
        ("download (gzip -9)", f"{size.download_bytes:,} bytes"),
        ("operators", _operators(record.operators)),
    ]
    if record.data:
        rows.append(("data", _data(record)))
    return Table(
        title=f"Conversion of {record.source.name}",
        columns=("", "value"),
        rows=tuple(rows),
        notes=(
            *record.notes,
            *([f"not verified: {record.unverified}"] if record.unverified else []),
        ),
    )


def _model(record: ConvertRecord) -> str:
    source = record.source
    size = f", {source.model_bytes:,} bytes" if source.model_bytes else ""
    return f"{source.path or source.name} ({source.kind}{size})"


def _quantization(record: ConvertRecord) -> str:
    config = record.config
    parts = [config.quantize.value if config.plan is None else f"{config.quantize.value} by a plan"]
    if record.mixed is not None and not record.mixed.kept and record.passed:
        parts[0] += ", which passes: nothing has to stay in float"
    if config.quantize.calibrates:
        examples = record.calibration_examples
        parts.append(f"calibrated on {examples} real samples" if examples else "all ranges given")
        parts.append(f"inputs and outputs {config.io_dtype}")
        count = len(record.float_operators)
        parts.append(f"{count} float operators" if count else "no float operator")
    return ", ".join(parts)


def _bytes(size: int, before: int | None) -> str:
    if not before:
        return f"{size:,} bytes"
    return f"{size:,} bytes, {size / before:.1%} of the model's file"


def _operators(operators: dict[str, int]) -> str:
    shown = [f"{count}x {name}" for name, count in operators.items()]
    more = [f"{len(shown) - 8} more kinds"] if len(shown) > 8 else []
    return f"{sum(operators.values())}: {', '.join(shown[:8] + more)}"


def _data(record: ConvertRecord) -> str:
    steps = record.data.get("preprocessing") or {}
    stated = ", ".join(f"{key} {_short(value)}" for key, value in steps.items()) or "none"
    return f"{record.data.get('source')}, preprocessing: {stated}"


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
