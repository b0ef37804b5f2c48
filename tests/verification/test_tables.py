"""A verification as tables."""

import math
from typing import Any

import numpy as np

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.tables.layout import grids
from tflite_squeeze.verification.labels import column_errors
from tflite_squeeze.verification.parts import compare_parts
from tflite_squeeze.verification.record import (
    Accuracy,
    OutputFidelity,
    TensorFidelity,
    Tolerance,
    VerifyRecord,
)
from tflite_squeeze.verification.tables import verdict, verify_tables


def _output(**values: Any) -> OutputFidelity:
    sound: dict[str, Any] = {
        "signature": "s",
        "output": "y",
        "max_abs_difference": 0.125,
        "mean_abs_difference": 0.5,
        "sqnr_db": 31.26,
        "cosine": 0.9990001,
    }
    return OutputFidelity(**{**sound, **values})


def _record(**values: Any) -> VerifyRecord:
    sound: dict[str, Any] = {
        "passed": True,
        "failures": (),
        "tolerance": Tolerance(max_drop=0.01, strict=False, min_sqnr_db=8, min_agreement=0.85),
        "quantization": Quantization.INT8,
        "examples": 64,
        "real_samples": True,
        "data": {},
        "outputs": (_output(),),
        "seconds": 1.0,
    }
    return VerifyRecord(**{**sound, **values})


def _tensors(count: int) -> tuple[TensorFidelity, ...]:
    return tuple(
        TensorFidelity(tensor=f"t{i}", operator="ADD", sqnr_db=100 - i, max_abs_difference=i)
        for i in range(count)
    )


def test_fidelity() -> None:
    (table,) = verify_tables(_record(notes=("a note",)))
    assert table.title == "File (int8) beside model, 64 real samples"
    assert table.rows == (("y", "0.125", "0.5", "31.3", "0.999000", None),)
    assert table.notes == (
        "limits: SQNR ≥ 8 dB, of each column about its mean ≥ 6 dB, same class ≥ 85%, accuracy "
        "falls by ≤ 1.00%",
        "a note",
    )


def test_infinite_decibels_are_words() -> None:
    outputs = (_output(sqnr_db=math.inf), _output(sqnr_db=-math.inf))
    (table,) = verify_tables(_record(outputs=outputs))
    assert [row[3] for row in table.rows] == ["exact", "-∞"]


def test_several_signatures_are_named() -> None:
    outputs = (_output(), _output(signature="t"))
    (table,) = verify_tables(_record(outputs=outputs))
    assert [row[0] for row in table.rows] == ["s: y", "t: y"]


def test_accuracy_in_points_with_its_interval() -> None:
    accuracy = Accuracy(
        reference=0.9, file=0.875, difference=-0.025, low=-0.05, high=0.001, examples=400
    )
    _, table = verify_tables(_record(outputs=(_output(agreement=0.95, accuracy=accuracy),)))
    assert table.rows == (("y", "90.00%", "87.50%", "-2.50", "[-5.00, +0.10]", 400),)


def test_lost_columns_the_worst_only() -> None:
    reference = np.outer(np.resize([1.0, -1.0], 16), np.full(11, 300.0)) + 1000
    axes = compare_parts(reference, reference * 0 + 1000, 6)
    _, table = verify_tables(_record(outputs=(_output(parts=axes),)))
    assert table.title == "Columns of y that are lost, below 6 dB"
    assert len(table.rows) == 8
    assert table.rows[0] == (0, "1000 ± 3e+02", "constant", "0.0")
    assert table.notes == ("and 3 more of 11",)
    assert len(grids(table, 80)) == 1  # neither turned nor split


def test_errors_by_column() -> None:
    labels = np.outer([0.0, 2.0], np.ones(10))
    errors = column_errors(labels, labels + np.arange(10) / 100, labels)
    _, table = verify_tables(_record(outputs=(_output(errors=errors),)))
    assert table.rows[0] == (9, "0", "0.09", "+9.00%")
    assert (len(table.rows), table.notes) == (8, ("and 2 more columns, which rise less",))


def test_inside_a_file_the_neighbourhood_of_the_fault_is_shown() -> None:
    _, table = verify_tables(_record(passed=False, tensors=_tensors(40), diverges_at="t20"))
    assert [row[1] for row in table.rows] == [f"t{i}" for i in range(17, 29)]
    assert [row[0] for row in table.rows].index("→") == 3
    assert table.notes == ("28 other tensors are in the JSON record",)


def test_long_names_are_cut() -> None:
    tensor = TensorFidelity(tensor="x" * 100, operator="ADD", sqnr_db=1, max_abs_difference=1)
    _, table = verify_tables(_record(tensors=(tensor,), diverges_at=tensor.tensor))
    assert table.rows[0][1] == "x" * 57 + "…"


def test_verdicts() -> None:
    assert verdict(_record()) == "verified: the file answers as the model does on 64 real samples"
    assert verdict(_record(real_samples=False)).endswith("64 random inputs")
    assert verdict(_record(examples=1)).endswith("1 real sample")
    failed = _record(passed=False, failures=("too noisy", "too wrong"), diverges_at="t3")
    assert verdict(failed) == "failed: too noisy; too wrong; it diverges first at t3"
