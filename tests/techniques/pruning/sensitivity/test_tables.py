"""Curves of quality against sparsity as a table and a plot."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest

from tflite_squeeze.techniques.pruning.sensitivity.record import SensitivityRecord
from tflite_squeeze.techniques.pruning.sensitivity.tables import (
    sensitivity_plot,
    sensitivity_tables,
)


def _record(**values: Any) -> SensitivityRecord:
    sound: dict[str, Any] = {
        "model": "net",
        "sha256": "0" * 64,
        "metric": "accuracy",
        "whole": 0.9,
        "granularity": "element",
        "samples": 500,
        "data": "data.npz",
        "sizes": {"hidden/kernel": 12345, "scores/kernel": 48},
        "points": {
            "hidden/kernel": ((0.5, 0.9), (0.9, 0.75)),
            "scores/kernel": ((0.5, 0.625),),
        },
        "complete": True,
    }
    return SensitivityRecord(**{**sound, **values})


def test_a_row_per_weight_and_a_column_per_sparsity() -> None:
    (table,) = sensitivity_tables(_record())
    assert table.title == "Accuracy of net when one weight alone is pruned"
    assert table.columns == ("weight", "parameters", "50%", "90%")
    assert table.rows == (
        ("hidden/kernel", "12,345", "90.00%", "75.00%"),
        ("scores/kernel", "48", "62.50%", None),  # not measured is not zero
    )
    (note,) = table.notes
    assert note == "whole model: 90.00%, on 500 examples of data.npz; no training"


def test_a_loss_is_no_percentage() -> None:
    record = _record(metric="loss", whole=0.123456, samples=1256)
    (table,) = sensitivity_tables(record)
    assert table.title.startswith("Loss of net")
    assert table.rows[0][2:] == ("0.9", "0.75")
    assert table.notes[0] == "whole model: 0.1235, on 1,256 examples of data.npz; no training"


def _pixels(png: bytes) -> np.ndarray:
    """Checks a PNG chunk by chunk and returns the bytes of its lines."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    position, data, kinds = 8, b"", []
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        kind = png[position + 4 : position + 8]
        body = png[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack(">I", png[position + 8 + length : position + 12 + length])
        assert checksum == zlib.crc32(kind + body)
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        data += body if kind == b"IDAT" else b""
        kinds.append(kind)
        position += 12 + length
    assert kinds[-1] == b"IEND"
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, -1)
    assert lines.shape == (height, 1 + 4 * width)
    assert (width, height) == (960, 600)
    return lines


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_the_plot_is_a_png(metric: str) -> None:
    drawn = _pixels(sensitivity_plot(_record(metric=metric)))
    empty = _record(metric=metric, points={"hidden/kernel": ((0.5, 0.9),)})
    assert not np.array_equal(drawn, _pixels(sensitivity_plot(empty)))


def test_many_weights_fit_into_the_legend() -> None:
    names = [f"conv_{number}/kernel" for number in range(24)]
    record = _record(
        sizes=dict.fromkeys(names, 10), points=dict.fromkeys(names, ((0.5, 0.8), (0.9, 0.2)))
    )
    _pixels(sensitivity_plot(record))
