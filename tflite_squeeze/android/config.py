"""TODO docstring."""

from typing import Literal

from pydantic import Field, field_validator

from tflite_squeeze.android.kotlin_names import is_asset_name, is_package
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.frozen import Frozen


class ExportAndroid(Frozen):
    """How a file is packed for an Android application.

    Attributes:
        package: the Kotlin package of the class.
        name: begins the names of the assets; the class is named after it.
        labels: class names, one for each value of an output; empty takes those that the file
            carries.
        preprocessing: what raw values went through before they met the model; None takes what
            the file carries.
        content: whether the metadata call the input an image or plain features; "auto" calls an
            input of 3 channels an image, and one of 1 channel if it is square.
        seed: of the made-up inputs of the golden vectors.

    Example:
        >>> ExportAndroid(name="lenet_5").package
        'com.example.app'
    """

    package: str = "com.example.app"
    name: str = "classifier"
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    content: Literal["auto", "image", "feature"] = "auto"
    seed: int = Field(default=0, ge=0)

    @field_validator("package")
    @classmethod
    def _is_a_package(cls, value: str) -> str:
        if not is_package(value):
            raise ValueError(
                f"{value!r} is no package of an Android application: write two or more names of "
                f"letters, digits and _ with dots between them, such as com.example.app"
            )
        return value

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not is_asset_name(value):
            raise ValueError(
                f"{value!r} cannot name a class: write letters, digits and _, a letter first"
            )
        return value

    @field_validator("labels")
    @classmethod
    def _are_lines(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for label in value:
            if len(label.splitlines()) != 1 or not label.strip():
                raise ValueError(f"label {label!r} is not one line of text")
        return value
