"""What pruning may be asked for, and what is refused with a word on how to ask."""

import pytest
import yaml
from pydantic import ValidationError

from tflite_squeeze.command_line.config_options import config_of
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.pruning.config import Prune

CONFIGS = [
    Prune(sparsity=0.9),
    Prune(sparsity="median", protect=("first", "last")),
    Prune(threshold=0.01, only=("conv_*", "type:Dense")),
    Prune(granularity="2:4", score="taylor"),
    Prune(sparsity=0.5, granularity="1x16", budget="erk", layers={"Dense": 0.8}),
    Prune(sparsity=0.0, schedule="stepwise", grow=True, budget="global", max_layer_sparsity=0.9),
]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_configs_come_back_from_json_and_yaml(config: Prune) -> None:
    assert Prune.model_validate_json(config.model_dump_json()) == config
    assert Prune(**yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))) == config


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "the amount of pruning is not given"),
        ({"sparsity": 1.0}, "less than 1"),
        ({"sparsity": -0.1}, "greater than or equal to 0"),
        ({"sparsity": 0.5, "threshold": 0.1}, "contradict each other"),
        ({"sparsity": 0.5, "granularity": "2:4"}, "fixes the sparsity at 0.5: leave sparsity out"),
        ({"sparsity": "median", "granularity": "1x4"}, "zero single elements"),
        ({"threshold": 0.1, "granularity": "filter"}, "zero single elements"),
        ({"sparsity": 0.5, "score": "wanda", "granularity": "filter"}, "use taylor"),
        ({"threshold": 0.0}, "greater than 0"),
        ({"sparsity": 0.5, "granularity": "4:2"}, "granularity is '4:2'"),
        ({"sparsity": 0.5, "layers": {"a": 1.0}}, "less than 1"),
        (
            {"sparsity": 0.5, "score": "gradient"},
            "give one of magnitude, taylor, wanda, random, or",
        ),
        ({"sparsity": 0.5, "schedule": "cubic"}, "use one of constant"),
        ({"sparsity": 0.5, "speed": 3}, "Extra inputs"),
    ],
)
def test_contradictions_are_refused(values: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Prune(**values)


def test_configs_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Prune(sparsity=0.5).sparsity = 0.6  # type: ignore[misc]


def test_targets() -> None:
    assert Prune(sparsity=0.9).target == 0.9
    assert Prune(granularity="1:4").target == 0.75
    assert Prune(sparsity="median").target == 0.5
    assert Prune(threshold=0.1).target == 0.0


def test_options_make_a_config_or_one_line() -> None:
    assert config_of(Prune, sparsity=0.5, score=None) == Prune(sparsity=0.5)
    with pytest.raises(UsageError, match=r"^sparsity is 1.5: Input should be less than 1"):
        config_of(Prune, sparsity=1.5)
    with pytest.raises(UsageError, match=r"^the amount of pruning is not given"):
        config_of(Prune, sparsity=None)
