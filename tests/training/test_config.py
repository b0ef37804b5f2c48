"""The configuration of distillation: what it refuses, and that it round-trips."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tflite_squeeze.errors import UsageError
from tflite_squeeze.training.config import Distill, Hint, custom_distance
from tflite_squeeze.training.teaching import losses as distill_losses

CUSTOM = "tflite_squeeze.training.teaching.losses:mse"


@pytest.mark.parametrize(
    "config",
    [
        Distill(),
        Distill(distance="dkd", temperature=2.0, lam=0.5, label_weight=0.0, dkd_beta=2.0),
        Distill(hints=(Hint(student="a", teacher="b", compare="attention", weight=3.0),)),
        Distill(student_outputs="logits", teacher_outputs=("softmax", "values"), cache=False),
        Distill(distance=CUSTOM, cache_dir="answers"),
    ],
)
def test_it_round_trips(config: Distill) -> None:
    assert Distill.model_validate_json(config.model_dump_json()) == config
    assert Distill.model_validate(yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json"))))


def test_a_function_is_written_as_its_name() -> None:
    config = Distill(distance=distill_losses.mse)
    assert config.distance_name == CUSTOM
    read = Distill.model_validate_json(config.model_dump_json())
    assert read.distance == CUSTOM
    assert custom_distance(read) is distill_losses.mse
    assert custom_distance(Distill(distance="kl")) is None


def test_the_schema_is_json() -> None:
    properties = Distill.model_json_schema()["properties"]
    assert properties["distance"]["type"] == "string"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"distance": "manhattan"}, "give one of kl, mse, cosine, dkd, dist, or package.module"),
        ({"temperature": 0}, "greater than 0"),
        ({"lam": -1}, "greater than or equal to 0"),
        ({"lam": 0}, "nothing is learned from the teacher"),
        ({"label_weight": float("nan")}, "finite"),
        ({"student_outputs": "probabilities"}, "softmax"),
        ({"tau": 1}, "Extra inputs are not permitted"),
        ({"hints": [{"student": "a", "teacher": "b", "weight": 0}]}, "greater than 0"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Distill(**values)


@pytest.mark.parametrize("name", ["nowhere:mse", "tflite_squeeze.errors:mse", "math:pi"])
def test_a_name_that_means_no_function(name: str) -> None:
    with pytest.raises(UsageError, match="name a function"):
        custom_distance(Distill(distance=name))
