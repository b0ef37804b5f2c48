"""The text of an export, as its templates write it."""

import jinja2
import pytest

from tests.android.android_files import exported, two_ended_file
from tests.tiny_files import FileMaker
from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.android.export import export_android
from tflite_squeeze.android.project import TEMPLATES


def test_every_template_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used = jinja2.utils.LRUCache(50)
    monkeypatch.setattr(TEMPLATES, "cache", used)
    export_android(two_ended_file())
    assert {name for _, name in used} == set(TEMPLATES.list_templates())


def test_the_class_is_written_for_its_inputs_and_outputs() -> None:
    kotlin = exported("two_ended").files["java/com/example/exported/TwoEnded.kt"].decode()
    assert "fun run(aB: FloatArray, input1: FloatArray): Outputs {" in kotlin
    assert "arrayOf<Any>(aBTensor, input1Tensor)," in kotlin
    assert "mapOf<Int, Any>(0 to output0Tensor, 1 to aB2Tensor)," in kotlin
    one = exported("int8").files["java/com/example/exported/Int8.kt"].decode()
    assert "qTensor.put(quantized(value, 0.5, -3, -128.0, 127.0).toByte())" in one
    assert "return FloatArray(4) { ((outTensor.get().toInt() - -3.0) * 0.5).toFloat() }" in one


def test_the_readme_holds_names_of_any_kind() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 2)), maker.tensor("p|q\nr", (1, 2))
    maker.operator("RELU", [x], [y])
    exported = export_android(maker.file([x], [y]), ExportAndroid(name="pipe"))
    rows = exported.files["README.md"].decode().splitlines()
    assert any(row.startswith("| p\\|q\\nr | 0 | ") for row in rows)
