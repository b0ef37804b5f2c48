"""`tflite-squeeze export android`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.android.android_files import image_file
from tests.runtime.runtime_files import custom_file, named_dense_file
from tflite_squeeze.android.record import AndroidRecord


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(named_dense_file())
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("no\nyes\n\n", encoding="utf-8-sig")
    return path


@pytest.mark.slow
def test_a_folder_is_written_and_shown(run: Any, dense: Path, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(
        *("export", "android", dense, "-o", out, "--labels", labels),
        *("--package", "org.shop", "--name", "fruit_finder", "--json", tmp_path / "r.json"),
    )
    assert (done.code, done.err) == (0, "")
    for expected in ("org.shop.FruitFinder", "litert:2.3.2", "with 2 labels", "4 golden vectors"):
        assert expected in done.out
    assert (out / "assets" / "fruit_finder_labels.txt").read_bytes() == b"no\nyes\n"
    assert (out / "java" / "org" / "shop" / "FruitFinder.kt").is_file()
    record = AndroidRecord.model_validate(json.loads((tmp_path / "r.json").read_text()))
    assert record.class_name == "FruitFinder"
    # Again only with --force.
    again = ("export", "android", dense, "-o", out, "--name", "fruit_finder")
    assert "exists: pass --force" in run(*again).refused()
    assert run("-q", *again, "--force").out == ""


def test_scaling_is_taken_over(run: Any, tmp_path: Path) -> None:
    (tmp_path / "image.tflite").write_bytes(image_file())
    scaling = ("--scale", "1/255", "--mean", "0.5,0.25,0", "--std", "2")
    done = run("export", "android", tmp_path / "image.tflite", "-o", tmp_path / "out", *scaling)
    assert done.code == 0
    kotlin = (tmp_path / "out/java/com/example/app/Classifier.kt").read_text()
    assert "MEAN = doubleArrayOf(0.5, 0.25, 0.0)" in kotlin
    assert "((raw[at] * 0.00392156862745098 - MEAN[channel]) / 2.0).toFloat()" in kotlin


def test_golden_vectors_are_real_samples_with_data(run: Any, files: Any, tmp_path: Path) -> None:
    command = ("export", "android", files.tflite, "-o", tmp_path / "out")
    done = run(*command, "--data", files.data, "--scale", "2")
    assert (done.code, done.err) == (0, "")
    assert "4 golden vectors of real samples" in done.out
    assert "holds 4 real inputs" in (tmp_path / "out" / "README.md").read_text()
    kotlin = (tmp_path / "out/java/com/example/app/Classifier.kt").read_text()
    assert "((raw[at] * 2.0 - 0.0) / 1.0).toFloat()" in kotlin
    refused = run("export", "android", files.tflite, "-o", tmp_path / "no", "--color", "rgb")
    assert "pass --data SOURCE too" in refused.refused()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--package", "app"], "--package: 'app' is not a valid package"),
        (["--name", "5"], "--name: '5' cannot name a class"),
        (["--content", "sound"], "Invalid value for '--content'"),
        (["--scale", "much"], "--scale: 'much' is not a number"),
        (["--labels", "absent.txt"], "labels absent.txt does not exist"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    run: Any, dense: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    out = tmp_path / "out"
    assert said in run("export", "android", dense, "-o", out, *options).refused()
    assert not out.exists()


def test_labels_that_do_not_fit_are_refused(run: Any, dense: Path, tmp_path: Path) -> None:
    command = ("export", "android", dense, "-o", tmp_path / "out", "--labels", tmp_path / "l.txt")
    for content, said in (
        (b"a\nb\nc\n", "3 labels do not fit"),
        (b"a\n\nb\n", "line 2 is empty"),
        (b"\n", "is empty: write one class name"),
        (b"\xff\xfe", "are not UTF-8 text"),
    ):
        (tmp_path / "l.txt").write_bytes(content)
        assert said in run(*command).refused()
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_exported_are_one_line(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    for content, said in (
        (custom_file("LceBconv2d"), "Larq's operators LceBconv2d"),
        (b"no model", "not a .tflite file"),
        (named_dense_file()[:200], "damaged"),
    ):
        path.write_bytes(content)
        assert said in run("export", "android", path, "-o", tmp_path / "out").refused()
    assert "does not exist" in run("export", "android", "no", "-o", tmp_path / "out").refused()
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over_the_input(run: Any, dense: Path, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    inside = tmp_path / "assets" / "classifier.tflite"
    inside.write_bytes(dense.read_bytes())
    done = run("export", "android", inside, "-o", tmp_path, "--force")
    assert "is the input itself" in done.refused()
    assert inside.read_bytes() == dense.read_bytes()


def test_the_help_has_an_example(run: Any) -> None:
    done = run("export", "android", "--help")
    assert "Example: tflite-squeeze export android" in " ".join(done.out.split())
