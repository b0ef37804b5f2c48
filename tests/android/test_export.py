"""What an export for Android holds."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.android.android_files import FILES, PACKAGE, RGB, exported, image_file, two_ended_file
from tests.runtime.runtime_files import (
    custom_file,
    named_dense_file,
    two_signatures_file,
    uint8_dense_file,
)
from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.android.export import export_android
from tflite_squeeze.android.metadata import read_model_metadata, with_model_metadata
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError, UnsupportedError, UsageError
from tflite_squeeze.runtime.run import run_cases
from tflite_squeeze.tflite.tidy import with_facts

TOLD = {"name": "pets", "version": "9", "labels": ["cat", "dog"]}


def test_everything_an_application_needs_is_there(tmp_path: Path) -> None:
    one = export_android(named_dense_file(), ExportAndroid(labels=("no", "yes")))
    assert list(one.files) == [
        "assets/classifier.tflite",
        "assets/classifier_labels.txt",
        "java/com/example/app/Classifier.kt",
        "build.gradle.kts",
        "androidTest/assets/classifier_golden.bin",
        "androidTest/java/com/example/app/ClassifierGoldenTest.kt",
        "README.md",
        "SHA256SUMS",
    ]
    assert one.files["assets/classifier_labels.txt"] == b"no\nyes\n"
    gradle = one.files["build.gradle.kts"].decode()
    assert 'implementation("com.google.ai.edge.litert:litert:2.3.2")' in gradle
    assert 'noCompress += "tflite"' in gradle
    folder = one.save(tmp_path / "out")
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=False
    )
    assert done.returncode == 0
    assert len((folder / "SHA256SUMS").read_text().splitlines()) == len(one.files) - 1
    for file in one.record.files:
        content = (folder / file.path).read_bytes()
        assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_equal_input_gives_equal_files() -> None:
    make, about = FILES["dense"]
    config = ExportAndroid(package=PACKAGE, name="dense", **about)
    assert export_android(make(), config).files == exported("dense").files


def test_the_readme_says_what_to_do() -> None:
    text = exported("image").files["README.md"].decode()
    for expected in (
        "cp -r assets java APP/src/main/",
        "cp -r androidTest APP/src/",
        "`com.google.ai.edge.litert:litert:2.3.2`",
        "val best = model.classify(image).first()",
        "Image.normalized(raw)",
        "| input | `image: FloatArray` | 1x2x2x3 (NHWC: channels last) | float32 |",
        "`TFSQGOLD`",
    ):
        assert expected in text
    assert "continuing" not in text
    assert "continuing = true" in exported("cells").files["README.md"].decode()


def test_the_asset_answers_as_the_file_does() -> None:
    asset = exported("image").files["assets/image.tflite"]
    x = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    ours, theirs = (run_cases(one, [{"image": x}])[0]["y"] for one in (asset, image_file()))
    np.testing.assert_array_equal(ours, theirs)


def test_the_metadata_say_what_is_known() -> None:
    found = read_model_metadata(exported("image").files["assets/image.tflite"])
    assert found is not None
    assert found.labels() == ("r", "g", "b")
    (image,) = found.fields["subgraph_metadata"][0]["input_tensor_metadata"]
    assert image["content"]["content_properties"][0] == "ImageProperties"
    assert image["process_units"][0]["options"][1]["mean"] == pytest.approx([127.5, 63.75, 0])
    plain = export_android(image_file(), ExportAndroid(content="feature"))
    found = read_model_metadata(plain.files["assets/classifier.tflite"])
    assert found is not None
    (image,) = found.fields["subgraph_metadata"][0]["input_tensor_metadata"]
    assert image["content"]["content_properties"] == ("FeatureProperties", {})
    assert "process_units" not in image


def test_metadata_follow_the_order_of_the_subgraph() -> None:
    found = read_model_metadata(export_android(two_ended_file()).files["assets/classifier.tflite"])
    assert found is not None
    (subgraph,) = found.fields["subgraph_metadata"]
    assert [one["name"] for one in subgraph["input_tensor_metadata"]] == ["a b", "class"]
    assert [one["name"] for one in subgraph["output_tensor_metadata"]] == ['$"run\\', "a b"]


@pytest.mark.slow
def test_what_our_own_files_carry_is_taken_over() -> None:
    told = with_facts(named_dense_file(), **TOLD, preprocessing={"scale": 0.5, "mean": 1.0})
    one = export_android(told)
    assert one.record.labels == ("cat", "dog")
    kotlin = one.files["java/com/example/app/Classifier.kt"].decode()
    assert "((raw[at] * 0.5 - 1.0) / 1.0).toFloat()" in kotlin
    found = read_model_metadata(one.files["assets/classifier.tflite"])
    assert found is not None
    assert (found.fields["name"], found.fields["version"]) == ("pets", "9")
    (x,) = found.fields["subgraph_metadata"][0]["input_tensor_metadata"]
    assert x["process_units"][0]["options"][1] == {"mean": [2.0], "std": [2.0]}
    # The user's word counts more.
    config = ExportAndroid(labels=("a", "b"), preprocessing=Preprocessing(scale=2.0))
    assert export_android(told, config).record.labels == ("a", "b")


@pytest.mark.slow
def test_metadata_that_are_there_already_are_kept() -> None:
    before = with_model_metadata(named_dense_file(), {"name": "theirs", "author": "A"}, {})
    one = export_android(before)
    assert one.record.metadata == "kept"
    assert one.files["assets/classifier.tflite"] == before
    again = export_android(exported("image").files["assets/image.tflite"])
    assert (again.record.metadata, again.record.labels) == ("kept", ("r", "g", "b"))
    assert again.files["assets/classifier_labels.txt"] == b"r\ng\nb\n"
    for more in ({"labels": ("no", "yes")}, {"preprocessing": RGB}):
        assert export_android(before, ExportAndroid(**more)).record.metadata == "written"


def test_labels_must_fit_an_output() -> None:
    with pytest.raises(InputError, match=r"3 labels do not fit the outputs.*\(scores: 2\)"):
        export_android(named_dense_file(), ExportAndroid(labels=("a", "b", "c")))
    # Those that the file carries are left out, and the record says so.
    one = export_android(with_facts(named_dense_file(), labels=["a", "b", "c"]))
    assert (one.record.labels, len(one.record.notes)) == ((), 1)
    assert "left out what the file carries: 3 labels" in one.record.notes[0]
    assert "assets/classifier_labels.txt" not in one.files


def test_select_operators_bring_their_library_and_no_vectors() -> None:
    one = export_android(custom_file("FlexTan"))
    assert one.record.dependencies == (
        "org.tensorflow:tensorflow-lite:2.16.1",
        "org.tensorflow:tensorflow-lite-select-tf-ops:2.16.1",
    )
    gradle = one.files["build.gradle.kts"].decode()
    assert "tensorflow-lite-select-tf-ops:2.16.1" in gradle
    assert "androidTest" not in gradle
    assert one.record.cases == 0
    assert not any(path.startswith("androidTest") for path in one.files)
    assert "no runtime here has these operators" in one.files["README.md"].decode()


def test_larq_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="Larq Compute Engine's own Android library"):
        export_android(custom_file("LceQuantize"))


def test_several_signatures_are_mentioned() -> None:
    (note,) = export_android(two_signatures_file()).record.notes
    assert note == "the class calls signature 'relu', the first of 2"


def test_legacy_uint8_is_called_what_it_is() -> None:
    (note,) = export_android(uint8_dense_file()).record.notes
    assert "legacy uint8 quantization" in note


def test_preprocessing_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="scales by 0"):
        export_android(image_file(), ExportAndroid(preprocessing=Preprocessing(scale=0)))


def test_facts_that_cannot_be_read_are_refused() -> None:
    told = with_facts(named_dense_file(), preprocessing={"scale": "much"})
    with pytest.raises(InputError, match="preprocessing that the file carries cannot be used"):
        export_android(told)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("package", "app", "not a valid package"),
        ("name", "5x", "cannot name a class"),
        ("labels", ("a", "b\nc"), "is not one line"),
        ("content", "sound", "Input should be"),
    ],
)
def test_configs_are_checked(field: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ExportAndroid(**{field: value})


def test_configs_round_trip() -> None:
    config = ExportAndroid(name="x", labels=("a",), preprocessing=RGB, content="image")
    assert ExportAndroid.model_validate_json(config.model_dump_json()) == config


def test_an_export_on_made_up_inputs_takes_no_tensorflow() -> None:
    code = "import sys, tflite_squeeze.android.export; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
