"""The text of an export for Android: the values that its templates are filled with."""

import math
from dataclasses import dataclass
from typing import Any

from tflite_squeeze.android.asset import preprocessing_of
from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.android.golden import Golden
from tflite_squeeze.android.interface import SELECT_OPS_VERSION, AndroidInterface, Runtime
from tflite_squeeze.android.known_files import Known
from tflite_squeeze.android.kotlin_names import (
    class_name,
    comment,
    constant_name,
    string_literal,
)
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.files.templates import environment
from tflite_squeeze.tables.table import laid_out_text, shape_text, text_of

LITERT_VERSION = "2.3.2"
MIN_SDK = 24

TEMPLATES = environment(
    "tflite_squeeze.android",
    {
        "comment": comment,
        "constant": constant_name,
        "literal": string_literal,
        "layout": laid_out_text,
        "shape": shape_text,
        "cell": lambda text: text_of(text).replace("|", "\\|"),
    },
)


@dataclass(frozen=True, kw_only=True)
class Project:
    """What the sources and the README of an export say.

    Attributes:
        config: the options.
        interface: how the file is called.
        known: what is known about it.
        golden: the golden vectors; None where no runtime here could compute them.
        real: whether their inputs are real samples.
        notes: further notes for its user.
    """

    config: ExportAndroid
    interface: AndroidInterface
    known: Known
    golden: Golden | None
    real: bool
    notes: tuple[str, ...]

    @property
    def class_name(self) -> str:
        """The Kotlin class that runs the file."""
        return class_name(self.config.name)

    def text(self, template: str, **more: Any) -> bytes:
        """A file of the project.

        Args:
            template: the name of its template, without the suffix.
            more: further values for this template.
        """
        values = self._values() | more
        return TEMPLATES.get_template(f"{template}.j2").render(values).encode()

    def _values(self) -> dict[str, Any]:
        labelled = self.known.labelled
        return {
            "package": self.config.package,
            "name": self.config.name,
            "packed": self.config.packed,
            "class_name": self.class_name,
            "about": self.known.description,
            "inputs": self.interface.inputs,
            "outputs": self.interface.outputs,
            "signature": self.interface.signature,
            "state": self.interface.state.value,
            "labelled": labelled,
            "classifies": labelled is not None and labelled.array == "FloatArray",
            "normalization": _normalization(self.interface, self.known.preprocessing),
            "golden": self.golden,
            "dependencies": dependencies(self.interface.runtime),
            "min_sdk": MIN_SDK,
        }


def dependencies(runtime: Runtime) -> tuple[str, ...]:
    """The libraries that run a file, as Gradle names them.

    Example:
        >>> dependencies(Runtime.LITERT)
        ('com.google.ai.edge.litert:litert:2.3.2',)
    """
    if runtime is Runtime.SELECT_OPS:
        # The interpreter of LiteRT 2 takes no delegates, and so has no select operators.
        return (
            f"org.tensorflow:tensorflow-lite:{SELECT_OPS_VERSION}",
            f"org.tensorflow:tensorflow-lite-select-tf-ops:{SELECT_OPS_VERSION}",
        )
    return (f"com.google.ai.edge.litert:litert:{LITERT_VERSION}",)


def _normalization(
    interface: AndroidInterface, given: Preprocessing | None
) -> dict[str, Any] | None:
    """What was done to the model's training data, one number or one for each channel."""
    inputs = [one for one in interface.inputs if preprocessing_of(one, given)]
    if given is None or not inputs:
        return None
    shape = inputs[0].shape
    axis = 1 if given.layout == "channels_first" else len(shape) - 1
    return {
        "inputs": inputs,
        "scale": float(given.scale),
        "mean": _reals(given.mean, 0.0),
        "std": _reals(given.std, 1.0),
        "channels": shape[axis] if shape else 1,
        "stride": math.prod(shape[axis + 1 :]),
    }


def _reals(value: float | tuple[float, ...] | None, default: float) -> float | list[float]:
    if value is None:
        return default
    return [float(one) for one in value] if isinstance(value, tuple) else float(value)
