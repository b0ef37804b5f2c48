"""Shared values in a file, as tables."""

from tflite_squeeze.emission.shared_values.record import SharedInFile
from tflite_squeeze.emission.shared_values.tables import sharing_tables

KEPT = SharedInFile(name="a/kernel", tensor="a", values=16, stored=15, scales=1)


def test_every_kernel_says_what_became_of_it() -> None:
    lost = KEPT.model_copy(update={"name": "b/kernel", "stored": 17})
    float_ = SharedInFile(name="c/kernel", tensor="", values=16, stored=0, scales=0)
    (table,) = sharing_tables([KEPT, lost, float_])
    assert table.rows == (
        ("a/kernel", 16, 15, 1, "yes"),
        ("b/kernel", 16, 17, 1, "NO"),
        ("c/kernel", 16, "", "", "not among the int8 weights"),
    )
    assert "not the raw file" in table.notes[0]
    assert sharing_tables(()) == []
