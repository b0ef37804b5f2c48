"""Exports in a real APK, their Kotlin compiled and run; see `android_tools` for how."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.android import android_tools as tools
from tests.android.android_device import Device, assets, device_of
from tests.android.android_files import FILES, PACKAGE, exported
from tests.runtime.runtime_files import custom_file, named_dense_file
from tests.tiny_files import dense_file
from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.android.export import AndroidExport, export_android
from tflite_squeeze.packing.pack import pack

needs_packager = tools.needed(tools.missing_packager())
needs_compiler = tools.needed(tools.missing_packager() or tools.missing_compiler())
pytestmark = [pytest.mark.xdist_group("android"), pytest.mark.slow]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    exports = {name: exported(name) for name in FILES}
    select = ExportAndroid(package=PACKAGE, name="select")
    exports["select"] = export_android(custom_file("FlexTan"), select)
    return device_of(tmp_path_factory.mktemp("android"), exports, [tools.HERE / "ExportedTest.kt"])


@needs_compiler
def test_golden_vectors_are_found_again_by_the_kotlin_class(device: Device) -> None:
    code, said = device.run_golden_tests()
    assert f"OK ({3 * len(FILES)} tests)" in said, said
    assert code == 0


@needs_compiler
def test_the_kotlin_class_does_what_it_says(device: Device) -> None:
    code, said = device.run(f"{PACKAGE}.ExportedTest")
    assert code == 0, said
    assert "OK (10 tests)" in said


@needs_compiler
def test_wrong_vectors_and_another_model_are_noticed(device: Device, tmp_path: Path) -> None:
    vectors = bytearray(device.exports["dense"].files["androidTest/assets/dense_golden.bin"])
    vectors[-1] ^= 0x40  # the exponent of the last expected output
    vectors[20] ^= 1  # the hash of the model
    wrong = device.with_test_assets(tmp_path / "wrong", {"dense_golden.bin": bytes(vectors)})
    code, said = wrong.run(f"{PACKAGE}.DenseGoldenTest")
    assert code == 1
    assert "Failures: 3" in said
    assert "scores[1] of case 3 is" in said


@needs_compiler
def test_a_compressed_asset_cannot_be_mapped(device: Device, tmp_path: Path) -> None:
    compressed = device.with_app(tmp_path / "compressed", no_compress=False)
    _, said = compressed.run(f"{PACKAGE}.DenseGoldenTest")
    assert "dense.tflite: it is probably compressed" in said


@needs_compiler
def test_a_packed_asset_that_holds_another_model_is_noticed(device: Device, tmp_path: Path) -> None:
    content = dict(device.exports["packed"].files)
    content["assets/packed.tflite.sqz"] = pack(dense_file())
    other = AndroidExport(files=content, record=device.exports["packed"].record)
    wrong = replace(device, exports={"packed": other}).with_app(tmp_path / "other")
    code, said = wrong.run(f"{PACKAGE}.PackedGoldenTest")
    assert code == 1
    assert "packed.tflite.sqz holds another model" in said


@needs_packager
@pytest.mark.parametrize("tool", ["aapt2", "aapt"])
def test_the_asset_lies_in_the_apk_uncompressed_aligned_and_unchanged(
    tmp_path: Path, tool: str
) -> None:
    one = export_android(named_dense_file(), ExportAndroid(labels=("no", "yes")))
    packed = assets([one], "assets/")
    apk = tools.build_apk(tmp_path / "app", packed, package="com.example.app", tool=tool)
    tools.told(["zipalign", "-c", "4", apk])
    assert set(packed) == {"classifier.tflite", "classifier_labels.txt"}
    with zipfile.ZipFile(apk) as archive:
        for name, content in packed.items():
            assert archive.read(f"assets/{name}") == content
        info = archive.getinfo("assets/classifier.tflite")
        assert info.compress_type == zipfile.ZIP_STORED
    offset = tools.offset_of(apk, info.filename)
    assert offset % 4 == 0
    mapped = apk.read_bytes()[offset : offset + info.file_size]
    assert mapped == packed["classifier.tflite"]
    assert "package: name='com.example.app'" in tools.told(["aapt", "dump", "badging", apk])
