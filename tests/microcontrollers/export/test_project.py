"""The generated code, as its templates write it."""

import jinja2
import pytest

from tests.runtime.runtime_files import int8_dense_file, named_dense_file
from tflite_squeeze.microcontrollers.export.config import ExportMicro
from tflite_squeeze.microcontrollers.export.export import export_micro
from tflite_squeeze.microcontrollers.export.project import TEMPLATES


def test_every_template_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used = jinja2.utils.LRUCache(50)
    monkeypatch.setattr(TEMPLATES, "cache", used)
    export_micro(named_dense_file())
    sketch = export_micro(named_dense_file(), ExportMicro(arduino=True))
    assert {name for _, name in used} == set(TEMPLATES.list_templates())
    assert "model/model.ino" in sketch.files


def test_an_integer_tensor_in_the_header() -> None:
    header = export_micro(int8_dense_file(), ExportMicro(name="m")).files["m.h"].decode()
    for line in (
        "/* y: int8 1x8, real = (q - 0) * 0.125 */",
        "#define M_OUTPUT0_RANK 2",
        "#define M_OUTPUT0_SHAPE {1, 8}",
        "#define M_OUTPUT0_SIZE 8",
        "#define M_OUTPUT0_BYTES 8",
        "#define M_OUTPUT0_SCALE 0.125f",
        "#define M_OUTPUT0_ZERO_POINT (0)",
    ):
        assert f"{line}\n" in header


def test_a_real_tensor_has_no_scale() -> None:
    files = export_micro(named_dense_file()).files
    assert "SCALE" not in files["model.h"].decode()
    assert "(double)output0[i]);" in files["main.c"].decode()
