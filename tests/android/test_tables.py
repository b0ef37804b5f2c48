"""An export for Android as tables."""

from tests.android.android_files import exported
from tflite_squeeze.android.tables import android_tables


def test_the_tables_show_how_to_call_the_class_and_what_was_written() -> None:
    record = exported("image").record
    interface, files = android_tables(record)
    assert interface.title == "com.example.exported.Image"
    assert interface.rows[0] == ("input", "image: FloatArray", "1x2x2x3", "float32", None)
    assert interface.rows[1][:4] == ("output", "y: FloatArray", "1x3", "float32")
    assert interface.rows[1][4] == record.tolerances["y"]
    assert interface.notes == (
        "runs with com.google.ai.edge.litert:litert:2.3.2",
        "TFLite metadata: written, with 3 labels",
        "4 golden vectors of made-up inputs, computed by LiteRT's interpreter",
    )
    assert files.rows[0] == ("assets/image.tflite", record.files[0].bytes)
    assert len(files.rows) == len(record.files)
