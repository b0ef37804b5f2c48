"""Options of an export for Android."""

from typing import Literal

from pydantic import Field, field_validator

from tflite_squeeze.android.kotlin_names import is_asset_name, is_package
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.frozen import Frozen


class ExportAndroid(Frozen):
    """How a file is packed for an Android application.

    Example:
        >>> ExportAndroid(name="lenet_5").package
        'com.example.app'
    """

    package: str = Field(default="com.example.app", description="Kotlin package of the class.")
    name: str = Field(
        default="classifier",
        description="Prefix of the names of the assets; the class is named after it.",
    )
    labels: tuple[str, ...] = Field(
        default=(),
        description="Class names, one for each value of an output; by default those that the "
        "file carries.",
    )
    preprocessing: Preprocessing | None = Field(
        default=None,
        description="Preprocessing of raw values before the model; by default what the file "
        "carries.",
    )
    content: Literal["auto", "image", "feature"] = Field(
        default="auto",
        description='Kind of input in the metadata: "image", "feature", or "auto", which '
        "treats 3 channels, or a square with 1 channel, as an image.",
    )
    packed: bool = Field(
        default=False,
        description="Store the model as a packed file, which the class unpacks once into the "
        "application's files directory.",
    )
    seed: int = Field(
        default=0, ge=0, description="Seed of the made-up inputs of the golden vectors."
    )

    @field_validator("package")
    @classmethod
    def _is_a_package(cls, value: str) -> str:
        if not is_package(value):
            raise ValueError(
                f"{value!r} is not a valid package of an Android application: write two or more "
                f"names of letters, digits and _ with dots between them, such as com.example.app"
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
