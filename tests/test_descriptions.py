"""Every field of every config is described, and its description reaches all who show it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.comparison.record import Compare
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.data.tfrecord import RecordFeatures
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.microcontrollers.ethos_u_record import EthosUProfile
from tflite_squeeze.microcontrollers.export.config import ExportMicro
from tflite_squeeze.microcontrollers.record import MicroProfile
from tflite_squeeze.profiling.record import Profile
from tflite_squeeze.recipes.files import recipe_schema
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.techniques.pruning.config import Prune

# A recipe holds the configs of the techniques, of training, conversion and verification.
CONFIGS = (
    Recipe, Compare, EthosUProfile, ExportAndroid, ExportMicro, MicroProfile, Preprocessing,
    Profile, RecordFeatures,
)  # fmt: skip


def _undescribed(schema: dict[str, Any]) -> Iterator[str]:
    """The fields without a description, of a schema and of all that it refers to."""
    for name, part in {schema["title"]: schema, **schema.get("$defs", {})}.items():
        for field, said in part.get("properties", {}).items():
            text = said.get("description", "")
            if not (text.endswith(".") and len(text) > 10):
                yield f"{name}.{field}"


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_every_field_is_described(config: type[Frozen]) -> None:
    assert list(_undescribed(config.model_json_schema())) == []


def test_the_schema_of_recipes_describes_every_field_and_class_once() -> None:
    schema = recipe_schema()
    assert list(_undescribed(schema)) == []
    for name, part in schema["$defs"].items():
        if "properties" in part:
            assert part["description"], name
            assert "Attributes:" not in part["description"], name


def test_a_field_without_a_description_is_found() -> None:
    class Bare(Frozen):
        rows: int = 1

    assert list(_undescribed(Bare.model_json_schema())) == ["Bare.rows"]


def test_help_shows_the_descriptions() -> None:
    assert "\nAttributes:\n    sparsity: Fraction of the selected weights" in str(Prune.__doc__)
