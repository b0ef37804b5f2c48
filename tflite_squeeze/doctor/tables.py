"""The state of an installation as tables."""

from tflite_squeeze.doctor.doctor import DoctorRecord
from tflite_squeeze.tables.table import Table


def doctor_tables(record: DoctorRecord) -> list[Table]:
    """Versions, and what works.

    Args:
        record: what was found.
    """
    versions = Table(
        title=f"tflite_squeeze {record.version} on Python {record.python}, {record.system}",
        columns=("package", "version"),
        rows=tuple((name, version or "not installed") for name, version in record.packages.items()),
        notes=(f"{record.cpus} processors",),
    )
    parts = Table(
        title="What works",
        columns=("part", "status", "what to do"),
        rows=tuple(
            (part.name, part.status + (" (optional)" if part.optional else ""), part.hint)
            for part in record.parts
        ),
    )
    return [versions, parts]
