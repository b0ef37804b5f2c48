"""Real files on Android: those that nobody here made, and every reference network in int8."""

from pathlib import Path

import pytest

from tests.android import android_tools as tools
from tests.android.android_device import Device, device_of
from tests.integration.foreign_files import FLOAT, FLOAT16, SPARSE, STREAMING, foreign_file
from tflite_squeeze import Convert, convert
from tflite_squeeze.android import ExportAndroid, export_android
from tflite_squeeze.android.export import AndroidExport
from tflite_squeeze.android.interface import Runtime, State

pytestmark = [pytest.mark.xdist_group("android-integration"), pytest.mark.slow]
FOREIGN = (*FLOAT, *FLOAT16, *SPARSE, *STREAMING)
REFERENCE = {
    "lenet_300_100": "lenet_300_100.keras",
    "lenet_5": "lenet_5.keras",
    "lenet_5_tf_keras": "lenet_5.h5",
    "mobilenet_v1_025": "mobilenet_v1_025.keras",
    "resnet_8": "resnet_8.keras",
    "watch_lstm": "watch_lstm.keras",
}


def named(name: str, content: bytes) -> AndroidExport:
    return export_android(content, ExportAndroid(package="com.example.app", name=name))


@pytest.fixture(scope="module")
def foreign() -> dict[str, AndroidExport]:
    return {name: named(name, foreign_file(name).read_bytes()) for name in FOREIGN}


@pytest.fixture(scope="module")
def reference(models: Path, samples: Path) -> dict[str, AndroidExport]:
    exports = {}
    for name, file in REFERENCE.items():
        data = samples / ("watch.npz" if name == "watch_lstm" else "fashion-mnist.npz")
        config = Convert(quantize="int8", calibration_samples=32)
        converted = convert(models / file, config, data, verification=None)
        exports[name] = named(name, converted.tflite)
    return exports


def test_all_foreign_files_are_exported(foreign: dict[str, AndroidExport]) -> None:
    for name, one in foreign.items():
        interface = one.record.interface
        assert interface.runtime is Runtime.LITERT
        assert interface.state is (State.VARIABLES if name in STREAMING else State.NONE)
        assert one.record.cases >= 1
        assert one.record.metadata == "written"
    ends = foreign["okay_nabu"].record.interface
    assert [(one.dtype, one.array) for one in (*ends.inputs, *ends.outputs)] == [
        ("int8", "FloatArray"),
        ("uint8", "FloatArray"),
    ]


def test_reference_networks_carry_what_the_conversion_knew(
    reference: dict[str, AndroidExport],
) -> None:
    for name, one in reference.items():
        if name == "watch_lstm":
            assert one.record.interface.state is State.CELLS
            continue
        assert one.record.labels[9] == "Ankle boot"
        kotlin = next(
            text.decode()
            for path, text in one.files.items()
            if path.startswith("java/") and path.endswith(".kt")
        )
        assert "((raw[at] * 0.00392156862745098 - 0.0) / 1.0).toFloat()" in kotlin


@tools.needed(tools.missing_packager() or tools.missing_compiler())
def test_their_classes_compile_and_find_the_golden_outputs(
    foreign: dict[str, AndroidExport],
    reference: dict[str, AndroidExport],
    tmp_path: Path,
) -> None:
    device: Device = device_of(tmp_path, {**foreign, **reference})
    code, said = device.run_golden_tests()
    assert code == 0, said
    assert f"OK ({3 * (len(FOREIGN) + len(REFERENCE))} tests)" in said
