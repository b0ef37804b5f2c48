"""Names and literals for Kotlin."""

import pytest

from tflite_squeeze.android import kotlin_names as names


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["image"], ["image"]),
        (["serving_default_x:0"], ["servingDefaultX0"]),
        (["Identity", "identity"], ["identity", "identity2"]),
        (["class", "run", "7", "é"], ["input0", "input1", "input2", "input3"]),
        (["2nd value"], ["ndValue"]),
    ],
)
def test_parameters_have_names_of_their_own(given: list[str], expected: list[str]) -> None:
    assert names.camel_names(given, "input") == expected


def test_outputs_are_named_apart_from_inputs() -> None:
    assert names.camel_names(["x", "y"], "output", ["x"]) == ["x2", "y"]


@pytest.mark.parametrize("good", ["com.example.app", "a.b", "org.x_1.Y"])
def test_packages(good: str) -> None:
    assert names.is_package(good)


@pytest.mark.parametrize(
    "bad", ["app", "com.1x.app", "com..app", "com.new.app", "a.é", "a.b\n", ""]
)
def test_what_is_no_package(bad: str) -> None:
    assert not names.is_package(bad)


def test_classes() -> None:
    assert names.class_name("lenet_5") == "Lenet5"
    assert names.class_name("faceDetector") == "FaceDetector"
    assert names.is_asset_name("lenet_5")
    assert not names.is_asset_name("5_lenet")
    assert not names.is_asset_name("../lenet")


def test_literals_hold_any_text() -> None:
    assert names.string_literal('a"$\\b') == '"a\\"\\$\\\\b"'
    assert names.string_literal("é\n😀") == '"\\u00e9\\u000a\\ud83d\\ude00"'


def test_comments_end_where_they_should() -> None:
    assert names.comment("a */ b /* c\n") == "a * / b / * c "
