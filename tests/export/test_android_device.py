"""Exports in a real APK, their Kotlin compiled and run.

See `android_tools` for what stands for a device.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.export import android_tools as tools
from tests.export.android_files import FILES, PACKAGE, exported
from tests.measure.runtime_files import named_dense_file
from tflite_squeeze.export.android import AndroidExport, export_android
from tflite_squeeze.export.android_config import ExportAndroid

needs_packager = tools.needed(tools.missing_packager())
needs_compiler = tools.needed(tools.missing_packager() or tools.missing_compiler())
pytestmark = pytest.mark.xdist_group("android")


def assets(exports: list[AndroidExport], below: str) -> dict[str, bytes]:
    return {
        path.removeprefix(below): content
        for one in exports
        for path, content in one.files.items()
        if path.startswith(below)
    }


@dataclass(frozen=True)
class Device:
    """Two APKs and the classes in them."""

    folder: Path
    stubs: Path
    app: Path
    test: Path
    exports: dict[str, AndroidExport]

    @property
    def classes(self) -> Path:
        return self.folder / "classes"


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    folder = tmp_path_factory.mktemp("android")
    exports = {name: exported(name) for name in FILES}
    (folder / "exports").mkdir()
    for name, one in exports.items():
        one.save(folder / "exports" / name)
    fragment = (folder / "exports" / "dense" / "build.gradle.kts").read_text()
    # Gradle's own way: the lines are the body of a script.
    script = folder / "Fragment.kt"
    script.write_text(f"import gradle.*\n\nfun fragment() {{\n{fragment}}}\n")
    sources = [*(folder / "exports").rglob("*.kt"), script]
    sources += [tools.HERE / "ExportedTest.kt", *(tools.HERE / "android_stubs").rglob("*.kt")]
    stubs = tools.compile_stubs(folder)
    tools.compile_kotlin(sources, folder / "classes", stubs)
    whole = list(exports.values())
    return Device(
        folder=folder,
        stubs=stubs,
        app=tools.build_apk(folder / "app", assets(whole, "assets/"), package=PACKAGE),
        test=tools.build_apk(
            folder / "test", assets(whole, "androidTest/assets/"), package=f"{PACKAGE}.test"
        ),
        exports=exports,
    )


@needs_compiler
def test_golden_vectors_are_found_again_by_the_kotlin_class(device: Device) -> None:
    names = [f"{PACKAGE}.{one.record.class_name}GoldenTest" for one in device.exports.values()]
    code, said = tools.run_tests(
        names, device.classes, device.stubs, app=device.app, test=device.test
    )
    assert f"OK ({3 * len(FILES)} tests)" in said, said
    assert code == 0


@needs_compiler
def test_the_kotlin_class_does_what_it_says(device: Device) -> None:
    code, said = tools.run_tests(
        [f"{PACKAGE}.ExportedTest"], device.classes, device.stubs, app=device.app, test=device.test
    )
    assert code == 0, said
    assert "OK (9 tests)" in said


@needs_compiler
def test_wrong_vectors_and_another_model_are_noticed(device: Device) -> None:
    whole = [device.exports["dense"]]
    vectors = bytearray(assets(whole, "androidTest/assets/")["dense_golden.bin"])
    vectors[-1] ^= 0x40  # the exponent of the last expected output
    vectors[20] ^= 1  # the hash of the model
    test = tools.build_apk(
        device.folder / "wrong", {"dense_golden.bin": bytes(vectors)}, package=f"{PACKAGE}.test"
    )
    code, said = tools.run_tests(
        [f"{PACKAGE}.DenseGoldenTest"], device.classes, device.stubs, app=device.app, test=test
    )
    assert code == 1
    assert "Failures: 3" in said
    assert "scores[1] of case 3 is" in said


@needs_compiler
def test_a_compressed_asset_cannot_be_mapped(device: Device) -> None:
    app = tools.build_apk(
        device.folder / "compressed",
        assets(list(device.exports.values()), "assets/"),
        package=PACKAGE,
        no_compress=False,
    )
    _, said = tools.run_tests(
        [f"{PACKAGE}.DenseGoldenTest"], device.classes, device.stubs, app=app, test=device.test
    )
    assert "dense.tflite: it is probably compressed" in said


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
