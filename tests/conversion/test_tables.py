"""A conversion as tables."""

from typing import Any

from tests.tiny_files import dense_file
from tflite_squeeze.conversion.record import ConvertRecord, Source
from tflite_squeeze.conversion.tables import convert_tables
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.low_bit.record import NarrowedTensor
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.tflite.size import size_ledger

FILE = dense_file()


def _record(**values: Any) -> ConvertRecord:
    sound: dict[str, Any] = {
        "source": Source(
            name="net", kind="keras", sha256="0" * 64, path="net.keras",
            model_bytes=4 * len(FILE),
        ),
        "config": Convert(quantize="int8", batch=2),
        "sha256": "1" * 64,
        "size": size_ledger(FILE),
        "operators": {"FULLY_CONNECTED": 3, "ADD": 1},
        "calibration_examples": 100,
        "convert_seconds": 1.0,
    }  # fmt: skip
    return ConvertRecord(**{**sound, **values})


def _rows(**values: Any) -> dict[Any, Any]:
    (table,) = convert_tables(_record(**values))
    return dict(table.rows)  # type: ignore[arg-type]


def test_summary() -> None:
    assert _rows() == {
        "model": f"net.keras (keras, {4 * len(FILE):,} bytes)",
        "quantization": "int8, calibrated on 100 real samples, inputs and outputs float32, "
        "no float operator",
        "batch": "2",
        "file": f"{len(FILE):,} bytes, 25.0% of the model's file",
        "download (gzip -9)": f"{size_ledger(FILE).download_bytes:,} bytes",
        "operators": "4: 3x FULLY_CONNECTED, 1x ADD",
    }


def test_float_islands_are_counted() -> None:
    assert "2 float operators" in _rows(float_operators=("EXP → a", "LOG → b"))["quantization"]


def test_a_model_that_is_no_file_has_no_size() -> None:
    rows = _rows(
        source=Source(name="net", kind="functions", sha256="0"), config=Convert(batch="dynamic")
    )
    assert rows["model"] == "net (functions)"
    assert rows["file"] == f"{len(FILE):,} bytes"
    assert (rows["quantization"], rows["batch"]) == ("none", "dynamic")


def test_many_kinds_of_operators_are_cut() -> None:
    rows = _rows(operators={f"OP_{i}": 1 for i in range(12)})
    assert rows["operators"].startswith("12: 1x OP_0, ")
    assert rows["operators"].endswith("1x OP_7, 4 more kinds")


def test_data_and_its_preprocessing() -> None:
    data = {"source": "x.npz", "preprocessing": {"scale": 1 / 255, "layout": "channels_last"}}
    assert _rows(data=data)["data"] == (
        "x.npz, preprocessing: scale 0.00392157, layout channels_last"
    )
    assert _rows(data={"source": "x.npz"})["data"] == "x.npz, preprocessing: none"


def test_what_was_not_verified_says_why() -> None:
    (table,) = convert_tables(_record(notes=("a note",), unverified="it needs Flex"))
    assert table.notes == ("a note", "not verified: it needs Flex")


def test_a_plan_and_its_few_bits_are_shown() -> None:
    config = Convert(quantize="int8", plan=QuantizationPlan())
    assert _rows(config=config)["quantization"].startswith("int8 by a plan, calibrated on 100 real")
    rows = _rows(config=config, calibration_examples=0)
    assert rows["quantization"].startswith("int8 by a plan, all ranges given, inputs")
    narrow = NarrowedTensor(
        tensor="w", operator="FULLY_CONNECTED", shape=(2, 8), largest=7, stored="int4",
        bytes_before=1600, bytes_after=800,
    )  # fmt: skip
    _, table = convert_tables(_record(narrowed=(narrow, narrow)))
    assert table.rows[0] == ("w", "FULLY_CONNECTED", 7, "int4", 1600, 800, "")
    assert table.notes == ("3,200 bytes in 8 bits, 1,600 now, with the same numbers and scales",)
