"""The state of an installation as tables."""

from tflite_squeeze.doctor.doctor import DoctorRecord, Part
from tflite_squeeze.doctor.tables import doctor_tables


def test_versions_and_parts() -> None:
    record = DoctorRecord(
        version="1.0",
        python="3.11.2",
        system="Linux",
        cpus=2,
        packages={"numpy": "1.26.4", "larq": None},
        parts=(
            Part(name="Keras 3", status="works", optional=False),
            Part(name="Larq", status="missing", optional=True, hint="pip install larq"),
        ),
    )
    versions, parts = doctor_tables(record)
    assert versions.title == "tflite_squeeze 1.0 on Python 3.11.2, Linux"
    assert versions.rows == (("numpy", "1.26.4"), ("larq", "not installed"))
    assert parts.rows == (
        ("Keras 3", "works", ""),
        ("Larq", "missing (optional)", "pip install larq"),
    )
